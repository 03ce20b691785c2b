"""What a daemon does to itself on request: losing messages, and a store that is slow or fails.

`STRATUM_MISCHIEF='{"lost": 0.1, "slow": 0.2, "failing": 0.05}'` gives the shares of messages
and of calls that meet it. Without the variable, nothing of this is there. `stratum chaos`
sets it.
"""

import logging
import random
from collections.abc import Mapping

import msgspec
from msgspec import Struct

VARIABLE = "STRATUM_MISCHIEF"
LOST = "message lost on purpose"
"""What the log says of each."""

log = logging.getLogger(__name__)


class BadMischief(ValueError):
    """What is asked for cannot be read."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f'{VARIABLE}: {why}; give shares from 0 to 1, as in {{"lost": 0.1, "slow": 0.1}}'
        )


class Mischief(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of everything goes wrong: shares from 0 to 1."""

    lost: float = 0
    """Of the events that are delivered, and of the answers to the broker."""
    slow: float = 0
    """Of the calls of the store."""
    failing: float = 0
    """Of the calls of the store: without anything done, or with it done and nobody told."""

    def loses(self, what: str) -> bool:
        """Whether this message gets lost."""
        lost = self.lost > 0 and random.random() < self.lost  # noqa: S311 - dice
        if lost:
            log.info(LOST, extra={"what": what})
        return lost


NONE = Mischief()


def wanted(environment: Mapping[str, str]) -> Mischief:
    """What the environment asks for; BadMischief when that cannot be read."""
    asked = environment.get(VARIABLE)
    if not asked:
        return NONE
    try:
        found = msgspec.json.decode(asked, type=Mischief)
    except msgspec.DecodeError as why:
        raise BadMischief(str(why)) from why
    if any(not 0 <= each <= 1 for each in msgspec.structs.astuple(found)):
        raise BadMischief("a share is outside of 0 to 1")  # noqa: TRY003
    return found
