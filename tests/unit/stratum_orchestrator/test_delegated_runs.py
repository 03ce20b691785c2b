"""Runs that an agent starts on a user's behalf, by a grant that can end before they do."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import msgspec
import pytest

from platform_nats.delivery import Answer, Delivery
from platform_nats.envelope import Outgoing, seal
from platform_nats.nkey import UserKey
from stratum_graph.model import FurtherKey, Principal
from stratum_orchestrator.auth.entities import PipelineFacts
from stratum_orchestrator.ports import Command, Ended
from stratum_orchestrator.saga.delegation import about, lapsed
from stratum_orchestrator.saga.intake import Intake, Terms
from stratum_orchestrator.saga.rules import Rules
from stratum_state.model import PipelineRun, Trail, VerdictRecord
from support.graph import node
from support.people import ADA, ADA_KEY, BOT, BOT_KEY, GRANT, HOUR_MS, Law, granted
from support.runner import ScriptedRunner
from support.saga import START_MS, World, told

NODES = [
    node("first", gives="x", on="events.go", pipeline="build"),
    node("second", needs="x"),
]
OUTPUTS: dict[str, dict[str, object]] = {"first": {"x": 1}}


class Meddler(ScriptedRunner):
    """Does something when a node has run."""

    def __init__(self, node: str, deed: Callable[[], None]) -> None:
        super().__init__(outputs=OUTPUTS)
        self._node, self._deed = node, deed

    async def run(self, command: Command) -> Ended:
        ended = await super().run(command)
        if command.node == self._node:
            self._deed()
        return ended


@dataclass
class Place:
    """A deployment whose people and grants change while runs are under way."""

    law: Law = field(default_factory=Law)
    deed: Callable[[], None] = lambda: None
    world: World = field(init=False)

    def __post_init__(self) -> None:
        runner = Meddler("first", lambda: self.deed())  # noqa: PLW0108 - it is set later
        self.world = World(NODES, runner, lapsed=self._lapsed)

    def rules(self) -> Rules:
        return Rules(
            generation=self.world.generation,
            principals=self.law.principals,
            authorizer=self.law.authorizer,
            grants=self.law.grants,
        )

    async def take(self, event: Delivery) -> tuple[VerdictRecord, Trail | None]:
        async with self.world.daemon() as (tracker, live):
            terms = Terms(audience="here")
            answer = await Intake(self.rules, tracker, live, self.world.clock, terms).handle(
                event
            )
        [verdict] = [
            each for each in self.world.store.history if isinstance(each, VerdictRecord)
        ]
        assert (answer is Answer.REFUSED) == (verdict.kind == "refused")
        trail = await self.world.store.trail(verdict.runs[0]) if verdict.runs else None
        return verdict, trail

    def _lapsed(self, run: PipelineRun) -> str | None:
        return lapsed(self.law, run, self.world.clock.ms, is_defined=True)


def event(grant: str = "", key: UserKey = BOT_KEY, stored_ms: int = START_MS) -> Delivery:
    headers = {"Stratum-Grant": grant} if grant else {}
    sent = Outgoing(
        subject="events.go", body=b"{}", event_id="e1", time_ms=stored_ms, headers=headers
    )
    return Delivery(
        subject="events.go",
        body=b"{}",
        headers=seal(key, "here", sent),
        sequence=1,
        stored_ms=stored_ms,
    )


async def test_verdict_run_and_journal_name_grant_and_user() -> None:
    place = Place()

    verdict, trail = await place.take(event(granted()))

    assert trail is not None
    assert trail.run.status == "completed"
    for text in (verdict.authorization, trail.run.authorization):
        said = msgspec.json.decode(text)
        said = said[0] if isinstance(said, list) else said
        assert (said["mandate"]["grant"], said["mandate"]["user"]) == ("g-1", "ada")
        assert said["policies"] == ["agents.delegated", "publishers.trigger"]
    [first, *_] = await place.world.store.journal(trail.run.id)
    assert '\\"grant\\":\\"g-1\\"' in first.body


async def test_without_a_grant_the_agent_starts_nothing() -> None:
    verdict, trail = await Place().take(event())

    assert (verdict.code, trail) == ("denied", None)
    assert "no permit matched" in verdict.reason


async def test_a_grant_cannot_be_put_on_somebody_elses_event() -> None:
    sealed = event()
    stolen = replace(sealed, headers={**sealed.headers, "Stratum-Grant": granted()})

    verdict, _ = await Place().take(stolen)

    assert verdict.code == "bad-signature"


def revoke(place: Place) -> None:
    place.law.grants.revoked.add("g-1")


def expire(place: Place) -> None:
    place.world.clock.ms = GRANT.expires


def disable(place: Place) -> None:
    place.law = place.law.but(msgspec.structs.replace(ADA, active=False))


def demote(place: Place) -> None:
    place.law = place.law.but(msgspec.structs.replace(ADA, groups=()))


def dismiss(place: Place) -> None:
    place.law.people = (ADA,)


def make_irrevocable(place: Place) -> None:
    place.law.grants.unreadable = "the register cannot be read"


@pytest.mark.parametrize(
    ("deed", "why"),
    [
        (revoke, "it was revoked"),
        (expire, "it expired at"),
        (disable, "disabled"),
        (demote, "no permit matched"),
        (dismiss, "no principal any more"),
        (make_irrevocable, "cannot be read"),
    ],
)
async def test_a_mandate_that_ends_turns_the_run_back(
    deed: Callable[[Place], None], why: str
) -> None:
    place = Place()
    place.deed = lambda: deed(place)

    _, trail = await place.take(event(granted()))

    assert trail is not None
    assert (trail.run.status, trail.run.compensation) == ("compensated", "clean")
    assert why in str(trail.run.cause)
    assert told(place.world.store.history)[-4:] == [
        "run compensating",
        "undo first started",
        "undo first done",
        "run compensated",
    ]


async def test_a_pipeline_that_is_no_longer_defined_does_not_end_a_mandate() -> None:
    place = Place()
    _, trail = await place.take(event(granted()))
    assert trail is not None
    law = replace(place.law, authorizer=place.law.authorizer.use({"other": PipelineFacts()}))

    assert lapsed(law, trail.run, START_MS, is_defined=False) is None
    assert lapsed(law, trail.run, START_MS, is_defined=True) is not None
    assert lapsed(law, trail.run, START_MS + HOUR_MS, is_defined=False) is not None


async def test_policies_are_told_for_whom_a_run_was_started() -> None:
    place = Place()

    _, trail = await place.take(event(granted()))

    assert trail is not None
    assert about(trail.run, place.law.principals) == {
        "subject": "events.go",
        "publisher": BOT.key,
        "publisher_for": ADA.key,
    }


OLD = UserKey.generate()


@pytest.mark.parametrize(
    ("principal", "stored_ms", "code"),
    [
        (msgspec.structs.replace(ADA, keys=(FurtherKey(key=OLD.public),)), 0, "accepted"),
        (msgspec.structs.replace(ADA, revoked=(OLD.public,)), 0, "revoked-key"),
        ("until", -1, "accepted"),
        ("until", 0, "expired-key"),
    ],
)
async def test_a_former_key_counts_as_long_as_it_should(
    principal: Principal | str, stored_ms: int, code: str
) -> None:
    until = {"key": OLD.public, "not_after": "2026-09-21T14:13:20Z"}  # START_MS
    given = msgspec.to_builtins(ADA) | {"keys": [until]}
    known = msgspec.convert(given, Principal) if isinstance(principal, str) else principal
    place = Place(law=Law(people=(known,)))

    verdict, _ = await place.take(event(key=OLD, stored_ms=START_MS + stored_ms))

    assert verdict.code == code
    if code != "accepted":
        assert ADA.key in verdict.reason


@pytest.mark.parametrize(
    ("subjects", "code"),
    [
        ((), "accepted"),
        (("events.*", "x.>"), "accepted"),
        (("events.other",), "forbidden-subject"),
    ],
)
async def test_a_principal_publishes_under_its_own_subjects(
    subjects: tuple[str, ...], code: str
) -> None:
    place = Place(law=Law(people=(msgspec.structs.replace(ADA, subjects=subjects),)))

    verdict, _ = await place.take(event(key=ADA_KEY))

    assert verdict.code == code
