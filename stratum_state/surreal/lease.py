"""The lease row of a lane: who may write, how far it got, and when it was last heard of.

Whoever raises the epoch has the lane, and fences whoever had it before. Ages are measured by
the database's clock alone, so that the clocks of instances need not agree; since even that one
can be set, owners are taken for silent by what was seen of them: see `silence`.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import anyio

from stratum_state.errors import BrokenChain
from stratum_state.surreal import replies
from stratum_state.surreal.batch import Chain
from stratum_state.surreal.cbor import Id
from stratum_state.surreal.transport import Transport, insist

_BORN = """
INSERT IGNORE INTO lease { id: $lease, epoch: 0, seq: 0, mark: 0, last: 0, hash: $origin,
  free: true, at: time::now() } RETURN NONE;
"""
# The condition is judged where the epoch is raised: of two who want the lane, one gets it, and
# an owner that was heard of meanwhile keeps it.
_TAKE = """
UPDATE $lease SET epoch += 1, instance = $instance, free = false, at = time::now()
  WHERE epoch = $epoch AND (free = true OR seq = $seq)
  RETURN AFTER;
"""
_RELEASE = """
UPDATE $lease SET free = true, at = time::now() WHERE epoch = $epoch RETURN NONE;
"""
_SEEN = """
SELECT id, epoch, seq, instance, free, time::millis(time::now()) - time::millis(at) AS age_ms
  FROM lease;
"""
_TRIES = 40
_PAUSE_S = 0.05


@dataclass(frozen=True, slots=True)
class Lease:
    """The row as it was read."""

    lane: str
    epoch: int
    seq: int
    batch: str | None
    chain: Chain


class Seen(NamedTuple):
    """A lane as everybody can see it."""

    lane: str
    epoch: int
    seq: int
    instance: str
    is_free: bool
    """Its owner gave it back."""
    age_ms: int
    """Since its owner was last heard of."""

    def can_be_taken(self, ttl_s: float) -> bool:
        return self.is_free or self.age_ms >= _ms(ttl_s)


class Claimant(NamedTuple):
    """Who wants a lane, and for how many seconds its owner may be silent."""

    instance: str
    ttl_s: float


async def claim(transport: Transport, claimant: Claimant) -> Lease:
    """Take the lowest lane that nobody has, or else a new one.

    Raises BrokenChain when a part of what was written there is not there any more.
    """
    for _ in range(_TRIES):
        lanes = await seen(transport)
        for each in lanes:
            if not each.can_be_taken(claimant.ttl_s):
                continue
            taken = await take(transport, each, claimant.instance)
            if taken is not None:
                return taken
        await _give_birth(
            transport, str(1 + max((int(each.lane) for each in lanes), default=-1))
        )
    raise replies.Lost("the lanes are fought over")  # noqa: TRY003


async def take(transport: Transport, lane: Seen, instance: str) -> Lease | None:
    """Take the lane, if it is free, or as it was seen; whoever had it is fenced.

    None when somebody else was faster, or its owner was heard of. Raises BrokenChain.
    """
    params = {
        "lease": Id("lease", lane.lane),
        "epoch": lane.epoch,
        "seq": lane.seq,
        "instance": instance,
    }
    try:
        found = replies.rows((await transport.call(_TAKE, params))[-1])
    except replies.Conflict:
        await anyio.sleep(_PAUSE_S * random.random())  # noqa: S311 - jitter
        return None
    return await _checked(transport, found[0], lane.lane) if found else None


async def release(transport: Transport, lane: str, epoch: int) -> None:
    """Give the lane back, if it is still ours: the next who looks may take it at once."""
    params = {"lease": Id("lease", lane), "epoch": epoch}
    await insist(transport, _RELEASE, params, within_s=5)


async def seen(transport: Transport) -> Sequence[Seen]:
    """All lanes, the lowest first."""
    found = replies.rows((await transport.call(_SEEN, {}, within_s=5))[-1])
    return sorted(map(_seen, found), key=lambda each: int(each.lane))


async def read(transport: Transport, lane: str) -> Lease:
    """The row as it is now. Raises BrokenChain when it is not there."""
    params = {"lease": Id("lease", lane)}
    found = replies.rows((await transport.call("SELECT * FROM $lease", params, within_s=5))[-1])
    if not found:
        raise BrokenChain(f"lane {lane}", 0, "its lease is not there any more")  # noqa: TRY003
    return _lease(found[0], lane)


async def _give_birth(transport: Transport, lane: str) -> None:
    params = {"lease": Id("lease", lane), "origin": Chain().hash}
    await insist(transport, _BORN, params)


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


def _seen(row: dict[str, object]) -> Seen:
    return Seen(
        lane=str(cast("Id", row["id"]).key),
        epoch=cast("int", row["epoch"]),
        seq=cast("int", row["seq"]),
        instance=str(row.get("instance") or ""),
        is_free=row.get("free") is True,
        age_ms=cast("int", row["age_ms"]),
    )


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
