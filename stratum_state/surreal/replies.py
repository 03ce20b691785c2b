"""What SurrealDB answers, made into values or into errors that say what to do next.

SurrealError
├── Conflict     another transaction was in the way: send the same again
├── Stale        the lease row is not as we left it: somebody else has the lane, or it was sent
├── Refusal      the statement breaks a rule of the schema and always will
├── Broken       the engine cannot write to its disk, and will not until it is opened anew
└── Lost         no answer, or a broken one: whether it was done is unknown
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


class Lost(SurrealError):
    """Whether it was done is unknown."""


def results(reply: object) -> list[object]:
    """The results of all statements; the error behind the first failure when one failed."""
    if not isinstance(reply, dict):
        raise Lost(type(reply).__name__)
    if reply.get("error"):
        raise _error([str(reply["error"])])
    statements = cast("Sequence[Mapping[str, object]]", reply["result"])
    failed = [str(each["result"]) for each in statements if each["status"] != "OK"]
    if failed:
        raise _error(failed)
    return [each["result"] for each in statements]


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
    if any(mark in everything for mark in _BROKEN):
        return Broken(cause)
    if any(mark in everything for mark in _AGAIN):
        return Conflict(cause)
    return Stale(cause) if STALE in everything else Refusal(cause)
