"""The version that an event is to name: its digest, whichever way it was called."""

import re
from functools import partial

import anyio

from stratum_graph.definitions.distribution import pull
from stratum_orchestrator.cli import depot
from stratum_orchestrator.cli.client import Daemon
from stratum_orchestrator.cli.exits import Exit, Stop
from stratum_orchestrator.cli.options import Face
from stratum_orchestrator.cli.workspace import workspace
from stratum_orchestrator.client.answers import Versions

_WHOLE = re.compile(r"sha256:[0-9a-f]{64}")
_BEGINNING = re.compile(r"(?:sha256:)?([0-9a-f]{6,64})")


class ManyVersions(Stop):
    """A digest was cut too short."""

    def __init__(self, given: str, found: list[str]) -> None:
        super().__init__(
            f"{given} is the beginning of {len(found)} versions",
            remedy=f"give more of it: {', '.join(found)}",
            code=Exit.USAGE,
        )


class NoVersion(Stop):
    """Nothing is called that."""

    def __init__(self, given: str) -> None:
        super().__init__(
            f"no version is called {given!r}",
            remedy="give a tag of definitions.source, or a digest of `stratum versions`",
            code=Exit.NOT_FOUND,
        )


def digest_of(face: Face, daemon: Daemon, given: str) -> str:
    """The digest of a version: itself, the one that begins so, or what the tag stands for now.

    Raises Stop. What is signed is the digest: a tag may move before the event is judged.
    """
    if _WHOLE.fullmatch(given):
        return given
    if short := _BEGINNING.fullmatch(given):
        known, _ = daemon.ask("/api/v1/versions", Versions)
        digests = sorted({each.digest for each in known.versions})
        found = [each for each in digests if each.startswith(f"sha256:{short[1]}")]
        if len(found) > 1:
            raise ManyVersions(given, found)
        if found:
            return found[0]
    return anyio.run(_tagged, face, given)


async def _tagged(face: Face, given: str) -> str:
    async with workspace(face) as place:
        supply = depot.supply(face, place)
        if not supply.is_bundle:
            raise NoVersion(given)
        reference = depot.reference(supply, given)
        with depot.told():
            look = partial(pull.resolve, supply.shelf(reference), reference.wanted)
            return await anyio.to_thread.run_sync(look)
