from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import anyio
import anyio.lowlevel
import msgspec
import pytest

from platform_nats.delivery import Answer, Delivery
from platform_nats.envelope import Outgoing, seal
from platform_nats.nkey import UserKey
from stratum_graph.model import Principal
from stratum_orchestrator.saga.intake import Intake, Terms
from stratum_orchestrator.saga.rules import Rules
from stratum_state.memory import MemoryStore
from stratum_state.model import RunStatus, VerdictKind, VerdictRecord
from stratum_state.standing import Standing
from support import records
from support.graph import node, shape
from support.runner import ScriptedRunner
from support.saga import START_MS, Everyone, World

KEY = UserKey.generate()
NODES = [
    node(
        "a", gives="x", on="events.go", input_schemas={"event": shape(size={"type": "integer"})}
    )
]
BODY = b'{"size":1}'


@dataclass
class Door:
    intake: Intake
    world: World

    async def judged(self, delivery: Delivery) -> tuple[Answer, VerdictRecord]:
        answer = await self.intake.handle(delivery)
        [verdict] = [
            each
            for each in self.world.store.history
            if isinstance(each, VerdictRecord) and each.sequence == delivery.sequence
        ]
        return answer, verdict


@asynccontextmanager
async def door(
    world: World, denied: str = "", audience: str = "here", lacks: str = ""
) -> AsyncIterator[Door]:
    principal = Principal(key=KEY.public, name="ada")
    async with world.daemon() as (tracker, live):
        rules = Rules(
            generation=world.generation,
            principals={KEY.public: principal},
            authorizer=Everyone(but=denied),
            lacks=lambda _: lacks,
            standing=live.standings.of,
        )
        intake = Intake(lambda: rules, tracker, live, world.clock, Terms(audience=audience))
        yield Door(intake, world)


def event(
    sequence: int = 1, body: bytes = BODY, subject: str = "events.go", event_id: str = "e1"
) -> Delivery:
    outgoing = Outgoing(
        subject=subject, body=body, event_id=event_id, time_ms=START_MS, headers={}
    )
    return Delivery(
        subject=subject,
        body=body,
        headers=seal(KEY, "here", outgoing),
        sequence=sequence,
        stored_ms=START_MS + sequence,
    )


def world() -> World:
    return World(NODES, ScriptedRunner(outputs={"a": {"x": 1}}))


async def test_a_good_event_becomes_one_run_that_is_carried_to_its_end() -> None:
    around = world()

    async with door(around) as entrance:
        answer, verdict = await entrance.judged(event())

    assert (answer, verdict.kind) == (Answer.DONE, VerdictKind.ACCEPTED)
    [run_id] = verdict.runs
    trail = await around.store.trail(run_id)
    assert trail is not None
    assert trail.run.status is RunStatus.COMPLETED
    assert trail.run.principal == "ada"
    assert msgspec.json.decode(trail.run.authorization)["policies"] == ["test.everyone"]


async def test_a_redelivery_changes_nothing() -> None:
    around = world()

    async with door(around) as entrance:
        await entrance.judged(event())
        answer, _ = await entrance.judged(event())

    assert answer is Answer.DONE
    assert around.runner.ran == [("a", "do")]  # type: ignore[attr-defined]


async def test_the_same_id_again_is_a_duplicate_that_names_the_run() -> None:
    around = world()

    async with door(around) as entrance:
        _, first = await entrance.judged(event(1))
        answer, second = await entrance.judged(event(2))

    assert (answer, second.kind) == (Answer.DONE, VerdictKind.DUPLICATE)
    assert second.runs == first.runs
    assert around.runner.ran == [("a", "do")]  # type: ignore[attr-defined]


class Hesitant(MemoryStore):
    """Lets others go first after every look into the inbox."""

    async def inbox(self, identities: Sequence[str]) -> Mapping[str, str]:
        found = await super().inbox(identities)
        await anyio.lowlevel.checkpoint()
        return found


@pytest.mark.parametrize("sequence", [1, 2], ids=["the same message", "the same id again"])
async def test_of_two_deliveries_at_the_same_moment_one_opens_the_run(sequence: int) -> None:
    around = world()
    around.store = Hesitant()
    first = event(1)
    other = replace(event(sequence), stored_ms=first.stored_ms)
    answers: list[Answer] = []

    async with door(around) as entrance, anyio.create_task_group() as deliveries:

        async def deliver(delivery: Delivery) -> None:
            answers.append(await entrance.intake.handle(delivery))

        deliveries.start_soon(deliver, first)
        deliveries.start_soon(deliver, other)

    assert answers == [Answer.DONE, Answer.DONE]
    assert around.runner.ran == [("a", "do")]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("delivery", "code", "said"),
    [
        (
            event(body=b'{"size":"x"}'),
            "bad-payload",
            'event.size: "x" is not of type "integer"',
        ),
        (event(body=b"{"), "bad-json", "the payload is not JSON"),
        (event(body=b'{"size":NaN}'), "bad-json", "NaN"),
        (event(body=b"\xff"), "bad-json", "UTF-8"),
    ],
)
async def test_what_cannot_be_read_is_refused_with_its_reason(
    delivery: Delivery, code: str, said: str
) -> None:
    async with door(world()) as entrance:
        answer, verdict = await entrance.judged(delivery)

    assert (answer, verdict.kind, verdict.code) == (Answer.REFUSED, VerdictKind.REFUSED, code)
    assert said in verdict.reason


async def test_what_cannot_run_here_is_refused_before_it_begins() -> None:
    around = world()
    async with door(around, lacks="node a: containment `bubblewrap`: install it") as entrance:
        answer, verdict = await entrance.judged(event())

    assert (answer, verdict.code, verdict.runs) == (Answer.REFUSED, "cannot-run", ())
    assert "install it" in verdict.reason
    assert around.runner.ran == []  # type: ignore[attr-defined]


async def test_an_event_for_another_deployment_is_refused() -> None:
    async with door(world(), audience="elsewhere") as entrance:
        _, verdict = await entrance.judged(event())

    assert verdict.code == "bad-signature"


async def test_an_unsigned_event_is_recorded_with_what_it_claims() -> None:
    bare = Delivery(subject="events.go", body=BODY, headers={}, sequence=1, stored_ms=START_MS)

    async with door(world()) as entrance:
        answer, verdict = await entrance.judged(bare)

    assert (answer, verdict.code, verdict.publisher) == (Answer.REFUSED, "unsigned", "")


async def test_who_may_not_is_denied_before_anything_runs() -> None:
    around = world()

    async with door(around, denied="p") as entrance:
        answer, verdict = await entrance.judged(event())

    assert (answer, verdict.code) == (Answer.REFUSED, "denied")
    assert verdict.reason == "p: ada may not trigger p: no permit matched"
    assert around.runner.ran == []  # type: ignore[attr-defined]


async def test_a_subject_without_a_pipeline_is_recorded_with_the_nearest_trigger() -> None:
    async with door(world()) as entrance:
        answer, verdict = await entrance.judged(event(subject="events.gone"))

    assert (answer, verdict.kind) == (Answer.DONE, VerdictKind.NO_PIPELINE)
    assert verdict.reason.endswith("; the nearest trigger is events.go")


async def test_one_pipeline_may_be_opened_while_another_is_denied() -> None:
    around = World(
        [*NODES, node("b", gives="y", on="events.>", pipeline="q")], ScriptedRunner()
    )

    async with door(around, denied="p") as entrance:
        answer, verdict = await entrance.judged(event())

    assert (answer, verdict.kind) == (Answer.DONE, VerdictKind.ACCEPTED)
    assert len(verdict.runs) == 1
    assert "p: ada may not trigger p" in verdict.reason


async def test_the_event_of_a_paused_pipeline_is_accepted_and_its_run_waits() -> None:
    around = world()
    await around.store.write([records.a_standing("p")])

    async with door(around) as entrance:
        answer, verdict = await entrance.judged(event())

    trail = await around.store.trail(verdict.runs[0])
    assert trail is not None
    assert (answer, verdict.kind) == (Answer.DONE, VerdictKind.ACCEPTED)
    assert "the run waits, as olga has paused p: a “freeze”" in verdict.reason
    assert trail.run.status is RunStatus.ACCEPTED


async def test_the_event_of_a_disabled_pipeline_is_refused_and_says_by_whom() -> None:
    around = world()
    await around.store.write([records.a_standing("p", Standing.DISABLED)])

    async with door(around) as entrance:
        answer, verdict = await entrance.judged(event())

    assert (answer, verdict.kind, verdict.code) == (
        Answer.REFUSED,
        VerdictKind.REFUSED,
        "disabled",
    )
    assert "p was disabled by olga: a “freeze”" in verdict.reason
    assert verdict.runs == ()
