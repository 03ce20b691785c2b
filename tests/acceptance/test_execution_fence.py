"""What a step cannot reach."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from stratum_graph.definitions import landlock
from stratum_orchestrator.ports import Ended
from support.levels import FENCED, NO_BUBBLEWRAP
from support.scripts import Bench

pytestmark = pytest.mark.acceptance
needs_tcp_rules = pytest.mark.skipif(
    landlock.abi() < 4 and bool(NO_BUBBLEWRAP), reason="TCP rules need Linux 6.7"
)
needs_signal_rules = pytest.mark.skipif(landlock.abi() < 6, reason="needs Linux 6.12")


@pytest.fixture(params=FENCED)
def level(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def bench(tmp_path: Path, level: str) -> Bench:
    return Bench(tmp_path, level=level)


@pytest.mark.parametrize(
    "body",
    [
        "open --raw ($env.OUTSIDE | path join secret)",
        "^cat ($env.OUTSIDE | path join secret)",
        "'x' | save ($env.OUTSIDE | path join new)",
        "'# more' | save --append $env.CURRENT_FILE",
        "^rm ($env.OUTSIDE | path join secret)",
        "^cat $'/proc/($env.DAEMON)/environ'",
        "ls /var/log",
        "'x' | save ($env.STRATUM_DATA | path join .. other)",
    ],
)
async def test_what_is_not_declared_is_denied(
    bench: Bench, tmp_path: Path, level: str, body: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")

    ended = await bench.run(body, env={"OUTSIDE": str(outside), "DAEMON": str(os.getpid())})

    assert ended.failure is not None
    assert ended.failure.error_class == "exit"
    assert (outside / "secret").read_text() == "secret"
    assert ended.level == level


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

    assert (ended.outputs, ended.level) == ({"home": True}, "limits, network open")


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


async def test_a_path_that_is_a_link_is_within_reach(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "code").write_text("code")
    (tmp_path / "link").symlink_to("real")

    ended = await bench.run(
        "{code: (open --raw ($env.LINK | path join code))} | to json",
        env={"LINK": str(tmp_path / "link")},
        read=(str(tmp_path / "link"),),
    )

    assert ended.outputs == {"code": "code"}


async def test_siblings_of_one_stage_see_nothing_of_each_other(bench: Bench) -> None:
    assert await peeps(bench) == [False, False]


async def test_without_a_fence_siblings_see_each_other(tmp_path: Path) -> None:
    assert await peeps(Bench(tmp_path, level="limits")) == [True, True]


async def peeps(bench: Bench) -> list[object]:
    """Whether each of two that run together saw the secret of the other, whose pid it knows."""
    body = """
      let began = $env.STRATUM_DATA | path join $'($env.STRATUM_NODE).began'
      $nu.pid | into string | save --raw $'($began).new'
      mv $'($began).new' $began
      while (glob ($env.STRATUM_DATA | path join *.began) | length) < 2 { sleep 20ms }
      let pids = glob ($env.STRATUM_DATA | path join *.began) | each { open --raw $in }
      let known = ^cat ...($pids | each { $'/proc/($in)/environ' }) | complete | get stdout
      let found = ^sh -c 'cat /proc/[0-9]*/environ' | complete | get stdout
      touch ($env.STRATUM_DATA | path join $'($env.STRATUM_NODE).done')
      while (glob ($env.STRATUM_DATA | path join *.done) | length) < 2 { sleep 20ms }
      {leaked: ($'($known)($found)' | str contains $env.SOUGHT)} | to json
    """
    ends: dict[str, Ended] = {}

    async def run(node: str, other: str) -> None:
        # The one that is sought must not be found in the environment of who seeks it.
        sought = body.replace("$env.SOUGHT", f"('of-the-other-' + '{other}')")
        ends[node] = await bench.run(sought, node=node, secrets={"KEY": f"of-the-other-{node}"})

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run, "a", "b")
        tasks.start_soon(run, "b", "a")
    return [(ends[node].outputs or {}).get("leaked") for node in "ab"]
