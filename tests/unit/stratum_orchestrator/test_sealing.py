"""The daemon signs as a principal only with that one's own key."""

from pathlib import Path

import pytest

from platform_nats.delivery import Delivery
from platform_nats.envelope import Limits, open_envelope
from platform_nats.nkey import UserKey
from stratum_graph.model import Principal
from stratum_orchestrator.api.desk import Event
from stratum_orchestrator.errors import Impossible
from stratum_orchestrator.home import Home
from stratum_orchestrator.sealing import Seals
from support.desk import FixedClock

EVENT = Event("events.done", {"Content-Type": "application/json"}, b"{}")


@pytest.fixture
def seals(tmp_path: Path) -> Seals:
    return Seals(home=Home(tmp_path), audience="here", clock=FixedClock())


async def test_what_it_signs_is_believed(seals: Seals) -> None:
    key = seals.home.key("robot", make=True)

    headers = await seals.seal(Principal(key=key.public, name="robot"), EVENT, "e1")

    now = FixedClock().now_ms()
    delivery = Delivery(
        subject=EVENT.subject, body=EVENT.body, headers=headers, sequence=1, stored_ms=now
    )
    opened = open_envelope(delivery, "here", {key.public}.__contains__, Limits())
    assert (opened.publisher, opened.event_id) == (key.public, "e1")


@pytest.mark.parametrize("name", ["robot", "nobody", "../robot", ""])
async def test_it_signs_with_no_other_key(seals: Seals, name: str) -> None:
    seals.home.key("robot", make=True)

    with pytest.raises(Impossible) as why:
        await seals.seal(Principal(key=UserKey.generate().public, name=name), EVENT, None)

    assert why.value.code == "no-key"
    assert why.value.remedy
