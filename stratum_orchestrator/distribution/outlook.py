"""What the source's tag stands for by now: looked up at hints, and now and then without."""

import logging
from collections.abc import Awaitable, Callable, Set as AbstractSet
from typing import Literal

import anyio

from stratum_graph.errors import GraphError
from stratum_orchestrator.distribution.supply import AWAY, Supply
from stratum_orchestrator.errors import Denied, Impossible
from stratum_state.errors import Unavailable

REST_S = 2.0
"""Between two looks, however many hints there are."""

log = logging.getLogger(__name__)


class Outlook:
    """Offers what a tag has moved to, or has it activated, as the settings say."""

    def __init__(
        self,
        supply: Supply,
        follow: Literal["offer", "activate"],
        activate: Callable[[str], Awaitable[bool]],
        noticed: Callable[[str, str], None],
    ) -> None:
        """`activate` tells whether the digest is in force then; it may raise Impossible.

        `noticed` is given what the tag stands for, empty when nobody can tell, and what is
        wrong.
        """
        self._supply = supply
        self._follow = follow
        self._activate = activate
        self._noticed = noticed
        self._bell = anyio.Event()
        self._told = ("", "")

    def heard(self, repositories: AbstractSet[str] | None) -> bool:
        """A hint that something was pushed there; whether it leads to a look.

        None is for a place that nobody knows.
        """
        place = self._supply.reference
        if place is None or not self._supply.moves:
            return False
        if repositories is not None and place.repository not in repositories:
            return False
        self._bell.set()
        return True

    async def watch(self, every_s: float) -> None:
        """Look at each hint, and after so many seconds without one; until cancelled."""
        while True:
            with anyio.move_on_after(every_s):
                await self._bell.wait()
            self._bell = anyio.Event()
            await self.look()
            await anyio.sleep(REST_S)

    async def look(self) -> None:
        """Look once. Whatever is wrong is told, and what is in force stays."""
        try:
            found = await anyio.to_thread.run_sync(self._supply.standing)
        except (GraphError, OSError) as why:
            self._tell("", f"{AWAY}: {why}")
            return
        self._tell(found, await self._taken(found))

    async def _taken(self, digest: str) -> str:
        """Why it is not in force, when it is to be."""
        if self._follow == "offer" or self._supply.trusts_names_alone:
            return ""
        try:
            await self._activate(digest)
        except (Impossible, Denied, Unavailable, GraphError, OSError) as why:
            return f"{digest} is not activated: {why}"
        return ""

    def _tell(self, digest: str, trouble: str) -> None:
        self._noticed(digest, trouble)
        if (digest, trouble) != self._told:
            facts = {"source": self._supply.name, "digest": digest}
            if trouble:
                log.warning("source in trouble", extra={**facts, "why": trouble})
            else:
                log.info("source looked at", extra=facts)
        self._told = digest, trouble
