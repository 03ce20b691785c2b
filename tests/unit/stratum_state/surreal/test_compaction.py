"""Compaction: the same store, smaller; the old one until the new one is whole."""

import re
from pathlib import Path

import anyio
import pytest

from stratum_state import journal
from stratum_state.errors import IllegalMove, StoreInUse, Unavailable
from stratum_state.model import RunStatus
from stratum_state.store import RunFilter
from stratum_state.surreal import SurrealStore, compaction, folder
from support import engines, records
from support.records import a_compensation, a_run, a_step, a_verdict

EVERY = RunFilter()
LIVES = 120


async def compact(path: Path) -> compaction.Compacted:
    return await compaction.compact(f"surrealkv://{path}", namespace="test", database="test")


async def fill(path: Path) -> None:
    """Write many runs in few batches, then few in many; collect some, leave one unfinished."""
    async with engines.in_folder(path) as store:
        async with anyio.create_task_group() as group:
            for number in range(1, LIVES):
                group.start_soon(live, store, number)
        for number in range(LIVES, LIVES + 5):
            await live(store, number)
        await store.write([a_run("left"), a_step(a_run("left"))])
        await store.collect(2**53, LIVES // 2)


async def live(store: SurrealStore, number: int) -> None:
    run = a_run(f"e{number}")
    step, undo = a_step(run), a_compensation(run)
    back = records.compensating(records.running(run))
    outputs = '"' + "x" * (70_000 if number % 9 == 0 else 7) + '"'
    await store.write([run, a_verdict(run, sequence=number)])
    await store.write([records.running(run), step])
    await store.write([records.succeeded(step, outputs)])
    await store.write([back, undo])
    await store.write([records.undone(undo), records.compensated(back)])


async def test_a_compacted_store_is_the_same_and_smaller(tmp_path: Path) -> None:
    path = tmp_path / "state"
    await fill(path)
    async with engines.in_folder(path) as store:
        runs = await store.runs(EVERY, after=None, limit=999)
        verdicts = await store.verdicts(after=None, limit=999)
        trails = [await store.trail(run.id) for run in runs]

    compacted = await compact(path)

    async with engines.in_folder(path) as store:
        assert await store.runs(EVERY, after=None, limit=999) == runs
        assert await store.verdicts(after=None, limit=999) == verdicts
        assert [await store.trail(run.id) for run in runs] == trails
        assert [trail.run.event_id for trail in await store.unfinished()] == ["left"]
        for run in runs:
            journal.verify(await store.journal(run.id))
    async with engines.the_engine(path) as engine:
        assert await engines.chains_hold(engine)
    assert compacted.after < compacted.before
    assert not folder.copy_of(path).exists()


async def test_a_compacted_store_goes_on_by_its_rules(tmp_path: Path) -> None:
    path = tmp_path / "state"
    await fill(path)
    await compact(path)

    async with engines.in_folder(path) as store:
        with pytest.raises(IllegalMove):
            await store.write([a_run("left").to(RunStatus.RUNNING).to(RunStatus.COMPLETED)])
        await store.write([records.running(a_run("left"))])

    async with engines.the_engine(path) as engine:
        (run,) = await engines.ask(engine, "INFO FOR TABLE run")
        assert await engines.chains_hold(engine)
    assert "run_active" in run["indexes"]  # type: ignore[index]
    assert "completed: []" in run["fields"]["status"]  # type: ignore[index]


async def test_a_store_in_use_is_not_compacted(tmp_path: Path) -> None:
    path = tmp_path / "state"
    async with engines.in_folder(path):
        with pytest.raises(StoreInUse):
            await compact(path)


async def test_where_no_store_is_nothing_is_compacted(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no folder with a store"):
        await compact(tmp_path / "state")


async def test_a_copy_that_did_not_come_to_its_end_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "state"
    await fill(path)
    folder.copy_of(path).mkdir()
    (folder.copy_of(path) / "half").write_text("")

    await compact(path)

    assert not (path / "half").exists()


async def test_a_crash_between_the_old_and_the_new_store_loses_neither(tmp_path: Path) -> None:
    path = tmp_path / "state"
    async with engines.in_folder(path) as store:
        await store.write([a_run()])
    path.rename(folder.copy_of(path))

    async with engines.in_folder(path) as store:
        trail = await store.trail(a_run().id)

    assert trail is not None


def test_no_table_of_the_schema_is_left_behind() -> None:
    schemas = Path(compaction.__file__).parent.glob("schema*.surql")
    defined = re.compile(r"DEFINE TABLE(?: IF NOT EXISTS| OVERWRITE)? (\w+)")
    tables = {name for each in schemas for name in defined.findall(each.read_text())}

    assert {each.name for each in compaction._TABLES} == tables  # noqa: SLF001
