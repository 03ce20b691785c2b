"""Sending one batch until it is known what became of it."""

import logging
import math
import random
import time
from dataclasses import dataclass

import anyio

from stratum_state.errors import BrokenChain, DiskFailed, Fenced, Unavailable
from stratum_state.surreal import lease, replies
from stratum_state.surreal.batch import COMMIT, Batch
from stratum_state.surreal.lease import Lease
from stratum_state.surreal.transport import Transport

_FIRST_PAUSE_S = 0.005
_LONGEST_PAUSE_S = 1.0
_EMBEDDED_S = 30

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Patience:
    """How long batches wait for a store that is away."""

    each_s: float
    """One batch, in seconds."""
    until: float = math.inf
    """All of them, on the clock of the event loop."""

    @classmethod
    def fit_for(cls, transport: Transport) -> "Patience":
        return cls(math.inf if transport.comes_back else _EMBEDDED_S)

    def end(self, within_s: float) -> None:
        self.until = min(self.until, anyio.current_time() + within_s)


class Committer:
    """One lane's end of the store: batches go in one after the other, each exactly once."""

    def __init__(self, transport: Transport, held: Lease, patience: Patience) -> None:
        self.seq = held.seq
        """The last batch that is durable."""
        self.chain = held.chain
        self.epoch = held.epoch
        self.is_waiting = False
        """Whether the store is away, and a batch waits for it."""
        self._transport = transport
        self._lane = held.lane
        self._patience = patience

    async def commit(self, batch: Batch) -> None:
        """Return when the batch is durable. It must be the one behind `seq`.

        Raises Refusal when a row of it breaks a rule; Fenced when the lane is another's,
        BrokenChain when the store went back, Unavailable when waiting for it is no use: then
        nothing more can be written.
        """
        params, chain = batch.sealed(self.chain, self.epoch, time.time_ns() // 1_000_000)
        give_up = anyio.current_time() + self._patience.each_s
        pause = _FIRST_PAUSE_S
        while not await self._sent(batch, params):
            if anyio.current_time() > min(give_up, self._patience.until):
                raise Unavailable(  # noqa: TRY003
                    f"lane {self._lane}: batch {batch.number} had to be given up: "
                    "the database does not answer; see to the database, then start again: "
                    "every run goes on from what is on record"
                )
            await anyio.sleep(pause * (0.5 + random.random()))  # noqa: S311 - jitter
            pause = min(2 * pause, _LONGEST_PAUSE_S)
        if self.is_waiting:
            log.info("writes go on", extra={"lane": self._lane, "batch": batch.number})
        self.is_waiting = False
        self.seq, self.chain = batch.number, chain

    async def release(self) -> None:
        """Give the lane back. Not being able to costs others some time, and nothing else."""
        try:
            await lease.release(self._transport, self._lane, self.epoch)
        except replies.SurrealError as error:
            log.warning("lane not given back", extra={"lane": self._lane, "why": str(error)})

    async def _sent(self, batch: Batch, params: dict[str, object]) -> bool:
        """Whether the batch is durable; when not, it can be sent again."""
        try:
            await self._transport.call(COMMIT, params)
        except replies.Conflict:
            return False
        except (replies.Stale, replies.Lost, replies.Broken) as error:
            if isinstance(error, replies.Ended):
                raise Unavailable(f"{error}; start again: runs go on") from error  # noqa: TRY003
            if isinstance(error, replies.Broken) and not self._transport.comes_back:
                raise DiskFailed(  # noqa: TRY003
                    f"{error}; mend or empty the disk, then start again"
                ) from error
            return await self._landed(batch, error)
        return True

    async def _landed(self, batch: Batch, why: replies.SurrealError) -> bool:
        try:
            now = await lease.read(self._transport, self._lane)
        except replies.SurrealError:
            if not self.is_waiting:
                extra = {"lane": self._lane, "batch": batch.number, "why": str(why)}
                log.warning("database away, writes wait", extra=extra)
            self.is_waiting = True
            return False
        if now.epoch != self.epoch:
            raise Fenced(self._lane, self.epoch)
        if (now.seq, now.batch) == (batch.number, batch.name):
            return True
        if now.seq != batch.number - 1:
            chain, said = f"lane {self._lane}", f"the store ends with {now.seq}: it went back"
            raise BrokenChain(chain, batch.number, said)
        return False
