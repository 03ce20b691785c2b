"""A project whose nodes are lent values by a real OpenBao."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import anyio
from anyio.from_thread import start_blocking_portal

from platform_nats.publisher import publisher
from support.daemon import Daemon, with_patience, write_node
from support.http import Answer, ask
from support.vault import PATH, Vault, a_vault

TIMEOUT_S = 5
GRACE_S = 3
LASTS_S = TIMEOUT_S + GRACE_S

_DEPLOY = """
def note [name: string, text: string] {
  $text | save --raw --append ($env.STRATUM_DATA | path join $name)
}
def main [] {
  let mode = $in | from json | get event.data.mode
  note got $"($env.DEPLOY_TOKEN | hash sha256)\\n"
  match $mode {
    "fail" => { error make --unspanned { msg: "as told" } }
    "hang" => { sleep 60sec }
    "wait" => { while not ($env.STRATUM_DATA | path join go | path exists) { sleep 20ms } }
    "say" => { print --stderr $"it is ($env.DEPLOY_TOKEN)" }
    "leak" => { return ({ deployed: $env.DEPLOY_TOKEN } | to json --raw) }
    _ => {}
  }
  { deployed: $mode } | to json --raw
}
"""
_UNDO = """
def main [] {
  $"($env.DEPLOY_TOKEN | hash sha256)\\n"
  | save --raw --append ($env.STRATUM_DATA | path join undone)
}
"""
_ANNOUNCE = """
def main [] {
  if ($in | from json | get inputs.deployed) == "undo" {
    error make --unspanned { msg: "nobody listens" }
  }
  { announced: true } | to json --raw
}
"""


def write_project(project: Path) -> None:
    """`deploy` is lent a value, and so is its undoing; `announce` comes behind it.

    `stranger` wants something that nobody has made a role for.
    """
    wants = f'credentials = [{{ name = "deploy", env = "DEPLOY_TOKEN", path = "{PATH}", '
    wants += 'field = "token" }]'
    write_node(
        project,
        "deploy",
        'trigger = { pipeline = "ship", subjects = ["events.ship"] }, '
        'produces = ["deployed"], handler.script = "run.nu", '
        f'compensate = {{ script = "undo.nu", timeout = "{TIMEOUT_S}s" }}, '
        f'timeout = "{TIMEOUT_S}s", {wants}, '
        'retry = { attempts = 3, delay = "200ms", on = ["credential", "lost"] }',
        run=_DEPLOY,
        undo=_UNDO,
    )
    write_node(
        project,
        "announce",
        'consumes = ["deployed"], produces = ["announced"], handler.script = "run.nu", '
        "effect = 'pure",
        run=_ANNOUNCE,
    )
    write_node(
        project,
        "stranger",
        'trigger = { pipeline = "strange", subjects = ["events.strange"] }, '
        f'produces = ["stranger"], handler.script = "run.nu", effect = \'pure, {wants}',
    )


def settings(
    vault: Vault, folder: Path, port: int = 0, timeout_s: int = 5
) -> Mapping[str, str]:
    """What a daemon needs to log in there, through a port before it if there is one.

    `timeout_s` is how long the vault may take: on a busy machine, it takes its time.
    """
    role, secret = vault.use_approle(folder)
    return {
        "STRATUM_CREDENTIALS__PROVIDER": "vault",
        "STRATUM_CREDENTIALS__URL": f"http://127.0.0.1:{port}" if port else vault.url,
        "STRATUM_CREDENTIALS__ROLE": role,
        "STRATUM_CREDENTIALS__SECRET_FILE": str(secret),
        "STRATUM_CREDENTIALS__TIMEOUT": f"{timeout_s}s",
        "STRATUM_CREDENTIALS__GRACE": f"{GRACE_S}s",
        "STRATUM_EXECUTION__GRACE": "500ms",
    }


@contextmanager
def a_running_vault(folder: Path) -> Iterator[Vault]:
    """As `a_vault`, for tests that are not async."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(a_vault(folder)) as vault,
    ):
        yield vault


def send(daemon: Daemon, mode: str, subject: str = "events.ship") -> int:
    """Publish an event as the developer; its sequence."""
    seed = (daemon.home / "keys" / "developer.nk").read_text().strip()

    async def publish() -> int:
        async with publisher(str(daemon.address["nats"]), seed, "stratum") as out:
            return (await out.publish(subject, {"mode": mode})).sequence

    return anyio.run(publish)


def publish(daemon: Daemon, mode: str, subject: str = "events.ship") -> object:
    """Publish an event as the developer; the id of its run."""
    told = ask(daemon, f"/api/v1/verdicts/{send(daemon, mode, subject)}?wait=30")
    [run] = cast("list[object]", told["runs"])
    return run


def receipts(run: Answer) -> list[dict[str, str]]:
    """What the processes of a run were lent."""
    return cast("list[dict[str, str]]", run["credentials"])


def emit(daemon: Daemon, mode: str, *more: str, wanted: int | None = None) -> str:
    """Publish an event; what the command printed."""
    data = f'{{"mode": "{mode}"}}'
    return daemon.cli("emit", "events.ship", "--data", data, *more, wanted=wanted).stdout


def notes(daemon: Daemon, name: str) -> list[str]:
    """What the scripts noted."""
    file = daemon.home / "pipelines" / "ship" / name
    return file.read_text().splitlines() if file.exists() else []


def until_noted(daemon: Daemon, name: str, times: int) -> None:
    while len(notes(daemon, name)) < times:
        with_patience()


def until_nothing_is_leased(vault: Vault) -> None:
    while vault.leased():
        with_patience()


def let_go(daemon: Daemon) -> None:
    """Let what waits go on."""
    folder = daemon.home / "pipelines" / "ship"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / "go").touch()


def hold(daemon: Daemon) -> None:
    """Let what will wait do so."""
    (daemon.home / "pipelines" / "ship" / "go").unlink(missing_ok=True)
