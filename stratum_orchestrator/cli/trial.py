"""A pipeline carried once, in this process and on no record but the one that is shown."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from random import SystemRandom
from tempfile import TemporaryDirectory

import msgspec

from stratum_graph.definitions.content import ContentStore
from stratum_graph.generation import UNKNOWN, Generation
from stratum_graph.model import Plan
from stratum_orchestrator import lenders
from stratum_orchestrator.api import views
from stratum_orchestrator.auth.errors import BadProvider
from stratum_orchestrator.cli.exits import Exit, Stop
from stratum_orchestrator.cli.options import Face
from stratum_orchestrator.cli.workspace import Workspace, graph_of, workspace
from stratum_orchestrator.client.answers import Run
from stratum_orchestrator.clock import WallClock
from stratum_orchestrator.execution.errors import ExecutionError
from stratum_orchestrator.execution.nushell import NushellRunner
from stratum_orchestrator.execution.settings import ExecutionSettings
from stratum_orchestrator.saga import case as cases, trial
from stratum_orchestrator.saga.case import Case, CaseError
from stratum_orchestrator.saga.compensation import Compensator
from stratum_orchestrator.saga.instruction import Instruction
from stratum_orchestrator.saga.journey import Journey
from stratum_orchestrator.saga.lending import Lender
from stratum_orchestrator.saga.pipeline import Pipeline
from stratum_orchestrator.saga.rehearsal import Places, filled, make
from stratum_orchestrator.saga.step import StepRunner
from stratum_orchestrator.saga.trial import CasesOf, StandIns, Trial
from stratum_state import canonical
from stratum_state.memory import MemoryStore
from stratum_state.model import PipelineRun, Trail, identity, run_id
from stratum_state.tracker import StateTracker

_NOBODY = "U" + "A" * 55
_FORMAT = "its format: docs/cases.md"


class NoPipeline(Stop):
    """There is no such pipeline, or the event does not open it."""

    def __init__(self, pipeline: str, known: tuple[str, ...], subject: str = "") -> None:
        opens = f"an event on {subject} with this data does not open {pipeline!r}"
        super().__init__(
            opens if subject else f"there is no pipeline {pipeline!r}",
            remedy=f"there are: {', '.join(known) or 'none'}",
            code=Exit.NOT_FOUND,
        )


class NoNode(Stop):
    """What is to fail does not run."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        remedy = f"there are: {', '.join(known)}"
        super().__init__(f"{name!r} is no node of this run", remedy=remedy, code=Exit.NOT_FOUND)


class NotStaged(Stop):
    """Something that a trial needs is not there."""

    def __init__(self, problems: tuple[str, ...], remedy: str, code: Exit) -> None:
        super().__init__("it cannot be tried: " + "; ".join(problems), remedy=remedy, code=code)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be tried, and how."""

    pipeline: str
    subject: str | None = None
    data: object = UNKNOWN
    fails: str | None = None
    rejects: str | None = None
    """The node about which people say no; they approve all others that they are asked about."""
    live: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What came of it."""

    run: Run
    raw: views.View
    stood_in: tuple[str, ...]
    """Nodes that were not really run."""


async def try_pipeline(face: Face, wanted: Wanted) -> Tried:
    """Carry the pipeline's run to its end; raises Stop when it cannot begin."""
    async with workspace(face) as place:
        generation = await graph_of(face, place)
        if wanted.pipeline not in generation.pipelines:
            raise NoPipeline(wanted.pipeline, generation.pipelines)
        with TemporaryDirectory(prefix="stratum-") as stage:
            return await _play(place, generation, wanted, Path(stage))


async def _play(place: Workspace, generation: Generation, wanted: Wanted, stage: Path) -> Tried:
    whole = generation.whole(wanted.pipeline)
    known = _cases(whole, place.content)
    opening = trial.opening(whole, known) or Case()
    settings = place.execution(stage)
    places = Places(
        fixture=stage / "fixture",
        data=settings.data / "pipelines" / wanted.pipeline,
        path=os.pathsep.join(settings.path),
    )
    data = filled(opening.event if wanted.data is UNKNOWN else wanted.data, places)
    plan, subject = _opened(generation, wanted, data)
    _check_named(plan, wanted)
    made = _staged(plan, known, wanted, places)
    runner = StandIns(_runner(place, settings), made.answers, {wanted.fails or ""})
    run = _run(plan, subject, data, generation.digest)
    trail = await _carry(place, stage, made.plan, run, runner, wanted)
    view = views.run(trail, made.plan)
    acted = {command.node for command in runner.stood_in}
    return Tried(run=msgspec.convert(view, Run), raw=view, stood_in=tuple(sorted(acted)))


def _opened(generation: Generation, wanted: Wanted, data: object) -> tuple[Plan, str]:
    whole = generation.whole(wanted.pipeline)
    triggers = [node for each in whole.nodes if (node := each.definition.node).trigger]
    subject = wanted.subject or trial.subject_of(triggers[0])
    plans = {plan.pipeline: plan for plan in generation.plans(subject, data)}
    if wanted.pipeline not in plans:
        raise NoPipeline(wanted.pipeline, generation.pipelines, subject)
    return plans[wanted.pipeline], subject


def _check_named(plan: Plan, wanted: Wanted) -> None:
    nodes = [each.definition.node for each in plan.nodes]
    names = tuple(each.name for each in nodes)
    if wanted.fails is not None and wanted.fails not in names:
        raise NoNode(wanted.fails, names)
    asking = tuple(each.name for each in nodes if each.question is not None)
    if wanted.rejects is not None and wanted.rejects not in asking:
        raise NoNode(wanted.rejects, asking)


def _staged(plan: Plan, known: CasesOf, wanted: Wanted, places: Places) -> Trial:
    made, problems = trial.stage(plan, known, live=wanted.live)
    if problems:
        remedy = f"say all its outputs in {cases.FILE}, as `answers` or below `expect`"
        raise NotStaged(problems, remedy, Exit.BAD_DEFINITIONS)
    if absent := trial.missing(made, places.path or ""):
        remedy = "install it, or name its folder in execution.path"
        raise NotStaged(tuple(f"needs `{x}`" for x in absent), remedy, Exit.UNAVAILABLE)
    answers = msgspec.convert(filled(made.answers, places), dict[str, dict[str, object]])
    make(places.fixture, made.fixture)
    make(places.data, made.data)
    return replace(made, answers=answers)


def _cases(plan: Plan, content: ContentStore) -> Mapping[str, tuple[Case, ...]]:
    """The cases that lie beside the definitions."""
    found = {}
    for each in plan.nodes:
        definition = each.definition
        try:
            found[definition.node.name] = cases.read(content.tree(definition.tree))
        except CaseError as error:
            place = Path(definition.file).parent / cases.FILE
            problem = f"{place}: {error.why}"
            raise NotStaged((problem,), _FORMAT, Exit.BAD_DEFINITIONS) from None
    return found


def _runner(place: Workspace, settings: ExecutionSettings) -> NushellRunner:
    try:
        return NushellRunner(settings, place.content.tree)
    except ExecutionError as error:
        raise Stop(str(error), code=Exit.UNAVAILABLE) from None


async def _carry(  # noqa: PLR0913, PLR0917 - its parts
    place: Workspace,
    stage: Path,
    plan: Plan,
    run: PipelineRun,
    runner: StandIns,
    wanted: Wanted,
) -> Trail:
    lent = lenders.Place(
        settings=place.settings.credentials,
        project=place.project,
        folder=stage / "vault",
        dev=not wanted.live,
    )
    store, clock, chance = MemoryStore(), WallClock(), SystemRandom()
    tracker = StateTracker(store)
    try:
        async with lenders.opening(lent) as broker:
            lender = Lender(broker, tracker, clock)
            pipeline = Pipeline(
                StepRunner(runner, tracker, clock, chance, lender=lender),
                Compensator(runner, tracker, clock, chance, lender=lender),
                tracker,
                clock,
                limit_s=place.settings.runs.limit,
            )
            await tracker.record(run)
            trail = Trail(run=run)
            while not trail.run.is_over:
                journey = pipeline.depart(trail, plan)
                await _answer(journey, wanted, clock)
                await pipeline.carry(journey)
                trail = await store.trail(run.id) or trail
    except BadProvider as bad:
        raise Stop(str(bad), code=Exit.CONFIG) from None
    return trail


async def _answer(journey: Journey, wanted: Wanted, clock: WallClock) -> None:
    """Say what people would to all that is asked now."""
    for question in journey.inquiry.open:
        no = question.node == wanted.rejects
        for number in range(1 if no else question.count):
            name = f"person-{number + 1}"
            told = Instruction(
                action="reject" if no else "approve",
                by=name,
                reason="a trial",
                at=clock.now_ms(),
                policies=("trial",),
                policy_set="trial",
                node=question.node,
                person=name,
                key=name,
            )
            await journey.answer(told)
        if no:
            return


def _run(plan: Plan, subject: str, data: object, generation: str) -> PipelineRun:
    now = WallClock().now_ms()
    key = identity(_NOBODY, f"test-{now}", plan.pipeline)
    return PipelineRun(
        id=run_id(now, key),
        identity=key,
        pipeline=plan.pipeline,
        subject=subject,
        event_id="test",
        event_time=now,
        publisher=_NOBODY,
        principal="test",
        data=canonical.text(data),
        plan=plan.digest,
        generation=generation,
        authorization="[]",
        accepted=now,
    )
