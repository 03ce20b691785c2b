"""The lease row of a lane: who may write, and how far it got."""

from dataclasses import dataclass
from typing import cast

import anyio

from stratum_state.errors import BrokenChain
from stratum_state.surreal import replies
from stratum_state.surreal.batch import Chain
from stratum_state.surreal.cbor import Id
from stratum_state.surreal.transport import Transport

_ACQUIRE = """
INSERT IGNORE INTO lease
  { id: $lease, epoch: 0, seq: 0, mark: 0, last: 0, hash: $origin, at: time::now() };
UPDATE $lease SET epoch += 1, at = time::now() RETURN AFTER;
"""
_TRIES = 20


@dataclass(frozen=True, slots=True)
class Lease:
    """The row as it was read."""

    lane: str
    epoch: int
    seq: int
    batch: str | None
    chain: Chain


async def acquire(transport: Transport, lane: str) -> Lease:
    """Take the lane over: whoever had it is fenced from now on.

    Raises BrokenChain when a part of what was written is not there any more.
    """
    params = {"lease": Id("lease", lane), "origin": Chain().hash}
    for attempt in range(_TRIES):
        try:
            result = (await transport.call(_ACQUIRE, params))[-1]
        except replies.Conflict:
            await anyio.sleep(0.005 * (attempt + 1))
        else:
            return await _checked(transport, replies.rows(result)[0], lane)
    raise replies.Lost(f"{lane}: the lease is fought over")  # noqa: TRY003


async def read(transport: Transport, lane: str) -> Lease:
    """The row as it is now."""
    (result,) = await transport.call(
        "SELECT * FROM $lease", {"lease": Id("lease", lane)}, within_s=5
    )
    return _lease(replies.rows(result)[0], lane)


async def _checked(transport: Transport, row: dict[str, object], lane: str) -> Lease:
    lease = _lease(row, lane)
    if row["mark"] != lease.seq:
        raise BrokenChain(f"lane {lane}", lease.seq, "the batch is not whole")  # noqa: TRY003
    if lease.chain.last:
        key = Id("journal", [lane, lease.chain.last])
        (found,) = await transport.call("SELECT VALUE hash FROM $key", {"key": key})
        if found != [lease.chain.hash]:
            raise BrokenChain(f"lane {lane}", lease.chain.last, "its last batch is not there")  # noqa: TRY003
    return lease


def _lease(row: dict[str, object], lane: str) -> Lease:
    return Lease(
        lane=lane,
        epoch=cast("int", row["epoch"]),
        seq=cast("int", row["seq"]),
        batch=cast("str | None", row.get("batch")),
        chain=Chain(cast("int", row["last"]), cast("str", row["hash"])),
    )
