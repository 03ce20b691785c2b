"""Whose signatures count where a trail is verified."""

from collections.abc import Sequence

import anyio

from platform_nats.errors import InvalidKey
from platform_nats.nkey import check_public
from stratum_orchestrator import storage
from stratum_orchestrator.cli.exits import Exit, Stop
from stratum_orchestrator.cli.options import Face
from stratum_orchestrator.cli.workspace import read_settings
from stratum_orchestrator.home import Home, HomeIncomplete


class NobodyTrusted(Stop):
    """There is no key to hold signatures against."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"no key to hold signatures against: {why}",
            remedy="name the daemon's public key: --key U…",
            code=Exit.USAGE,
        )


def trusted(face: Face, named: Sequence[str]) -> frozenset[str]:
    """The keys that were named; else that of the home's own daemon. NobodyTrusted, Stop."""
    if not named:
        return frozenset({_own(face)})
    for each in named:
        try:
            check_public(each)
        except InvalidKey as why:
            raise NobodyTrusted(str(why)) from None
    return frozenset(named)


def _own(face: Face) -> str:
    settings = anyio.run(read_settings, face)
    try:
        return storage.key(settings, Home(face.home), make=False).public
    except (HomeIncomplete, InvalidKey, OSError) as why:
        raise NobodyTrusted(str(why)) from None
