"""What a step cannot reach."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from stratum_graph.definitions import landlock
from support.scripts import Bench

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.skipif(landlock.abi() == 0, reason="this kernel has no Landlock"),
]
needs_tcp_rules = pytest.mark.skipif(landlock.abi() < 4, reason="TCP rules need Linux 6.7")
needs_signal_rules = pytest.mark.skipif(landlock.abi() < 6, reason="needs Linux 6.12")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.mark.parametrize(
    "body",
    [
        "open --raw ($env.OUTSIDE | path join secret)",
        "^cat ($env.OUTSIDE | path join secret)",
        "'x' | save ($env.OUTSIDE | path join new)",
        "'# more' | save --append $env.CURRENT_FILE",
        "^rm ($env.OUTSIDE | path join secret)",
        "^cat $'/proc/($env.DAEMON)/environ'",
        "^cat /proc/self/environ",
        "ls /tmp",
        "'x' | save ($env.STRATUM_DATA | path join .. other)",
    ],
)
async def test_what_is_not_declared_is_denied(bench: Bench, tmp_path: Path, body: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")

    ended = await bench.run(body, env={"OUTSIDE": str(outside), "DAEMON": str(os.getpid())})

    assert ended.failure is not None
    assert ended.failure.error_class == "exit"
    assert (outside / "secret").read_text() == "secret"
    assert ended.level == "landlock"


@needs_signal_rules
async def test_a_step_cannot_signal_the_daemon(bench: Bench) -> None:
    ended = await bench.run("^kill -0 $env.DAEMON", env={"DAEMON": str(os.getpid())})

    assert ended.failure is not None


async def test_declared_paths_are_within_reach(bench: Bench, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    (source / "code").write_text("code")
    body = "open --raw $'($env.SOURCE)/code' | save $'($env.TARGET)/copy'"

    ended = await bench.run(
        body,
        env={"SOURCE": str(source), "TARGET": str(target)},
        read=(str(source),),
        write=(str(target),),
    )

    assert ended.failure is None
    assert (target / "copy").read_text() == "code"


async def test_the_daemons_folder_stays_closed_within_a_declared_one(
    bench: Bench, tmp_path: Path
) -> None:
    (tmp_path / "code").write_text("code")
    bench.settings.data.mkdir(exist_ok=True)
    (bench.settings.data / "key").write_text("seed")
    body = """
      let key = (do { ^cat $'($env.PROJECT)/data/key' } | complete)
      {code: (open --raw $'($env.PROJECT)/code'), read: $key.exit_code,
       names: (ls $env.PROJECT | get name | path basename)} | to json
    """

    ended = await bench.run(body, env={"PROJECT": str(tmp_path)}, read=(str(tmp_path),))

    assert ended.outputs is not None
    assert (ended.outputs["code"], ended.outputs["read"]) == ("code", 1)
    assert {"code", "data"} <= set(ended.outputs["names"])  # type: ignore[call-overload]


@needs_tcp_rules
@pytest.mark.parametrize("network", [True, False])
async def test_only_a_node_that_declares_the_network_has_it(
    bench: Bench, *, network: bool
) -> None:
    async with listener() as port:
        ended = await bench.run(
            "^bash -c $'exec 3<>/dev/tcp/127.0.0.1/($env.PORT) && cat <&3 >&2'",
            env={"PORT": str(port)},
            network=network,
        )

    assert (ended.failure is None) == network
    assert ("hello" in ended.stderr) == network


async def test_without_a_fence_the_level_says_so(tmp_path: Path) -> None:
    open_bench = Bench(tmp_path, level="limits")

    ended = await open_bench.run("{home: (ls / | length | $in > 0)} | to json")

    assert (ended.outputs, ended.level) == ({"home": True}, "limits")


@asynccontextmanager
async def listener() -> AsyncIterator[int]:
    async def greet(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            await stream.send(b"hello\n")

    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as server,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(server.serve, greet)
        yield server.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610
        tasks.cancel_scope.cancel()
