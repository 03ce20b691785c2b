"""What is written while a store is copied is repeated: all of it, and in order."""

from collections.abc import Sequence

import anyio
import anyio.lowlevel
import pytest

from stratum_state.surreal import replies
from stratum_state.surreal.record import Record

WRITE = "BEGIN; CREATE x; COMMIT;"


async def write(record: Record, *requests: bytes) -> None:
    for each in requests:
        async with record.entry(WRITE, each):
            pass


async def repeated(record: Record) -> list[bytes]:
    done: list[bytes] = []

    async def repeat(requests: Sequence[bytes]) -> None:
        done.extend(requests)

    await record.finish(repeat)
    return done


async def test_what_was_written_is_repeated_in_order_and_what_was_read_is_not() -> None:
    record = Record()

    await write(record, b"1", b"2")
    async with record.entry("SELECT * FROM x", b"3"):
        pass
    with pytest.raises(replies.Refusal):
        async with record.entry(WRITE, b"4"):
            raise replies.Refusal
    await write(record, b"5")

    assert await repeated(record) == [b"1", b"2", b"5"]
    assert record.is_whole


async def test_what_may_have_been_done_or_not_makes_the_record_useless() -> None:
    record = Record()

    with pytest.raises(replies.Lost):
        async with record.entry(WRITE, b"1"):
            raise replies.Lost

    assert not record.is_whole


async def test_a_writer_that_never_rests_is_caught_up_with() -> None:
    record = Record()
    await write(record, *[b"old"] * 500)

    async def write_on() -> None:
        while True:
            await write(record, b"new")
            await anyio.lowlevel.checkpoint()

    async def slowly(requests: Sequence[bytes]) -> None:
        for _ in requests:
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(write_on)
        with anyio.fail_after(20):
            await record.catch_up(slowly)
        tasks.cancel_scope.cancel()

    assert len(await repeated(record)) < 60
