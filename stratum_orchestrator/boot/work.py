"""The step `recovery`: the saga put together, and what is not over taken up again."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from random import SystemRandom

import anyio
import anyio.to_thread
import msgspec

from platform_nats import control, notices
from platform_nats.credit import Credit
from stratum_graph.definitions import furnishing
from stratum_graph.definitions.attic import Attic
from stratum_graph.model import Plan, Principal
from stratum_orchestrator.boot.broker import Broker
from stratum_orchestrator.boot.definitions import InForce
from stratum_orchestrator.boot.frame import Frame
from stratum_orchestrator.boot.heralding import send_herald
from stratum_orchestrator.boot.records import Records
from stratum_orchestrator.boot.tracing import Traces, trace
from stratum_orchestrator.boot.workshop import Workshop
from stratum_orchestrator.knowledge import SERVICES
from stratum_orchestrator.ports import Runner
from stratum_orchestrator.retention import Backlog, Content, Retention, slim
from stratum_orchestrator.saga.compensation import Compensator
from stratum_orchestrator.saga.deadlines import Deadlines
from stratum_orchestrator.saga.herald import Herald
from stratum_orchestrator.saga.lending import Lender
from stratum_orchestrator.saga.live import LiveRuns, live_runs
from stratum_orchestrator.saga.operations import Operations
from stratum_orchestrator.saga.pipeline import Pipeline
from stratum_orchestrator.saga.plans import Plans
from stratum_orchestrator.saga.recovery import resume
from stratum_orchestrator.saga.restraint import Restraint, state
from stratum_orchestrator.saga.sequel import heard
from stratum_orchestrator.saga.step import StepRunner
from stratum_orchestrator.saga.takeover import Takeover
from stratum_orchestrator.telemetry.tracing import Traced
from stratum_state.model import PipelineRun

_RUNS_PER_PROCESS = 4
_USES_S = 3600.0  # between two notes that what is in force is in use
_CROWDED_S = 60.0  # between two looks at whether the stream is nearly full
_WASTED_S = 60.0  # between two looks at whether the store is to be compacted
_TAKEOVERS = 1.5  # that long a command waits for a run whose instance may be gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The runs under way, and what operators may do with them."""

    plans: Plans
    live: LiveRuns
    credit: Credit
    """How many more events may be taken in."""
    operations: Operations
    restraint: Restraint


async def take_up_work(  # noqa: PLR0913, PLR0917 - what the earlier steps made
    frame: Frame,
    records: Records,
    broker: Broker,
    workshop: Workshop,
    in_force: InForce,
    lender: Lender,
) -> Work:
    """Carry on every run that is not over, and watch for those of others that are gone."""
    runs, tracker = frame.settings.runs, records.tracker
    capacity = runs.capacity or _RUNS_PER_PROCESS * workshop.parallel
    plans, credit = Plans(workshop.content, partial(_plans_again, in_force)), Credit(capacity)
    traces = await trace(frame, records)
    herald = await send_herald(frame, records, broker, traces)
    opening = live_runs(
        _pipeline(frame, records, _traced(workshop, traces), lender, in_force),
        plans,
        credit,
        capacity=capacity,
        grace_s=runs.grace,
        standings=records.standings,
    )
    live = await frame.stack.enter_async_context(opening)

    def taken(runs: int) -> None:
        frame.metrics.taken_over(runs)
        lender.revocations.look_again()
        herald.look_again()

    takeover = Takeover(
        records.store,
        tracker,
        live,
        runs.takeover,
        told=taken,
        passed=frame.points.passed,
    )
    await resume(tracker, live, frame.points.passed)
    frame.metrics.recovered(len(live))
    await frame.beside(takeover.watch)
    voice = control.Voice(
        key=frame.key,
        audience=frame.settings.nats.audience,
        trusted=lambda: _instances(in_force, frame.clock.now_ms()),
        now_ms=frame.clock.now_ms,
    )
    operations = Operations(
        operator=Principal(
            key=broker.connection.key.public,
            name="operator",
            groups=("operators", "admins"),
        ),
        rules=lambda: in_force.rules,
        rulings=records.rulings,
        tracker=tracker,
        live=live,
        clock=frame.clock,
        custody=takeover,
        elsewhere=partial(control.ask, broker.connection, voice),
        patience_s=_TAKEOVERS * runs.takeover,
        turn=herald.turn,
    )
    await _ask_people(frame, herald, operations)
    await _keep_house(frame, records, workshop, in_force, plans, broker)
    serving = partial(control.serve, broker.connection, voice, operations.overhear)
    await frame.beside(serving)
    frame.health.watch("runs", lambda: (True, _number_of(live)))
    restraint = Restraint(
        operator=operations.operator,
        rules=operations.rules,
        rulings=records.rulings,
        tracker=tracker,
        live=live,
        clock=frame.clock,
        tell=partial(notices.tell, broker.connection, subject=notices.STANDING),
        turn=herald.turn,
    )
    await _restrain(frame, broker, restraint)
    return Work(
        plans=plans, live=live, credit=credit, operations=operations, restraint=restraint
    )


async def _ask_people(frame: Frame, herald: Herald, operations: Operations) -> None:
    """Tell people what runs ask, and close what nobody answers in time."""
    herald.heard = operations.live.heard
    deadlines = Deadlines(
        tracker=operations.tracker,
        live=operations.live,
        clock=frame.clock,
        custody=operations.custody,
        turn=operations.turn,
    )
    await frame.beside(deadlines.watch)


async def _restrain(frame: Frame, broker: Broker, restraint: Restraint) -> None:
    """Let runs go when their pipelines are not held back any more, by whichever instance."""
    listening = partial(notices.listen, broker.connection, restraint.follow, notices.STANDING)
    await frame.beside(listening)
    await frame.beside(restraint.release)
    standings = restraint.standings
    frame.health.watch(
        "pipelines",
        lambda: (True, state(standings.held, restraint.waiting) or "none is held back"),
        lambda: bool(standings.held),
    )


async def _keep_house(  # noqa: PLR0913, PLR0917 - what the earlier steps made
    frame: Frame,
    records: Records,
    workshop: Workshop,
    in_force: InForce,
    plans: Plans,
    broker: Broker,
) -> None:
    """Forget what is old, and tell other instances which content is in use here."""

    def trees() -> Collection[str]:
        used = (*in_force.rules.generation.definitions, *in_force.editions.definitions)
        return {each.tree for each in used} | furnishing.kept(used)

    async def use() -> None:
        while True:
            await anyio.to_thread.run_sync(lambda: [*map(workshop.content.keeps, trees())])
            await anyio.sleep(_USES_S)

    await frame.beside(use)
    kept = frame.settings.retention
    await frame.beside(partial(slim, records.store, kept.waste, min(kept.every, _WASTED_S)))
    known_s = frame.settings.nats.duplicate_window
    age_s = max(kept.age, known_s) if kept.age else 0
    backlog = Backlog(stream=broker.reach, clock=frame.clock, age_s=age_s)
    await frame.beside(partial(backlog.watch, min(kept.every, _CROWDED_S)))
    if kept.age:
        content = Content(
            disused=Attic(workshop.content),
            store=records.store,
            trees_of=plans.trees,
            in_force=trees,
        )
        retention = Retention(records.store, frame.clock, kept.age, backlog)
        await frame.beside(partial(retention.watch, kept.every, content))


def _number_of(live: LiveRuns) -> str:
    waiting = f", {len(live.recess)} wait for people" if len(live.recess) else ""
    return f"{len(live)} under way{waiting}"


def _traced(workshop: Workshop, traces: Traces) -> Runner:
    return Traced(workshop.runner, traces.told, is_recorded=traces.is_recorded)


def _pipeline(
    frame: Frame, records: Records, runner: Runner, lender: Lender, in_force: InForce
) -> Pipeline:
    tracker, clock = records.tracker, frame.clock
    chance, passed = SystemRandom(), frame.points.passed
    return Pipeline(
        StepRunner(runner, tracker, clock, chance, passed, lender=lender),
        Compensator(runner, tracker, clock, chance, lender=lender),
        tracker,
        clock,
        limit_s=frame.settings.runs.limit,
        passed=passed,
        lapsed=lambda run: in_force.rules.lapsed(run, clock.now_ms()),
        sequel=heard(
            lambda: in_force.rules.generation,
            frame.settings.nats.subjects,
            always=frame.settings.runs.publish == "always",
        ),
    )


def _instances(in_force: InForce, now_ms: int) -> Collection[str]:
    """The keys of daemons by the principals in force."""
    return [
        key
        for key, each in in_force.rules.principals.items()
        if SERVICES in each.groups and each.active and not each.fault_of(key, now_ms)
    ]


def _plans_again(in_force: InForce, run: PipelineRun) -> Sequence[Plan]:
    """The plans of the run's event by what is in force now, or was named lately."""
    data = msgspec.json.decode(run.data)
    graphs = (in_force.rules.generation, *in_force.editions.generations)
    return [plan for each in graphs for plan in each.plans(run.subject, data)]
