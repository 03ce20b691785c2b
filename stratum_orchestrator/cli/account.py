"""What became of an event: the verdicts and runs that a word may mean."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeVar

from stratum_orchestrator.cli.client import Daemon, Refusal
from stratum_orchestrator.cli.exits import Exit, Stop
from stratum_orchestrator.client.answers import Pipelines, Run, Verdict, Verdicts
from stratum_orchestrator.client.client import Query

T = TypeVar("T")
_PAGE = 200
_PAGES = 5
_SEQUENCE = re.compile(r"[0-9]{1,15}")
_HEX = re.compile(r"[0-9a-f]{1,25}")
_VERDICT = re.compile(r"[0-9]{25}")
_MOST = 10**12  # verdict ids end with this less the sequence, so that the newest sort first
_LISTED = 5


class Untold(Stop):
    """Nothing on record has to do with that word."""

    def __init__(self, word: str, newest: int | None) -> None:
        super().__init__(
            f"nothing is on record of {word[:80]!r}",
            remedy=_untold(word, newest),
            code=Exit.NOT_FOUND,
        )


class Unclear(Stop):
    """The word is the beginning of several event ids."""

    def __init__(self, word: str, ids: list[str]) -> None:
        more = ", …" if len(ids) > _LISTED else ""
        super().__init__(
            f"more than one event begins with {word}: {', '.join(ids[:_LISTED])}{more}",
            remedy="give more of it",
            code=Exit.USAGE,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One event's story: the verdict, None when it is not kept any more, and its runs."""

    verdict: Verdict | None
    runs: tuple[Run, ...]
    subjects: tuple[str, ...] = ()
    """What would open a pipeline, where the event opened none."""
    raw: object = None


def accounts(daemon: Daemon, word: str) -> list[Account]:
    """What the word means, newest first; Untold or Unclear when that is not to be said.

    It may be the event's id, its number in the stream, the verdict's id, the id of a run, or
    the beginning of an event's or a run's id: the first of these that there is.
    """
    for look in (_by_event, _by_sequence, _by_verdict, _by_run, _by_beginning):
        if found := look(daemon, word):
            return found
    newest, _ = daemon.ask("/api/v1/verdicts", Verdicts, {"limit": 1})
    raise Untold(word, newest.verdicts[0].sequence if newest.verdicts else None)


def _by_event(daemon: Daemon, word: str) -> list[Account]:
    return _matching(daemon, word, lambda each: each.event_id == word)


def _by_sequence(daemon: Daemon, word: str) -> list[Account]:
    if not _SEQUENCE.fullmatch(word):
        return []
    found = _maybe(daemon, f"/api/v1/verdicts/{word}", Verdict)
    return [_whole(daemon, *found)] if found else []


def _by_verdict(daemon: Daemon, word: str) -> list[Account]:
    if not _VERDICT.fullmatch(word):
        return []
    found = _by_sequence(daemon, str(_MOST - int(word[13:])))
    return [each for each in found if each.verdict and each.verdict.id == word]


def _by_run(daemon: Daemon, word: str) -> list[Account]:
    if not _HEX.fullmatch(word):
        return []
    found = _maybe(daemon, f"/api/v1/runs/{word}", Run)
    if found is None:
        return []
    run, raw = found
    told = _matching(daemon, run.event.id, lambda each: run.id in each.runs)
    return told or [Account(verdict=None, runs=(run,), raw={"verdict": None, "runs": [raw]})]


def _by_beginning(daemon: Daemon, word: str) -> list[Account]:
    found = _matching(daemon, word, lambda each: each.event_id.startswith(word))
    ids = {each.verdict.event_id for each in found if each.verdict}
    if len(ids) > 1:
        raise Unclear(word, sorted(ids))
    return found


def _matching(daemon: Daemon, text: str, is_meant: Callable[[Verdict], bool]) -> list[Account]:
    if not text.strip() or not text.isprintable() or len(text) > _PAGE:
        return []
    return [
        _whole(daemon, verdict, raw)
        for verdict, raw in _pages(daemon, text)
        if is_meant(verdict)
    ]


def _pages(daemon: Daemon, text: str) -> Iterator[tuple[Verdict, object]]:
    after: str | None = None
    for _ in range(_PAGES):
        query: Query = {"text": text, "limit": _PAGE, "after": after}
        page, raw = daemon.ask("/api/v1/verdicts", Verdicts, query)
        raws = raw["verdicts"] if isinstance(raw, dict) else []
        yield from zip(page.verdicts, raws, strict=True)
        after = page.next
        if after is None:
            return


def _whole(daemon: Daemon, verdict: Verdict, raw: object) -> Account:
    found = [_maybe(daemon, f"/api/v1/runs/{run_id}", Run) for run_id in verdict.runs]
    runs = [each for each in found if each is not None]
    subjects = _subjects(daemon) if verdict.kind == "no-pipeline" else []
    return Account(
        verdict=verdict,
        runs=tuple(run for run, _ in runs),
        subjects=tuple(subjects),
        raw={"verdict": raw, "runs": [each for _, each in runs], "subjects": subjects},
    )


def _subjects(daemon: Daemon) -> list[str]:
    found = _maybe(daemon, "/api/v1/pipelines", Pipelines)
    return sorted({x for each in (found[0].pipelines if found else ()) for x in each.subjects})


def _maybe(daemon: Daemon, path: str, shape: type[T]) -> tuple[T, object] | None:
    """The answer, or None when there is no such thing, or not yet."""
    try:
        return daemon.ask(path, shape)
    except Refusal as refusal:
        if refusal.status in {HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE}:
            return None
        raise


def _untold(word: str, newest: int | None) -> str:
    if newest is None:
        return "no event has had a verdict yet: was it published, and to this deployment?"
    if _SEQUENCE.fullmatch(word) and int(word) > newest:
        return f"the newest event with a verdict is #{newest}: it is not stored, or not judged"
    return (
        "it was never stored, is not judged yet, or its record is older than retention.age; "
        "`stratum verdicts` lists what is on record"
    )
