"""The audit of a run: a chain of lines, each of which holds the hash of the one before.

A line is canonical JSON text `{run, n, at, kind, prev, …facts}`; its hash is the sha256 of
that text. Bulk payloads appear as their sha256. Nothing here reads or writes anything.
"""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

from stratum_state import canonical
from stratum_state.errors import BrokenChain
from stratum_state.model import JournalLine

ORIGIN = "0" * 64
UNREADABLE = "a line that cannot be read"

_BULK = frozenset({"data", "outputs", "error", "stderr"})
_SAID_BY_THE_LINE = frozenset({"run", "id", "status", "kind"})


class Head(NamedTuple):
    """The end of a chain: the number and the hash of its last line."""

    n: int = 0
    hash: str = ORIGIN


EMPTY = Head()


class Entry(NamedTuple):
    """What a line tells: in which chain, when, what happened, with which facts."""

    chain: str
    at: int
    kind: str
    facts: Mapping[str, object]


def line(entry: Entry, head: Head) -> JournalLine:
    """The chain's next line behind `head`."""
    said = {
        name: canonical.digest(value) if name in _BULK and isinstance(value, str) else value
        for name, value in entry.facts.items()
        if name not in _SAID_BY_THE_LINE
    }
    n = head.n + 1
    said |= {
        "run": entry.chain,
        "n": n,
        "at": entry.at,
        "kind": entry.kind,
        "prev": head.hash,
    }
    body = canonical.text(said)
    return JournalLine(
        run=entry.chain,
        n=n,
        at=entry.at,
        kind=entry.kind,
        body=body,
        hash=sha256(body.encode()).hexdigest(),
    )


def read(body: str) -> JournalLine:
    """The line whose text is `body`; BrokenChain when it is none."""
    try:
        said = json.loads(body)
        return JournalLine(
            run=said["run"],
            n=said["n"],
            at=said["at"],
            kind=said["kind"],
            body=body,
            hash=sha256(body.encode()).hexdigest(),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise BrokenChain(UNREADABLE, 0, repr(error)) from error


def verify(lines: Sequence[JournalLine]) -> None:
    """Return when the lines are one whole chain from its origin; else BrokenChain."""
    head = EMPTY
    for each in lines:
        chain = lines[0].run
        true = read(each.body)
        if true != each:
            raise BrokenChain(chain, head.n + 1, "its text is not what was recorded")
        if each.run != chain:
            raise BrokenChain(chain, head.n + 1, f"it belongs to {each.run}")
        if each.n != head.n + 1:
            raise BrokenChain(chain, head.n + 1, f"entry {each.n} is in its place")
        if json.loads(each.body).get("prev") != head.hash:
            raise BrokenChain(chain, each.n, "it does not follow from the entry before")
        head = Head(each.n, each.hash)


def seal(prev: str, at: int, body: str) -> str:
    """The hash of one batch of lines in its lane's chain."""
    return sha256(f"{prev}\n{at}\n{body}".encode()).hexdigest()
