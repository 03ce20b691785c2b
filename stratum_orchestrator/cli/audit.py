"""Checking a journal where it is read, so that nobody has to believe the daemon."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from stratum_orchestrator.client.answers import Entry
from stratum_state import journal
from stratum_state.errors import BrokenChain


class Broken(NamedTuple):
    """The first entry that does not fit, and what is wrong with it."""

    n: int
    why: str


def checked(entries: Sequence[Entry]) -> Broken | None:
    """None when the entries are one whole chain of hashes from its origin."""
    try:
        journal.verify(
            [
                replace(
                    journal.read(each.body),
                    run=each.run,
                    n=each.n,
                    kind=each.kind,
                    hash=each.hash,
                )
                for each in entries
            ]
        )
    except BrokenChain as broken:
        return Broken(broken.n, str(broken))
    return None
