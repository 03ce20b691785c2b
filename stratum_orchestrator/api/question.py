"""What a request asks for, read strictly: an unknown or malformed parameter is an error."""

import re
from collections.abc import Mapping, Set as AbstractSet
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TypeVar

from stratum_orchestrator.api.problem import Problem
from stratum_state.decision import Answer
from stratum_state.model import RunStatus, VerdictKind
from stratum_state.store import DecisionFilter, RunFilter, VerdictFilter

MAX_PAGE = 200
DEFAULT_PAGE = 50
MAX_WAIT_S = 60.0
_RUN_ID = re.compile(r"[0-9a-f]{1,25}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_CURSOR = re.compile(r"[0-9a-f]{1,64}")
RUN_FILTERS = frozenset({"status", "pipeline", "publisher", "since", "until", "text", "live"})
MAX_SEARCH = 200
_MAX_DIGITS = 15  # stream sequences and change numbers stay within 2^53


Word = TypeVar("Word", RunStatus, VerdictKind, Answer)


class BadParameter(Problem):
    """A parameter that is unknown here, or has a value that it cannot have."""

    def __init__(self, name: str, expected: str) -> None:
        super().__init__(
            HTTPStatus.BAD_REQUEST,
            "bad-parameter",
            f"parameter {name!r} is unknown here or its value cannot be used",
            f"expected: {expected}",
        )


class Question:
    """The parameters of one request."""

    def __init__(self, given: Mapping[str, str], known: AbstractSet[str]) -> None:
        unknown = sorted(set(given) - known)
        if unknown:
            raise BadParameter(unknown[0], f"{', '.join(sorted(known)) or 'none'}")
        self._given = given

    def has(self, name: str) -> bool:
        return name in self._given

    def text(self, name: str) -> str | None:
        return self._given.get(name) or None

    def runs(self) -> RunFilter:
        """Which runs are asked for."""
        return RunFilter(
            status=self._word("status", RunStatus),
            pipeline=self.text("pipeline"),
            publisher=self.text("publisher"),
            since=self._moment("since"),
            until=self._moment("until"),
            text=self._search(),
            live=self._flag("live"),
        )

    def verdicts(self) -> VerdictFilter:
        """Which verdicts are asked for."""
        return VerdictFilter(kind=self._word("kind", VerdictKind), text=self._search())

    def decisions(self) -> DecisionFilter:
        """Which decisions are asked for."""
        return DecisionFilter(
            kind=self._word("answer", Answer),
            principal=self.text("principal"),
            action=self.text("action"),
        )

    def only_attention(self) -> None:
        """BadParameter unless it asks for the runs that need a person, and no other filter."""
        if self._given.get("attention") != "true":
            raise BadParameter("attention", "true")
        for name in self._given:
            if name not in {"attention", "after", "limit"}:
                raise BadParameter(name, "no further filter beside attention")

    def after(self) -> str | None:
        given = self.text("after")
        if given is not None and not _CURSOR.fullmatch(given):
            raise BadParameter("after", "the 'next' of the page before")
        return given

    def limit(self) -> int:
        given = self.text("limit")
        limit = DEFAULT_PAGE if given is None else whole(given, "limit")
        if not 1 <= limit <= MAX_PAGE:
            raise BadParameter("limit", f"1 to {MAX_PAGE}")
        return limit

    def digest(self, name: str) -> str:
        """A digest that has to be there."""
        given = self._given.get(name, "")
        if not _DIGEST.fullmatch(given):
            raise BadParameter(name, "sha256: and 64 hex digits")
        return given

    def seen(self) -> int | None:
        given = self.text("seen")
        return None if given is None else whole(given, "seen")

    def _word(self, name: str, words: type[Word]) -> Word | None:
        given = self.text(name)
        if given is None:
            return None
        try:
            return words(given)
        except ValueError:
            expected = ", ".join(each.value for each in words)
            raise BadParameter(name, f"one of {expected}") from None

    def _moment(self, name: str) -> int | None:
        """Unix milliseconds of an ISO 8601 time; without an offset it is UTC."""
        given = self.text(name)
        if given is None:
            return None
        try:
            moment = datetime.fromisoformat(given)
        except ValueError:
            raise BadParameter(name, "a time such as 2026-01-31T12:34:56Z") from None
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)

    def _search(self) -> str | None:
        given = self.text("text")
        if given is not None and (len(given) > MAX_SEARCH or not given.isprintable()):
            raise BadParameter("text", f"at most {MAX_SEARCH} printable characters")
        return given

    def _flag(self, name: str) -> bool:
        given = self.text(name)
        if given not in {None, "true", "false"}:
            raise BadParameter(name, "true or false")
        return given == "true"

    def wait_s(self) -> float:
        given = self.text("wait")
        try:
            wait = 0.0 if given is None else float(given)
        except ValueError:
            wait = -1.0
        if not 0 <= wait <= MAX_WAIT_S:  # NaN fails this too
            raise BadParameter("wait", f"seconds, 0 to {MAX_WAIT_S:.0f}")
        return wait


def run_prefix(given: str) -> str:
    """The beginning of a run's id as it stands in a path; a Problem when it cannot be one."""
    if not _RUN_ID.fullmatch(given):
        raise Problem(
            HTTPStatus.NOT_FOUND,
            "unknown-run",
            "that is not a run's id",
            "ids are 25 hex digits, or a unique beginning; GET /api/v1/runs lists them",
        )
    return given


def whole(given: str, name: str) -> int:
    """A whole number of at most 15 digits; a Problem when it is none."""
    if not given.isascii() or not given.isdecimal() or len(given) > _MAX_DIGITS:
        raise BadParameter(name, "a whole number")
    return int(given)
