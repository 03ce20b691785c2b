"""The step `http`: what people ask and command."""

from collections.abc import Mapping, Sequence
from functools import partial

from platform_nats.errors import BadSubject
from platform_nats.lookup import stored_ms
from platform_nats.publisher import Publisher
from stratum_graph.subjects import covers
from stratum_orchestrator.api import http
from stratum_orchestrator.api.desk import Instance
from stratum_orchestrator.api.guard import Door
from stratum_orchestrator.api.news import News
from stratum_orchestrator.boot.activations import follow_activations
from stratum_orchestrator.boot.broker import Broker
from stratum_orchestrator.boot.definitions import InForce
from stratum_orchestrator.boot.frame import Frame
from stratum_orchestrator.boot.records import Records
from stratum_orchestrator.boot.work import Work
from stratum_orchestrator.home import token_digest
from stratum_orchestrator.reception import Receptionist
from stratum_orchestrator.release import version
from stratum_orchestrator.saga.attention import Watchlist
from stratum_orchestrator.sealing import Seals
from stratum_orchestrator.service import Service
from stratum_state.surreal import SurrealStore


async def answer(
    frame: Frame, records: Records, broker: Broker, in_force: InForce, work: Work
) -> str:
    """Serve until the daemon ends; the base address."""
    runs = frame.settings.runs
    overdue_s = runs.limit + runs.grace
    watchlist = Watchlist(records.tracker, work.live, overdue_s, frame.metrics.unresolved)
    await frame.beside(watchlist.watch)
    news = News()
    frame.ears.listeners.append(news.observe)
    activations, outlook = await follow_activations(frame, records, broker, in_force, work)
    service = Service(
        version=version(),
        instance=frame.settings.instance.name,
        started=frame.clock.now_ms(),
        rules=lambda: in_force.rules,
        tracker=records.tracker,
        plans=work.plans,
        live=work.live,
        verdict_news=frame.verdicts,
        news=news,
        sharing=partial(_sharing, records.store),
        relay=partial(
            _relay, broker, Publisher(broker.connection, frame.settings.nats.audience)
        ),
        sealing=Seals(
            home=frame.home, audience=frame.settings.nats.audience, clock=frame.clock
        ).seal,
        stored_time=partial(stored_ms, broker.connection),
        operations=work.operations,
        activations=activations,
        hints=outlook,
        pipelines=work.restraint,
        watchlist=watchlist,
        look=frame.health.checks,
        reloading=in_force.reloader,
    )
    serving = http.serve(service, frame.metrics, _door(frame, records, in_force, work))
    return await frame.stack.enter_async_context(serving)


async def _relay(
    broker: Broker, publisher: Publisher, subject: str, headers: Mapping[str, str], body: bytes
) -> int:
    # our own key may publish anything: what is no event must not come through here
    if not any(covers(wide, subject) for wide in broker.subjects):
        within = ", ".join(broker.subjects)
        raise BadSubject(subject, f"it is not within {within}")
    return (await publisher.relay(subject, headers, body)).sequence


async def _sharing(store: SurrealStore) -> Sequence[Instance]:
    return [
        Instance(
            lane=each.lane,
            name="" if each.is_free else each.instance,
            heard_ms=each.age_ms,
            is_this=each.lane in store.lanes,
        )
        for each in await store.seen()
    ]


def _door(frame: Frame, records: Records, in_force: InForce, work: Work) -> Door:
    place = frame.settings.http
    return Door(
        reception=Receptionist(
            home_digest=token_digest(frame.home.token()),
            operator=work.operations.operator,
            tokens=frame.access.tokens,
            rules=lambda: in_force.rules,
            rulings=records.rulings,
            clock=frame.clock,
        ),
        is_reserved=place.metrics == "token",
        host=place.host,
        port=place.port,
        names=place.hosts,
    )
