"""Opening a store in a folder: alone, whole, and no further back than it was."""

import json
import os
import shutil
import sys
from pathlib import Path

import anyio
import pytest

from stratum_state import journal
from stratum_state.errors import BadAddress, BrokenChain, NewerSchema, StoreInUse, Unavailable
from stratum_state.model import Fact
from stratum_state.surreal import folder, open_store, tail, transport
from stratum_state.surreal.migrations import STEPS
from support import engines, records
from support.records import a_run, a_step, a_verdict


async def write(path: Path, *writes: list[Fact]) -> None:
    async with engines.in_folder(path) as store:
        for facts in writes:
            await store.write(facts)


async def test_a_store_is_open_once(tmp_path: Path) -> None:
    async with engines.in_folder(tmp_path / "state"):
        with pytest.raises(StoreInUse, match="stop that one"):
            await write(tmp_path / "state")


async def test_the_engine_of_a_killed_process_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "_STRANGER_S", 0)
    killed = (
        "import os, subprocess, sys\n"
        "from pathlib import Path\n"
        "from stratum_state.surreal import folder\n"
        "with folder.held(Path(sys.argv[1])) as lock:\n"
        "    said = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
        "    subprocess.Popen(['cat', sys.argv[2]], pass_fds=[lock], **said)\n"
        "    os._exit(0)\n"
    )
    state, gate = tmp_path / "state", tmp_path / "gate"
    os.mkfifo(gate)
    await anyio.run_process([sys.executable, "-c", killed, str(state), str(gate)])
    with pytest.raises(StoreInUse), folder.held(state):
        pass

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(anyio.Path(gate).write_text, "")  # lets the process end
        async with folder.kept(state):
            pass


async def test_a_closed_store_can_be_opened_again(tmp_path: Path) -> None:
    await write(tmp_path / "state", [a_run()])
    await write(tmp_path / "state", [records.running(a_run())])

    async with engines.in_folder(tmp_path / "state") as store:
        (trail,) = await store.unfinished()
        journal.verify(await store.journal(a_run().id))

    assert trail.run == records.running(a_run())


@pytest.mark.parametrize("url", ["surrealkv://state", "mem:///x", "file:///x", "state", ""])
async def test_what_is_no_store_is_said_so(url: str) -> None:
    with pytest.raises(BadAddress, match="absolute path, or mem://"):
        async with open_store(url, instance="one", namespace="test", database="test"):
            pass


async def test_a_store_of_a_later_stratum_is_left_alone(tmp_path: Path) -> None:
    url = f"surrealkv://{tmp_path}/state"
    await write(tmp_path / "state", [a_run()])
    async with transport.embedded(url, "test", "test") as engine:
        await engines.ask(
            engine, "UPDATE meta:schema SET version = 99; UPDATE lease SET at = time::now()"
        )

    with pytest.raises(NewerSchema, match=f"version 99, this Stratum knows {len(STEPS)}"):
        await write(tmp_path / "state")


async def test_a_store_that_went_back_is_not_opened(tmp_path: Path) -> None:
    state, backup = tmp_path / "state", tmp_path / "backup"
    await write(state, [a_run()])
    shutil.copytree(state / "clog", backup)
    await write(state, [a_run("e2")])
    shutil.rmtree(state / "clog")
    shutil.copytree(backup, state / "clog")

    with pytest.raises(BrokenChain, match=r"was there once; restore .* from a backup"):
        await write(state)


async def test_of_a_torn_transaction_nothing_is_visible(tmp_path: Path) -> None:
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    second = a_run("e2")
    await write(whole, [a_run("e1")], [second, a_step(second), a_verdict(second)])
    (log,) = whole.glob("clog/*.clog")
    size = log.stat().st_size
    seen = []

    for end in range(size - 3200, size, 400):
        shutil.copytree(whole, torn, dirs_exist_ok=True)
        (torn / folder.MARK).unlink()
        os.truncate(torn / "clog" / log.name, end)
        seen.append(await everything(torn))

    assert await everything(whole) == {"e1", "e2", "e2 step", "e2 verdict"}
    assert seen == [{"e1"}] * len(seen)


async def everything(path: Path) -> set[str]:
    async with engines.in_folder(path) as store:
        trails = await store.unfinished()
        verdicts = await store.verdicts(after=None, limit=9)
    steps = {f"{trail.run.event_id} step" for trail in trails if trail.steps}
    runs = {trail.run.event_id for trail in trails}
    return runs | steps | {f"{verdict.event_id} verdict" for verdict in verdicts}


async def test_a_folder_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(Unavailable, match="cannot be used: Not a directory"):
        await write(tmp_path / "file" / "state")


def test_a_log_that_ends_whole_is_not_touched(tmp_path: Path) -> None:
    assert tail.trim(tmp_path, b"lease") == 0


def test_a_mark_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    (tmp_path / folder.MARK).write_text("{")

    assert folder.mark(tmp_path) == {}


def test_a_mark_is_read_as_it_was_noted(tmp_path: Path) -> None:
    folder.note(tmp_path, {"clean": True})

    assert json.loads((tmp_path / folder.MARK).read_text()) == folder.mark(tmp_path)
