"""Compaction of a store that is in use: nothing is lost, and it does not grow for ever."""

import os
import resource
import shutil
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from stratum_state.errors import Unavailable
from stratum_state.model import PipelineRun, RunStatus, Trail
from stratum_state.store import RunFilter
from stratum_state.surreal import SurrealStore, folder, record, renewal
from stratum_state.surreal.engine import HEAD
from support import engines, processes, records
from support.disk import a_disk, fill
from support.engines import Found
from support.records import a_run, a_step, a_verdict

LATER = 2**53
EVERY = RunFilter()


async def live(store: SurrealStore, number: int) -> None:
    run = a_run(f"e{number}")
    step = a_step(run)
    await store.write([run, a_verdict(run, sequence=number)])
    await store.write([records.running(run), step])
    await store.write([records.succeeded(step, '"' + "x" * 5000 + '"')])
    await store.write([records.running(run).to(RunStatus.COMPLETED)])


async def everything(store: SurrealStore) -> Sequence[Trail | None]:
    runs = await store.runs(EVERY, after=None, limit=999)
    return [await store.trail(run.id) for run in runs]


async def test_what_is_written_meanwhile_waits_and_is_there_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "state"
    async with engines.in_folder(path) as store:
        await live(store, 0)
        await store.collect(LATER, 100)
        async with anyio.create_task_group() as writers:
            for number in range(1, 30):
                writers.start_soon(live, store, number)
            await anyio.lowlevel.checkpoint()
            compacted = await store.renew(0)
        kept = await everything(store)

    async with engines.in_folder(path) as store:
        assert await everything(store) == kept
    async with engines.the_engine(path) as engine:
        assert await engines.chains_hold(engine)
    assert compacted is not None
    assert {each.run.status for each in kept if each} == {RunStatus.COMPLETED}
    assert len(kept) == 29
    assert not folder.copy_of(path).exists()


async def test_the_copy_is_the_store_record_by_record(tmp_path: Path) -> None:
    path, old, new = (tmp_path / name for name in ("state", "old", "new"))

    def keep(point: str) -> None:
        if point == "compaction.vacant":
            shutil.copytree(tmp_path / "state.replaced", old)
            shutil.copytree(folder.copy_of(path), new)

    async with engines.in_folder(path, keep) as store:
        await live(store, 0)
        async with anyio.create_task_group() as others:
            for number in range(1, 20):
                others.start_soon(live, store, number)
            others.start_soon(store.collect, LATER, 5)
            await anyio.lowlevel.checkpoint()
            await store.renew(0)

    before, after = await records_of(old), await records_of(new)
    assert before == after
    assert len(before["journal"]) > 1


async def records_of(path: Path) -> Mapping[str, Mapping[str, Found]]:
    """All of them, but for the database's own time."""
    tables = ("inbox", "run", "verdict", "step", "head", "journal", "anchor", "lease", "meta")
    async with engines.the_engine(path) as engine:
        return {
            table: {
                str(each["id"]): {name: each[name] for name in each if name != "at"}
                for each in await engines.found(engine, table)
            }
            for table in tables
        }


async def test_a_store_that_forgets_as_much_as_it_learns_stops_growing(tmp_path: Path) -> None:
    sizes = []
    async with engines.in_folder(tmp_path / "state") as store:
        await store.write([a_run("kept"), a_step(a_run("kept"))])
        for lap in range(3):
            async with anyio.create_task_group() as writers:
                for number in range(20):
                    writers.start_soon(live, store, 100 * lap + number)
            while any(await store.collect(LATER, 100)):
                pass
            await store.renew(100_000)
            sizes.append(folder.size(tmp_path / "state"))
        kept = await everything(store)

    assert [each.run.id for each in kept if each] == [a_run("kept").id]
    assert max(sizes) < 100_000


async def test_what_is_not_worth_it_is_left_alone(tmp_path: Path) -> None:
    async with engines.in_folder(tmp_path / "state") as store:
        await live(store, 1)

        assert await store.renew(1 << 30) is None


async def test_a_store_with_too_many_records_is_not_counted_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(renewal, "_MOST_RECORDS", 0)
    async with engines.in_folder(tmp_path / "state") as store:
        await live(store, 1)

        assert [await store.renew(0), await store.renew(0)] == [None, None]

    assert caplog.text.count("store not compacted") == 1


@pytest.mark.parametrize("failing", ["too many", "too much", "no room"])
async def test_what_cannot_be_done_is_said_and_the_store_goes_on(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    failing: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with engines.in_folder(tmp_path / "state") as store:
        await live(store, 1)
        if failing == "too many":
            monkeypatch.setattr(renewal, "_MOST_RECORDS", 0)
        elif failing == "too much":
            monkeypatch.setattr(record, "_MOST_BYTES", 0)
        else:
            monkeypatch.setattr(folder, "SEGMENT", 1 << 60)

        compacted = await store.renew(0)

        await live(store, 2)
        runs: Sequence[PipelineRun] = await store.runs(EVERY, after=None, limit=9)
    assert compacted is None
    assert len(runs) == 2
    assert "store not compacted" in caplog.text
    assert not folder.copy_of(tmp_path / "state").exists()


async def test_compacted_again_and_again_it_has_no_more_threads_and_one_process(
    tmp_path: Path,
) -> None:
    seen = []
    async with engines.in_folder(tmp_path / "state") as store:
        for number in range(5):
            await live(store, number)
            await store.renew(0)
            seen.append((threads(), len(processes.children())))
        kept = await everything(store)

    assert len({*seen}) == 1
    assert len(kept) == 5


async def test_the_end_of_the_engines_process_is_the_end_of_the_store(tmp_path: Path) -> None:
    async with engines.in_folder(tmp_path / "state") as store:
        await live(store, 1)
        await store.renew(0)
        [engine] = processes.children()
        assert owner(engine) == 0  # nobody else looks in
        os.kill(engine, signal.SIGTERM)  # which is for the daemon
        await live(store, 0)
        os.kill(engine, signal.SIGKILL)

        with pytest.raises(Unavailable, match="start again: runs go on"):
            await live(store, 2)
        with pytest.raises(Unavailable):
            await store.failure()

    async with engines.in_folder(tmp_path / "state") as store:
        await live(store, 3)


def owner(pid: int) -> int:
    """Of what the system tells about the process: the root user, unless it may be dumped."""
    return Path(f"/proc/{pid}/environ").stat().st_uid


def threads() -> int:
    """Those of the engine, in this process."""
    every = Path("/proc/self/task").glob("*/comm")
    return sum(each.read_text().startswith("surreal") for each in every)


async def test_a_copy_that_cannot_take_its_place_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "state"

    def spoil(point: str) -> None:
        if point == "compaction.vacant":
            folder.copy_of(path).rename(tmp_path / "elsewhere")

    async with engines.in_folder(path, spoil) as store:
        await live(store, 1)
        compacted = await store.renew(0)
        await live(store, 2)
        kept = await everything(store)
    async with engines.in_folder(path) as store:
        assert await everything(store) == kept

    assert compacted is None
    assert "store not compacted" in caplog.text
    assert len(kept) == 2


async def test_whoever_is_cancelled_keeps_what_was_handed_over(tmp_path: Path) -> None:
    path = tmp_path / "state"
    with anyio.CancelScope() as scope:
        async with engines.in_folder(path) as store:
            await live(store, 1)
            await store.renew(0)
            async with anyio.create_task_group() as writers:
                writers.start_soon(store.write, [a_run("last")])
                await anyio.lowlevel.checkpoint()
                scope.cancel()

    assert folder.mark(path)["clean"] is True
    async with engines.in_folder(path) as store:
        assert len(await everything(store)) == 2


async def test_without_descriptors_it_is_not_even_due(tmp_path: Path) -> None:
    async with engines.in_folder(tmp_path / "state") as store:
        await live(store, 1)
        with no_descriptors(), pytest.raises(Unavailable, match="cannot be measured"):
            await store.renew(0)
        await live(store, 2)


@contextmanager
def no_descriptors() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_numbers_of_questions_do_not_come_to_an_end() -> None:
    assert HEAD.unpack(HEAD.pack(1 << 32, 0, False)) == (1 << 32, 0, False)  # noqa: FBT003


async def test_a_disk_that_fills_up_meanwhile_ends_the_copy_and_not_the_store(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fillers = []
    with a_disk(tmp_path / "disk", "260m") as disk:
        async with engines.in_folder(
            disk / "state", lambda _: fillers.append(fill(disk))
        ) as store:
            await live(store, 1)
            compacted = await store.renew(0)
            fillers[0].unlink()
            await live(store, 2)
            kept = await everything(store)
        left = sorted(each.name for each in disk.iterdir())

    assert compacted is None
    assert "store not compacted" in caplog.text
    assert len(kept) == 2
    assert left == ["state", "state.lock"]
