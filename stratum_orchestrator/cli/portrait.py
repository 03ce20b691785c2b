"""A run as a picture in text: its stages, what came back, and how it ended."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from stratum_orchestrator.cli.ink import Line, Span, compact
from stratum_orchestrator.cli.marks import mark, sign, word
from stratum_orchestrator.cli.moment import between, spent
from stratum_orchestrator.cli.rail import rail
from stratum_orchestrator.client.answers import (
    Attention,
    Checkpoint,
    Failure,
    Run,
    Step,
    Undo,
    Used,
)

_WORD = len("not reached") + 2
_TIME = len("59m 59s") + 2
_TAIL = 6  # lines of a failed attempt's log
_MIB = 1 << 20
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_FRAMES_A_SECOND = 10

Attempt = TypeVar("Attempt", Step, Undo)


@dataclass(frozen=True, slots=True, kw_only=True)
class Painter:
    """Draws runs for one moment and one kind of screen."""

    now: datetime
    unicode: bool = True
    moving: bool = False
    """Whether the picture is drawn again and again."""

    def run(self, run: Run) -> list[Line]:
        """The whole picture: head, stages, compensations, verdict."""
        lines = [*self._head(run), [], *self._stages(run)]
        if run.compensations or run.status == "compensating":
            back = "↩ " if self.unicode else "< "
            lines += [[], [Span(f"  {back}undone, last stage first", "undo")]]
            lines += self._undone(run)
        if run.checkpoints:
            lines += [[], [Span("  asked before they begin", "dim")], *self._asked(run)]
        if run.credentials:
            lines += [[], [Span("  lent, and taken back", "dim")], *self._lent(run)]
        if run.is_over:
            lines += [[], self.verdict(run)]
        return [*lines, [], *needs(run.attention)] if run.attention else lines

    def verdict(self, run: Run) -> Line:
        """One line: how it stands or ended, how long that took, and why."""
        how = "partial" if run.compensation == "partial" else run.status
        style = mark(how).style
        took = spent(between(run.accepted, run.ended, self.now))
        quality = f" {run.compensation}" if run.compensation else ""
        quality += ", the rest waived" if run.waived else ""
        line = [
            sign(how, unicode=self.unicode),
            Span(f" {run.status}{quality}", style),
            Span(f" in {took}" if run.is_over else f" for {took}"),
        ]
        return [*line, Span(": "), Span(run.cause)] if run.cause else line

    def _head(self, run: Run) -> Iterator[Line]:
        took = spent(between(run.accepted, run.ended, self.now))
        yield [
            self._sign(run.status),
            Span(" "),
            Span(run.pipeline, "strong"),
            Span("  "),
            word(run.status),
            Span(f"  {took}", "dim"),
        ]
        yield [Span("  run    ", "dim"), Span(run.id)]
        yield [
            Span("  event  ", "dim"),
            Span(run.subject),
            Span("  by ", "dim"),
            Span(run.event.principal),
            Span(f"  {run.event.id}", "dim"),
        ]
        yield [Span("  plan   ", "dim"), Span(run.plan, "dim")]

    def _stages(self, run: Run) -> Iterator[Line]:
        latest = _latest(run.steps)
        columns = _name_columns(run)
        asked = {each.node for each in run.checkpoints if each.status == "open"}
        for number, stage in enumerate(run.stages):
            for at, node in enumerate(stage):
                step = latest.get((number, node))
                rail = self._rail(number, at, len(stage))
                if step is None:
                    status = "not reached" if run.is_over or run.cause else "waiting"
                    status = "asked" if node in asked else status
                    yield [*rail, *self._named(node, status, columns)]
                else:
                    yield [*rail, *self._attempted(step, columns), *_gave(step)]
                    yield from self._log(step)

    def _undone(self, run: Run) -> Iterator[Line]:
        columns = _name_columns(run)
        by_stage: dict[int, list[Undo]] = {}
        for undo in _latest(run.compensations).values():
            by_stage.setdefault(undo.stage, []).append(undo)
        for number in sorted(by_stage, reverse=True):
            for at, undo in enumerate(by_stage[number]):
                rail = self._rail(number, at, len(by_stage[number]))
                yield [*rail, *self._attempted(undo, columns), *_undid(undo)]
                yield from self._log(undo)

    def _asked(self, run: Run) -> Iterator[Line]:
        columns = _name_columns(run)
        for each in run.checkpoints:
            yield [
                Span("  "),
                self._sign(each.status),
                Span(f" {each.node:<{columns}}  "),
                word(each.status, _WORD),
                Span(asked(each, self.now), "dim"),
            ]
            for answer in each.answers:
                said = f": {answer.reason}" if answer.reason else ""
                yield [Span("       "), word(answer.status), Span(f" by {answer.person}{said}")]

    def _lent(self, run: Run) -> Iterator[Line]:
        columns = _name_columns(run)
        for each in run.credentials:
            who = f"{'undo ' if each.purpose == 'undo' else ''}{each.node}"
            rest = (
                ", ".join(each.names),
                each.policy or each.provider,
                f"accessor {each.accessor}" if each.accessor else "",
                each.detail or "",
            )
            took = spent(between(each.issued, each.ended, self.now)) if each.issued else ""
            yield [
                Span("  "),
                self._sign(each.status),
                Span(f" {who:<{columns + len('undo ')}}  "),
                word(each.status, _WORD),
                Span(f"{took:>{_TIME}}  ", "dim"),
                Span("  ".join(filter(None, rest)), "dim"),
            ]

    def _attempted(self, attempt: Step | Undo, columns: int) -> Line:
        took = between(attempt.started, attempt.ended, self.now)
        return [
            *self._named(attempt.node, attempt.status, columns),
            Span(f"{spent(took if attempt.ended else self._so_far(took)):>{_TIME}}  ", "dim"),
            Span(_used(attempt.resources), "dim"),
            Span(f"attempt {attempt.attempt}  " if attempt.attempt > 1 else "", "warn"),
        ]

    def _named(self, node: str, status: str, columns: int) -> Line:
        return [
            self._sign(status),
            Span(f" {node:<{columns}}  "),
            word(status, _WORD),
        ]

    def _rail(self, stage: int, at: int, of: int) -> Line:
        return [Span(f"  {rail(stage, at, of, unicode=self.unicode)} ", "dim")]

    def _log(self, attempt: Step | Undo) -> Iterator[Line]:
        if attempt.error is None or not attempt.stderr:
            return
        bar = "│" if self.unicode else "|"
        for text in [x for x in attempt.stderr.splitlines() if x.strip()][-_TAIL:]:
            yield [Span(f"       {bar} {text}", "dim")]

    def _sign(self, status: str) -> Span:
        if self.moving and self.unicode and status in {"started", "running", "compensating"}:
            frame = int(self.now.timestamp() * _FRAMES_A_SECOND) % len(_SPINNER)
            return Span(_SPINNER[frame], mark(status).style)
        return sign(status, unicode=self.unicode)

    def _so_far(self, took: timedelta | None) -> timedelta | None:
        return took if self.moving else None


def needs(attention: Attention) -> list[Line]:
    """Why a run needs a person, and the commands that help."""
    why = [Span("  needs a person  ", "warn"), Span(f"{attention.code}: {attention.reason}")]
    return [why, *([Span(f"    {command}", "dim")] for command in attention.commands)]


def asked(question: Checkpoint, now: datetime) -> str:
    """Who is asked, how many have to agree, and until when."""
    number = f"{question.count} of " if question.count > 1 else ""
    told = f"{number}{' or '.join(question.groups)}"
    if question.status != "open":
        return f"{told}  {question.detail}" if question.detail else told
    left = spent(between(now.isoformat(), question.deadline, now))
    return f"{told}, {left} left, then: {question.on_timeout}"


def summary(outputs: Mapping[str, object] | None) -> str:
    """What a step gave, as `name=value` pairs."""
    told = (outputs or {}).items()
    return "  ".join(f"{name}={compact(value)}" for name, value in told)


def undid(undo: Undo) -> str:
    """What became of an undoing, or who waived it."""
    if undo.instruction is not None:
        return f"waived by {undo.instruction.by}: {undo.instruction.reason}"
    return complaint(undo.error) if undo.error else ""


def complaint(error: Failure) -> str:
    """Why an attempt failed, in the words of whoever ended it."""
    return error.message or error.error_class or "failed"


def _used(used: Used | None) -> str:
    if used is None:
        return ""
    memory = f"  {round(used.max_rss / _MIB)} MiB" if used.max_rss else ""
    return f"cpu {used.cpu_ms / 1000:.2f}s{memory}  "


def _gave(step: Step) -> Line:
    if step.error is not None:
        return [Span(complaint(step.error), "bad")]
    return [Span(summary(step.outputs), "dim")]


def _undid(undo: Undo) -> Line:
    if undo.instruction is not None:
        return [Span(undid(undo), "warn")]
    if undo.error is not None:
        return [Span(complaint(undo.error), "bad")]
    return [Span(f"had {undo.outcome}", "dim")] if undo.outcome != "succeeded" else []


def _latest(attempts: Sequence[Attempt]) -> dict[tuple[int, str], Attempt]:
    latest: dict[tuple[int, str], Attempt] = {}
    for each in attempts:
        known = latest.get((each.stage, each.node))
        if known is None or known.attempt <= each.attempt:
            latest[each.stage, each.node] = each
    return latest


def _name_columns(run: Run) -> int:
    return max((len(node) for stage in run.stages for node in stage), default=0)
