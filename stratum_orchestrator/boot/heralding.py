"""Within the step `recovery`: the ends of runs are published from here on."""

import anyio

from platform_nats.assurance import Assurance
from stratum_orchestrator.boot.broker import Broker
from stratum_orchestrator.boot.frame import Frame
from stratum_orchestrator.boot.records import Records
from stratum_orchestrator.boot.tracing import Traces
from stratum_orchestrator.saga.herald import Herald

_WITHIN_S = 30.0


async def send_herald(frame: Frame, records: Records, broker: Broker, traces: Traces) -> Herald:
    """Publish what is due until the daemon ends, what runs do at their end included."""
    audience = frame.settings.nats.audience
    assurance = Assurance(broker.connection, audience, within_s=_WITHIN_S)
    herald = Herald(
        records.tracker,
        assurance.publish,
        anyio.Lock(),
        told=traces.told,
        passed=frame.points.passed,
    )
    frame.ears.listeners.append(herald.observe)
    await frame.beside(herald.watch)
    return herald
