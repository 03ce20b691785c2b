"""A pipeline tried as a whole: really carried, with stand-ins for what has effects.

What is given comes from the `case.json` of its nodes, and so does what a stand-in answers.
"""

import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from stratum_graph.model import ActionNode, Plan, PlannedNode
from stratum_orchestrator.ports import Command, Ended, Equip, Failure, Kind, Runner, as_it_is
from stratum_orchestrator.saga.case import FILE, Case, Text
from stratum_orchestrator.saga.step import misfits

MARK = "STRATUM_TEST"
"""The variable that tells a script that it runs in a trial."""

CasesOf = Mapping[str, Sequence[Case]]
"""By node, those of its folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a pipeline is tried with."""

    plan: Plan
    """Its stand-ins lease nothing."""
    answers: Mapping[str, Mapping[str, object]]
    """What each stand-in gives, by node."""
    fixture: Mapping[str, Text]
    data: Mapping[str, Text]
    requires: tuple[str, ...]
    """Programs without which what really runs cannot run."""


def stage(plan: Plan, cases: CasesOf, *, live: bool) -> tuple[Trial, tuple[str, ...]]:
    """Prepare a trial; with it, why it cannot be, node by node."""
    nodes = [planned.definition.node for planned in plan.nodes]
    acted = [node for node in nodes if node.effect != "pure" and not live]
    problems = [_lack(node, cases.get(node.name, ())) for node in acted]
    real = [
        case
        for node in sorted(nodes, key=lambda node: node.trigger is not None)
        if node not in acted and (case := example(cases.get(node.name, ())))
    ]
    names = {node.name for node in acted}
    given = [*real, *(case for case in [opening(plan, cases)] if case is not None)]
    trial = Trial(
        plan=msgspec.structs.replace(
            plan, nodes=tuple(_unlent(each, names) for each in plan.nodes)
        ),
        answers={node.name: _answer(cases.get(node.name, ())) for node in acted},
        fixture={name: text for case in given for name, text in case.fixture.items()},
        data={name: text for case in given for name, text in case.data.items()},
        requires=tuple(sorted({each for case in real for each in case.requires})),
    )
    return trial, tuple(filter(None, problems))


def example(cases: Sequence[Case]) -> Case | None:
    """The first case of a node in which it succeeds, None without one."""
    good = [case for case in cases if case.expect.failure is None and "run" in case.steps]
    return next((case for case in good if _said(case) is not None), next(iter(good), None))


def opening(plan: Plan, cases: CasesOf) -> Case | None:
    """The case whose event opens the pipeline: that of the first node that it triggers."""
    triggered = (each.definition.node for each in plan.nodes if each.definition.node.trigger)
    found = (example(cases.get(node.name, ())) for node in triggered)
    return next(filter(None, found), None)


def subject_of(node: ActionNode) -> str:
    """A subject that triggers the node: its first pattern, with words for the wildcards."""
    patterns = node.trigger.subjects if node.trigger else ()
    return ".".join(
        "test" if token in {"*", ">"} else token
        for token in next(iter(patterns), "").split(".")
    )


def missing(trial: Trial, path: str) -> list[str]:
    """Programs that what really runs needs, and that are not on the path."""
    return [each for each in trial.requires if not shutil.which(each, path=path)]


@dataclass(slots=True)
class StandIns:
    """A runner that answers for the nodes that have effects, and lets the others really run."""

    runner: Runner
    answers: Mapping[str, Mapping[str, object]]
    fails: Collection[str] = ()
    """Nodes whose handler fails, without being run."""
    stood_in: list[Command] = field(default_factory=list)

    async def run(self, command: Command, equip: Equip = as_it_is) -> Ended:
        """Run, answer or fail as it was said."""
        fails = command.node in self.fails and command.kind is Kind.DO
        if not fails and command.node not in self.answers:
            marked = replace(command, env={**command.env, MARK: "1"})
            return await self.runner.run(marked, equip)
        self.stood_in.append(command)
        if fails:
            failure = Failure(error_class="exit", message="it was told to fail")
            return Ended(outputs=None, failure=failure, exit_code=1)
        said = self.answers[command.node] if command.kind is Kind.DO else {}
        return Ended(outputs=said, exit_code=0)


def _unlent(planned: PlannedNode, stand_ins: Collection[str]) -> PlannedNode:
    """A node as it is planned, without what a stand-in has no use for."""
    definition = planned.definition
    if definition.node.name not in stand_ins:
        return planned
    node = msgspec.structs.replace(definition.node, credentials=())
    definition = msgspec.structs.replace(definition, node=node)
    return msgspec.structs.replace(planned, definition=definition)


def _said(case: Case) -> Mapping[str, object] | None:
    return case.expect.outputs if case.answers is None else case.answers


def _answer(cases: Sequence[Case]) -> Mapping[str, object]:
    case = example(cases)
    return (case and _said(case)) or {}


def _lack(node: ActionNode, cases: Sequence[Case]) -> str:
    """Why a node's cases do not say what a stand-in would answer; empty when they do."""
    answer = _answer(cases)
    absent = sorted(set(node.produces) - set(answer))
    if absent:
        return f"{node.name}: its {FILE} does not say what `{absent[0]}` is"
    wrong = misfits(node.output_schemas, answer)
    return f"{node.name}: what its {FILE} expects is not all of it: {wrong}" if wrong else ""
