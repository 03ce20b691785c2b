"""An OpenBao of the daemon's own: a step that looks around, and a server that dies."""

import os
import signal
from collections.abc import Iterator

import pytest

from support.daemon import Daemon, running, with_patience, write_node
from support.http import ask, pages
from support.processes import descendants, program
from support.vault import PATH, needs_openbao

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180), needs_openbao]

_LURK = r"""
def look [file: string] {
  glob '/proc/[0-9]*' --depth 1 | each {|folder|
    try {
      let said = open --raw ($folder | path join $file)
      let name = open --raw ($folder | path join comm) | str trim
      { pid: ($folder | path basename), name: $name, shows: ($said =~ 's\.[A-Za-z0-9]{24}') }
    }
  } | compact
}
def main [] {
  let seen = (look environ) ++ (look cmdline)
  { lurk: {
    read: ($seen | get name | uniq),
    shows: ($seen | where shows | get pid | uniq),
    lent: ($env.TOKEN | hash sha256)
  } } | to json --raw
}
"""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    project = tmp_path_factory.mktemp("project")
    lent = f'credentials = [{{ name = "t", env = "TOKEN", path = "{PATH}", field = "f" }}]'
    write_node(
        project,
        "lurk",
        'trigger = { pipeline = "lurk", subjects = ["events.lurk"] }, produces = ["lurk"], '
        f'handler.script = "run.nu", effect = \'pure, {lent}',
        run=_LURK,
    )
    settings = {
        "STRATUM_CREDENTIALS__PROVIDER": "openbao-dev",
        "STRATUM_EXECUTION__LEVEL": "limits",
    }
    with running(project, settings) as up:
        yield up


def lurk(daemon: Daemon) -> dict[str, object]:
    """What a step saw."""
    daemon.cli("emit", "events.lurk", "--wait", wanted=0)
    newest = next(pages(daemon, "/api/v1/runs", "runs"))
    [step] = ask(daemon, f"/api/v1/runs/{newest['run']}")["steps"]  # type: ignore[misc]
    found: dict[str, object] = step["outputs"]["lurk"]
    return found


def servers(daemon: Daemon) -> list[int]:
    """The processes of the daemon that are an OpenBao."""
    return [pid for pid in descendants(daemon.pid) if program(pid) == "bao"]


def test_a_step_with_nothing_but_limits_finds_no_token_in_any_process(daemon: Daemon) -> None:
    seen = lurk(daemon)

    ours = {str(pid) for pid in (daemon.pid, *descendants(daemon.pid))}
    assert "bao" in seen["read"]  # type: ignore[operator]
    assert ours.isdisjoint(seen["shows"])  # type: ignore[arg-type] - others test beside us


def test_a_server_that_dies_is_started_again_and_lends_what_it_lent(daemon: Daemon) -> None:
    before, [server] = lurk(daemon), servers(daemon)

    os.kill(server, signal.SIGKILL)
    while "openbao runs again" not in daemon.log:
        with_patience()
    after = lurk(daemon)

    assert "openbao ended" in daemon.log
    assert after["lent"] == before["lent"]
    assert servers(daemon) != [server]
