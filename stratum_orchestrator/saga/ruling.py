"""What the policies decided about commands, allowed or not: in the log, and on record."""

import logging
import math
from collections.abc import Awaitable, Callable

import anyio

from stratum_orchestrator.ports import Clock, Decision
from stratum_orchestrator.saga.delegation import Asker, Matter
from stratum_orchestrator.saga.docket import Docket, Entry, told
from stratum_state.decision import DecisionRecord
from stratum_state.errors import IllegalMove, Rejected, Unavailable

_AGAIN_S = 1.0  # after a store that is away
_AT_ONCE = 100

log = logging.getLogger(__name__)


class Rulings:
    """Keeps each decision about a command: who asked, what for, by which policies.

    What is looked at is kept only when it was refused to somebody who named it.
    """

    def __init__(
        self,
        record: Callable[..., Awaitable[None]],
        clock: Clock,
        instance: str = "",
    ) -> None:
        """`record` makes facts durable: `StateTracker.record`."""
        self._record = record
        self._clock = clock
        self._docket = Docket(instance)
        self._unwritten: list[DecisionRecord] = []
        self._noted = 0
        self._kept = 0
        """How many of those that were noted are on record, or counted for a later one."""
        self._news = anyio.Event()
        self._written = anyio.Event()

    def note(
        self, asker: Asker, matter: Matter, decision: Decision, *, run: str | None = ""
    ) -> None:
        """Log a decision with its policies, and have it put on record.

        `run` is what it is about, empty for a pipeline or the daemon, and None where nobody
        named it: views are also asked for each line of a list. They are for the log's debug
        level, and go on record when what was named is not shown. So is, in the log, what is
        denied again and again.
        """
        entry = Entry(asker=asker, matter=matter, decision=decision, run=run or "")
        is_view, is_news = matter.action == "view", True
        if not is_view or (run is not None and not decision.allowed):
            is_news = self._docket.enter(entry, self._clock.now_ms())
            self._noted += 1
            self._news.set()
        level = logging.INFO if decision.allowed else logging.WARNING
        level = level if decision.allowed or is_news else logging.DEBUG
        text = "command allowed" if decision.allowed else "command denied"
        level = logging.DEBUG if is_view else level
        if log.isEnabledFor(level):
            log.log(level, text, extra=dict(told(entry)))

    async def keep(self) -> None:
        """Write what is due, until cancelled."""
        while True:
            self._news, noted = anyio.Event(), self._noted
            self._unwritten += self._docket.due(self._clock.now_ms())
            await self._write()
            self._kept = noted
            self._written.set()
            self._written = anyio.Event()
            now = self._clock.now_ms()
            due = self._docket.next_due(now)
            with anyio.move_on_after(math.inf if due is None else (due - now) / 1000):
                await self._news.wait()

    async def settle(self, within_s: float = 2.0) -> None:
        """Return when what was noted before is on record, or when the time is up.

        A store that is away keeps nobody from being told what was decided, nor from what is
        allowed: it goes on record as soon as the store is back.
        """
        noted = self._noted
        with anyio.move_on_after(within_s):
            while self._kept < noted:
                await self._written.wait()

    async def close(self, within_s: float = 2.0) -> None:
        """Write what was only counted until now."""
        self._unwritten += self._docket.due(self._clock.now_ms(), all_of_it=True)
        with anyio.move_on_after(within_s, shield=True):
            await self._write()

    async def _write(self) -> None:
        while self._unwritten:
            part = self._unwritten[:_AT_ONCE]
            try:
                await self._record(*part)
            except Unavailable as why:
                log.warning("decisions not on record yet", extra={"why": str(why)})
                await anyio.sleep(_AGAIN_S)
                continue
            except (IllegalMove, Rejected) as why:  # nothing may stop the others
                log.error("decisions not on record", extra={"why": str(why)})  # noqa: TRY400
            del self._unwritten[: len(part)]
