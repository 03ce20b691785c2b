"""Sending one batch until it is known what became of it."""

import logging
import random
import time

import anyio

from stratum_state.errors import Fenced, Unavailable
from stratum_state.surreal import lease, replies
from stratum_state.surreal.batch import COMMIT, Batch
from stratum_state.surreal.lease import Lease
from stratum_state.surreal.transport import Transport

_FIRST_PAUSE_S = 0.005
_LONGEST_PAUSE_S = 1.0

log = logging.getLogger(__name__)


class Committer:
    """One lane's end of the store: batches go in one after the other, each exactly once."""

    def __init__(self, transport: Transport, held: Lease, patience_s: float = 30) -> None:
        self.seq = held.seq
        """The last batch that is durable."""
        self.chain = held.chain
        self._transport = transport
        self._lane = held.lane
        self._epoch = held.epoch
        self._patience_s = patience_s

    async def commit(self, batch: Batch) -> None:
        """Return when the batch is durable. It must be the one behind `seq`.

        Raises Refusal when a row of it breaks a rule, Fenced when the lane is another's,
        Unavailable when its outcome cannot be learned: then nothing more can be written.
        """
        params, chain = batch.sealed(self.chain, self._epoch, time.time_ns() // 1_000_000)
        give_up = anyio.current_time() + self._patience_s
        pause = _FIRST_PAUSE_S
        while not await self._sent(batch, params):
            if anyio.current_time() > give_up:
                raise Unavailable(f"lane {self._lane}: batch {batch.number} finds no answer")  # noqa: TRY003
            await anyio.sleep(pause * (0.5 + random.random()))  # noqa: S311 - jitter
            pause = min(2 * pause, _LONGEST_PAUSE_S)
        self.seq, self.chain = batch.number, chain

    async def _sent(self, batch: Batch, params: dict[str, object]) -> bool:
        """Whether the batch is durable; when not, it can be sent again."""
        try:
            await self._transport.call(COMMIT, params)
        except replies.Conflict:
            return False
        except replies.Broken as error:
            raise Unavailable(f"{error}; mend or empty the disk, then start again") from error  # noqa: TRY003
        except (replies.Stale, replies.Lost) as error:
            log.warning("batch outcome unknown", extra={"lane": self._lane, "why": str(error)})
            return await self._landed(batch)
        return True

    async def _landed(self, batch: Batch) -> bool:
        try:
            now = await lease.read(self._transport, self._lane)
        except replies.SurrealError:
            return False
        if now.epoch != self._epoch:
            raise Fenced(self._lane, self._epoch)
        return (now.seq, now.batch) == (batch.number, batch.name)
