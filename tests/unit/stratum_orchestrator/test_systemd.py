"""A service manager is told on a real datagram socket."""

import socket
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from stratum_orchestrator.systemd import ServiceManager


@pytest.fixture
def ear(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(str(tmp_path / "notify"))
        bound.settimeout(5)
        yield bound


def heard(ear: socket.socket) -> str:
    return ear.recv(4096).decode()


def test_it_is_told_that_we_are_ready_and_that_we_stop(ear: socket.socket) -> None:
    manager = ServiceManager({"NOTIFY_SOCKET": ear.getsockname()})

    manager.ready("at http://127.0.0.1:1\nfor ever")
    manager.stopping("3 runs are under way")

    assert heard(ear) == "READY=1\nSTATUS=at http://127.0.0.1:1 for ever"
    assert heard(ear) == "STOPPING=1\nSTATUS=3 runs are under way"


def test_an_abstract_socket_is_found() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind("")  # the kernel chooses an abstract name
        ear.settimeout(5)
        name = ear.getsockname().decode().replace("\0", "@", 1)

        ServiceManager({"NOTIFY_SOCKET": name}).ready("")

        assert heard(ear).startswith("READY=1")


async def test_the_watchdog_is_fed_as_long_as_the_loop_turns(ear: socket.socket) -> None:
    variables = {"NOTIFY_SOCKET": ear.getsockname(), "WATCHDOG_USEC": "20000"}
    manager = ServiceManager(variables)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(manager.keep_alive)
        said = [await anyio.to_thread.run_sync(heard, ear) for _ in range(3)]
        tasks.cancel_scope.cancel()

    assert said == ["WATCHDOG=1"] * 3


@pytest.mark.parametrize(
    ("variables", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, 30),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}, 0),
        ({"WATCHDOG_USEC": "soon"}, 0),
        ({}, 0),
    ],
)
def test_only_our_own_watchdog_counts(variables: dict[str, str], seconds: float) -> None:
    assert ServiceManager(variables, pid=7).watchdog_s == seconds


@pytest.mark.parametrize("named", ["", "vsock:2:1", "/nobody/listens/here"])
async def test_without_a_service_manager_nothing_happens(named: str) -> None:
    manager = ServiceManager({"NOTIFY_SOCKET": named})

    manager.ready("")
    await manager.keep_alive()
