"""A node's scripts played by the cases beside it: really run, but for no real event."""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from stratum_graph.model import Definition, PlannedNode
from stratum_orchestrator.errors import BadReference
from stratum_orchestrator.ports import Command, Ended, Failure, Runner
from stratum_orchestrator.saga import command
from stratum_orchestrator.saga.case import Case, Text, Trace
from stratum_orchestrator.saga.command import Undoing
from stratum_orchestrator.saga.context import RunContext
from stratum_orchestrator.saga.step import misfits
from stratum_state import canonical
from stratum_state.model import PipelineRun

PIPELINE = "rehearsal"
"""The pipeline as which nodes are played: it says where `$STRATUM_DATA` is."""
_LONG_AGO = (
    1_767_225_600_000  # 2026-01-01, so that scripts that use the event's time are repeatable
)
_NOBODY = "U" + "A" * 55
_SHOWN = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where a case is played. Both folders have to be fresh ones."""

    fixture: Path
    data: Path
    """What the runner gives to the pipeline `rehearsal` as `$STRATUM_DATA`."""
    path: str | None = None
    """The runner's PATH, where required programs are looked for; None means our own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """What came of a case; without problems it held."""

    case: str
    problems: tuple[str, ...] = ()
    skipped: str = ""
    """Why it was not played."""
    ended: tuple[Ended, ...] = ()
    """How each of its steps ended."""


async def rehearse(
    definition: Definition, case: Case, runner: Runner, places: Places
) -> CaseResult:
    """Play a case in its places and compare what came of it with what it expects."""
    missing = [each for each in case.requires if not shutil.which(each, path=places.path)]
    if missing:
        return CaseResult(case=case.name, skipped=f"needs `{'`, `'.join(missing)}` on PATH")
    make(places.fixture, case.fixture)
    make(places.data, case.data)
    case = msgspec.convert(filled(msgspec.to_builtins(case), places), Case)
    context = _context(case)
    node = definition.node
    given = {"event": context.data, **context.inputs(node)}
    if problems := misfits(node.input_schemas, given):
        return CaseResult(case=case.name, problems=(f"what is given does not fit: {problems}",))
    if strange := set(case.secrets) - {each.env for each in node.credentials}:
        why = f"`secrets` has `{min(strange)}`, which is no credential of the node"
        return CaseResult(case=case.name, problems=(why,))
    ended = await _play(definition, case, context, runner)
    return CaseResult(
        case=case.name, problems=tuple(_problems(case, ended, places)), ended=tuple(ended)
    )


async def _play(
    definition: Definition, case: Case, context: RunContext, runner: Runner
) -> list[Ended]:
    planned = PlannedNode(definition=definition, stage=0, triggered=True)
    ended: list[Ended] = []
    last: Ended | None = None
    secrets = _secrets(definition, case)
    for attempt, step in enumerate(case.steps, start=1):
        try:
            if step == "run":
                played = await runner.run(_lent(command.do(planned, context, attempt), secrets))
                last = played = _checked(definition, played)
            else:
                process = command.undo(planned, context, attempt, _undoing(case, last))
                played = await runner.run(_lent(process, secrets))
        except (BadReference, ValueError) as error:  # ValueError: nothing undoes this node
            failure = Failure(error_class="bad-input", message=str(error))
            played = Ended(outputs=None, failure=failure)
        ended.append(played)
    return ended


def _secrets(definition: Definition, case: Case) -> Mapping[str, str]:
    """What stands for the node's credentials."""
    declared = definition.node.credentials
    return {each.env: case.secrets.get(each.env, f"rehearsed-{each.name}") for each in declared}


def _lent(process: Command, secrets: Mapping[str, str]) -> Command:
    return replace(process, secrets=secrets)


def _undoing(case: Case, last: Ended | None) -> Undoing:
    truth = "interrupted" if last is None else "failed" if last.failure else "succeeded"
    outcome = case.outcome or truth
    outputs = last.outputs if last and outcome == "succeeded" else None
    return Undoing(outputs=outputs, outcome=outcome, cause="a rehearsal")


def _checked(definition: Definition, ended: Ended) -> Ended:
    """The end of a handler, failed when it gave what its node does not declare."""
    if ended.outputs is None:
        return ended
    node = definition.node
    problems = misfits(node.output_schemas, ended.outputs)
    if set(ended.outputs) != set(node.produces):
        said = ", ".join(sorted(ended.outputs)) or "nothing"
        problems = (
            f"it produces {', '.join(sorted(node.produces)) or 'nothing'}, but gave {said}"
        )
    if not problems:
        return ended
    failure = Failure(error_class="bad-output", message=f"its output does not fit: {problems}")
    return Ended(outputs=None, failure=failure, stderr=ended.stderr, level=ended.level)


def _problems(case: Case, ended: list[Ended], places: Places) -> Iterator[str]:
    yield from _failures(case, ended)
    if case.expect.outputs is not None:
        runs = [each for each, step in zip(ended, case.steps, strict=True) if step == "run"]
        outputs = runs[-1].outputs if runs else None
        yield from differences(case.expect.outputs, outputs, "outputs")
    for path, trace in case.expect.data.items():
        yield from _trace(places.data / path, trace, f"$STRATUM_DATA/{path}")
    for path, trace in case.expect.fixture.items():
        yield from _trace(places.fixture / path, trace, path)


def _failures(case: Case, ended: list[Ended]) -> Iterator[str]:
    said = [f"{each.failure.message}\n{each.stderr}" for each in ended if each.failure]
    wanted = case.expect.failure
    if wanted is None:
        failed = [(n, each) for n, each in enumerate(ended, start=1) if each.failure]
        for n, each in failed:
            message = each.failure.message if each.failure else ""
            yield f"step {n} (`{case.steps[n - 1]}`) failed: {message}\n{each.stderr[-_SHOWN:]}"
    elif not said:
        yield f"no step failed; one should, with `{wanted}`"
    elif not any(wanted in each for each in said):
        yield f"`{wanted}` is in no failure; there is: {said[-1][:_SHOWN]}"


def _trace(path: Path, trace: Trace, name: str) -> Iterator[str]:
    exists = path.exists()
    if not exists or trace is False:
        if exists is not bool(trace is not False):
            yield f"{name} {'exists' if exists else 'does not exist'}"
    elif isinstance(trace, str):
        if trace not in (text := path.read_text()):
            yield f"{name} does not contain `{trace}`; it is: {text[:_SHOWN]}"
    elif isinstance(trace, tuple):
        lines = [msgspec.json.decode(line) for line in path.read_text().splitlines()]
        yield from differences(list(trace), lines, name)


def differences(expected: object, given: object, place: str) -> Iterator[str]:
    """Where what is given lacks what is expected: objects may have more members, not lists."""
    match expected, given:
        case Mapping(), Mapping():
            for key, value in expected.items():
                yield from differences(value, given.get(key), f"{place}.{key}")
        case list(), list() if len(expected) == len(given):
            for n, (value, found) in enumerate(zip(expected, given, strict=True)):
                yield from differences(value, found, f"{place}[{n}]")
        case _ if expected != given:
            yield f"{place} is {canonical.text(given)}, not {canonical.text(expected)}"


def make(folder: Path, files: Mapping[str, Text]) -> None:
    """Write files below a folder; ValueError when one would lie outside."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        path = (folder / name).resolve()
        if not path.is_relative_to(folder.resolve()):
            message = f"`{name}` lies outside the folder of the case"
            raise ValueError(message)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text if isinstance(text, str) else "".join(f"{x}\n" for x in text))


def filled(value: object, places: Places) -> object:
    """Return the value with its placeholders replaced, however deep they are."""
    match value:
        case str():
            return value.replace("{{fixture}}", str(places.fixture))
        case Mapping():
            return {key: filled(each, places) for key, each in value.items()}
        case list() | tuple():
            return [filled(each, places) for each in value]
        case _:
            return value


def _context(case: Case) -> RunContext:
    data = canonical.text(case.event)
    run = PipelineRun(
        id=case.run,
        identity="0" * 64,
        pipeline=PIPELINE,
        subject=case.subject,
        event_id="rehearsal",
        event_time=_LONG_AGO,
        publisher=_NOBODY,
        principal="nobody",
        data=data,
        plan="",
        generation="",
        authorization="[]",
        accepted=_LONG_AGO,
    )
    return RunContext(run=run, data=case.event, values=case.inputs)
