"""An event that names the version by which it is to be judged."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from platform_nats.delivery import Delivery
from platform_nats.envelope import Outgoing, seal
from platform_nats.nkey import UserKey
from stratum_graph.generation import Generation, compile_graph
from stratum_graph.model import Principal
from stratum_orchestrator import config, knowledge
from stratum_orchestrator.auth.cedar import PolicySet
from stratum_orchestrator.errors import Refused
from stratum_orchestrator.saga.edition import CODE, HEADER
from stratum_orchestrator.saga.intake import Intake, Terms
from stratum_orchestrator.saga.rules import Rules
from stratum_state.memory import MemoryStore
from stratum_state.model import VerdictRecord
from support.graph import node
from support.runner import ScriptedRunner
from support.saga import START_MS, World

KEY = UserKey.generate()
OLD = [node("a", gives="x", on="events.go"), node("b", needs="x")]
OLDER, UNKNOWN = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"


@pytest.fixture(scope="module")
def policies() -> PolicySet:
    return PolicySet.load(config.policies())


class OneKept:
    """One version beside the one in force."""

    def __init__(self, generation: Generation) -> None:
        self.generation = generation

    async def find(self, wanted: str, rules: Rules) -> Rules:
        if wanted != OLDER:
            raise Refused(CODE, f"version {wanted} is not kept here")
        return replace(rules, generation=self.generation)


@asynccontextmanager
async def door(
    policies: PolicySet, groups: tuple[str, ...] = ("publishers", "operators")
) -> AsyncIterator[tuple[Intake, MemoryStore]]:
    around = World(
        [node("a", gives="x", on="events.go")], ScriptedRunner(outputs={"a": {"x": 1}})
    )
    rules = Rules(
        generation=around.generation,
        principals={KEY.public: Principal(key=KEY.public, name="ada", groups=groups)},
        authorizer=knowledge.authorizer(policies, around.generation),
    )
    kept = compile_graph(OLD).generation
    assert kept is not None
    async with around.daemon() as (tracker, live):
        terms = Terms(audience="here")
        yield (
            Intake(lambda: rules, tracker, live, around.clock, terms, editions=OneKept(kept)),
            around.store,
        )


async def judged(
    intake: Intake, store: MemoryStore, headers: Mapping[str, str]
) -> VerdictRecord:
    outgoing = Outgoing(
        subject="events.go", body=b"{}", event_id="e1", time_ms=START_MS, headers=headers
    )
    sealed = seal(KEY, "here", outgoing)
    await intake.handle(
        Delivery(
            subject="events.go",
            body=b"{}",
            headers=sealed,
            sequence=1,
            stored_ms=START_MS + 1,
        )
    )
    [verdict] = [each for each in store.history if isinstance(each, VerdictRecord)]
    return verdict


async def test_it_is_planned_on_that_version_which_goes_on_record(policies: PolicySet) -> None:
    async with door(policies) as (intake, store):
        verdict = await judged(intake, store, {HEADER: OLDER})

    trail = await store.trail(verdict.runs[0])
    said = json.loads(verdict.authorization)[0]
    assert trail is not None
    assert [each.node for each in trail.steps] == ["a", "b"]
    assert (said["version"], said["chosen_by"]) == (OLDER, ["operators.daemon"])
    assert json.loads(trail.run.authorization)["version"] == OLDER


async def test_without_a_name_it_is_what_is_in_force(policies: PolicySet) -> None:
    async with door(policies) as (intake, store):
        verdict = await judged(intake, store, {})

    trail = await store.trail(verdict.runs[0])
    assert trail is not None
    assert [each.node for each in trail.steps] == ["a"]
    assert "version" not in json.loads(trail.run.authorization)


async def test_who_may_not_choose_is_refused_before_anybody_looks(policies: PolicySet) -> None:
    async with door(policies, groups=("publishers",)) as (intake, store):
        verdict = await judged(intake, store, {HEADER: OLDER})

    assert (verdict.code, verdict.runs) == ("denied", ())
    assert "ada may not choose a version: no permit matched" in verdict.reason
    [said] = json.loads(verdict.authorization)
    assert (said["action"], said["allowed"]) == ("choose", False)


async def test_who_may_choose_still_has_to_be_allowed_the_event(policies: PolicySet) -> None:
    async with door(policies, groups=("operators",)) as (intake, store):
        verdict = await judged(intake, store, {HEADER: OLDER})

    assert (verdict.code, verdict.runs) == ("denied", ())
    assert "ada may not trigger" in verdict.reason


@pytest.mark.parametrize(
    ("named", "code", "says"),
    [
        (UNKNOWN, CODE, "is not kept here"),
        ("stable", "bad-header", "it must be a digest"),
        (OLDER.upper(), "bad-header", "it must be a digest"),
    ],
)
async def test_what_is_no_kept_version_is_refused(
    policies: PolicySet, named: str, code: str, says: str
) -> None:
    async with door(policies) as (intake, store):
        verdict = await judged(intake, store, {HEADER: named})

    assert (verdict.code, verdict.runs) == (code, ())
    assert says in verdict.reason
