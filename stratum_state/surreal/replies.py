"""What SurrealDB answers, made into values or into errors that say what to do next.

SurrealError
├── Conflict     another transaction was in the way: send the same again
├── Stale        the lease row is not as we left it: somebody else has the lane, or it was sent
├── Refusal      the statement breaks a rule of the schema and always will
├── Broken       the engine cannot write to its disk: one of ours never will again
│   └── Ended        the process of the engine is gone
└── Lost         no answer, or a broken one: whether it was done is unknown
    └── Stranger     the server does not know who we are, any more: sign in again
"""

from collections.abc import Mapping, Sequence
from typing import cast

STALE = "stale lease"
_RULES = (
    "Found ",
    "Couldn't coerce ",
    "Database record ",
)  # and what follows is a row's own text
_AGAIN = ("can be retried", "transaction conflict", "resource busy")
_BROKEN = ("io error", "fsync failed", "no space left")
_STRANGER = ("iam error", "not enough permissions", "authentication", "session has expired")
_AWAY = ("problem with the underlying datastore", "timed out", "timeout", "shutting down")
_FOLLOW_UP = ("was not executed", "cannot commit")


class SurrealError(Exception):
    """A statement did not do what it should."""


class Conflict(SurrealError):
    """Another transaction was in the way."""


class Stale(SurrealError):
    """The lease row is not as we left it."""


class Refusal(SurrealError):
    """The statement breaks a rule of the schema."""


class Broken(SurrealError):
    """The engine cannot write to its disk."""


class Ended(Broken):
    """The process of the engine is gone."""

    def __init__(self) -> None:
        super().__init__("the process of the database engine has ended")


class Lost(SurrealError):
    """Whether it was done is unknown."""


class Stranger(Lost):
    """The server does not know who we are, any more."""


def results(reply: object) -> list[object]:
    """The results of all statements; the error behind the first failure when one failed."""
    statements = cast("Sequence[Mapping[str, object]]", result(reply))
    failed = [str(each["result"]) for each in statements if each["status"] != "OK"]
    if failed:
        raise _error(failed)
    return [each["result"] for each in statements]


def result(reply: object) -> object:
    """What was answered; the error that was answered instead."""
    if not isinstance(reply, dict):
        raise Lost(type(reply).__name__)
    error = reply.get("error")
    if error:
        said = error.get("message") if isinstance(error, dict) else error
        raise _error([str(said)])
    return reply.get("result")


def rows(result: object) -> list[dict[str, object]]:
    """The records of one result."""
    return cast("list[dict[str, object]]", result) if isinstance(result, list) else []


def _error(messages: Sequence[str]) -> SurrealError:
    # The cause may be on any statement; the others say only that they were not executed.
    everything = " ".join(messages).lower()
    cause = next(
        (each for each in messages if not any(mark in each.lower() for mark in _FOLLOW_UP)),
        messages[0],
    )
    if cause.startswith(_RULES):
        return Refusal(cause)
    for marks, kind in _KINDS:
        if any(mark in everything for mark in marks):
            return kind(cause)
    return Refusal(cause)


_KINDS: Sequence[tuple[Sequence[str], type[SurrealError]]] = (
    (_BROKEN, Broken),
    (_AGAIN, Conflict),
    ((STALE,), Stale),
    (_STRANGER, Stranger),
    (_AWAY, Lost),
)
