"""Two secrets go through everything that can happen to a step, and are found nowhere."""

import json
import signal
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import anyio
import pytest

from platform_nats.connection import ConnectionSettings, connect
from platform_nats.lookup import stored
from support.canary import Search, watched
from support.confidential import confide
from support.daemon import Daemon, write_node
from support.http import ask, pages, until_over
from support.lending import (
    a_running_vault,
    hold,
    let_go,
    notes,
    publish,
    settings,
    until_noted,
)
from support.notations import notations
from support.processes import descendants
from support.vault import PATH, Credential, Vault, a_node, needs_openbao

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(240), needs_openbao]

PLAIN = confide("c4n4ry-Zq7TtWm2LxBn7", "PLAIN")
PROSE = confide('c4n4ry "Öl/\\+=&% 8Vd?', "PROSE")
FIELDS = {"PLAIN": PLAIN, "PROSE": PROSE}
_SAY = r"""
def say [] {
  for each in [$env.PLAIN $env.PROSE] {
    print --stderr $"it is ($each), in JSON ($each | to json --raw)"
    print --stderr $"($each | encode hex) ($each | encode hex --lower)"
    print --stderr $"($each | url encode) ($each | url encode --all)"
    for before in ['' 'u' 'us'] { print --stderr ($"($before)($each):" | encode base64) }
  }
}
"""
_RUN = (
    _SAY
    + """
def main [] {
  let mode = $in | from json | get event.data.mode
  say
  "got\\n" | save --raw --append ($env.STRATUM_DATA | path join got)
  match $mode {
    "fail" => { error make { msg: $"it was ($env.PLAIN) and ($env.PROSE)" } }
    "hang" => { sleep 60sec }
    "wait" => { while not ($env.STRATUM_DATA | path join go | path exists) { sleep 20ms } }
    "leak" => { return ({ deployed: { ($env.PROSE): $env.PLAIN } } | to json --raw) }
    "spill" => { print $env.PLAIN; print $env.PROSE }
    _ => {}
  }
  { deployed: $mode } | to json --raw
}
"""
)
_UNDO = _SAY + "def main [] { say; error make --unspanned { msg: $env.PROSE } }"
_FAILS = "def main [] { error make --unspanned { msg: 'as told' } }"
MODES = ("fail", "hang", "leak", "spill", "good")


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with a_running_vault(tmp_path / "vault") as vault:
        wants = [
            Credential(name=name.lower(), env=name, path=PATH, field=name) for name in FIELDS
        ]
        vault.prepare([a_node(*wants)], {PATH: FIELDS})
        yield vault


@pytest.fixture
def daemon(vault: Vault, tmp_path: Path) -> Iterator[Daemon]:
    project = tmp_path / "project"
    project.mkdir()
    wants = ", ".join(
        f'{{ name = "{name.lower()}", env = "{name}", path = "{PATH}", field = "{name}" }}'
        for name in FIELDS
    )
    write_node(
        project,
        "deploy",
        'trigger = { pipeline = "ship", subjects = ["events.ship"] }, timeout = "8s", '
        f'produces = ["deployed"], handler.script = "run.nu", credentials = [{wants}], '
        'compensate = { script = "undo.nu", timeout = "8s", retry.attempts = 1, '
        'on = ["succeeded", "failed", "interrupted"] }',
        run=_RUN,
        undo=_UNDO,
    )
    write_node(
        project,
        "announce",
        'consumes = ["deployed"], produces = ["announced"], handler.script = "run.nu", '
        "effect = 'irreversible",
        run=_FAILS,
    )
    more = {"STRATUM_LOG__LEVEL": "debug", "STRATUM_RUNS__GRACE": "0"}
    made = Daemon(project, {**settings(vault, tmp_path), **more})
    yield made
    made.end()


def test_secrets_are_nowhere_but_in_their_process(vault: Vault, daemon: Daemon) -> None:
    search, before = Search(FIELDS.values()), vault.accessors()
    daemon.start()
    with watched(daemon, search):
        runs = [publish(daemon, mode) for mode in MODES]
        ended = [until_over(daemon, run) for run in runs]
        runs.append(cancelled(daemon))
        runs.append(waiting(daemon))
        look_at_processes(daemon, search)
        daemon.kill()  # in mid-step
        daemon.start()
    with watched(daemon, search):
        let_go(daemon)
        ended.append(until_over(daemon, runs[-1]))
        look_at_answers(daemon, search)
        look_at_streams(daemon, search)
        look_at_terminals(daemon, search, runs)
        waiting(daemon)
        assert daemon.stop(signal.SIGTERM) == 0
    search.look_below(daemon.project)

    assert [each["status"] for each in ended] == ["compensated"] * len(ended)
    assert all("[redacted:" in json.dumps(each) for each in ended)
    assert vault.accessors() == before  # of logins as well
    assert search.places > 300
    assert search.hits == []


def test_the_last_look_at_a_daemon_finds_what_was_left_in_its_files(tmp_path: Path) -> None:
    """An event's payload is no place for a secret: everything keeps it as it came."""
    write_node(
        tmp_path,
        "mail",
        'trigger = { pipeline = "mail", subjects = ["events.mail"] }, '
        'produces = ["mail"], handler.script = "run.nu", effect = \'pure',
    )
    daemon = Daemon(tmp_path)
    daemon.start()
    data = json.dumps({"is": PLAIN})
    daemon.cli("emit", "events.mail", "--data", data, "--wait", wanted=0)
    ask(daemon, "/api/v1/runs")
    (tmp_path / "planted").write_text((daemon.home / "keys" / "daemon.nk").read_text())

    with pytest.raises(AssertionError) as found:
        daemon.end()

    said = str(found.value)
    assert "the seed daemon.nk in" in said
    for place in ("/.stratum/db/", "/.stratum/nats/", "/heard", "/planted"):
        assert place in said


def test_a_secret_in_the_open_would_be_found(tmp_path: Path) -> None:
    for number, form in enumerate(sorted(notations(PROSE))):
        (tmp_path / str(number)).write_bytes(b"before it" + form + b"and behind")
    search = Search([PROSE])

    search.look_below(tmp_path)

    assert len({hit.partition(": ")[0] for hit in search.hits}) == len(notations(PROSE))


def cancelled(daemon: Daemon) -> object:
    """A run that is cancelled while its step has the secrets."""
    run = waiting(daemon)
    ask(daemon, f"/api/v1/runs/{run}/cancel", {"reason": "a test"})
    until_over(daemon, run)
    return run


def waiting(daemon: Daemon) -> object:
    """A run whose step has the secrets and waits."""
    hold(daemon)
    began = len(notes(daemon, "got"))
    run = publish(daemon, "wait")
    until_noted(daemon, "got", began + 1)
    return run


def look_at_processes(daemon: Daemon, search: Search) -> None:
    """The daemon's environment, its broker's, and what would become of a crash."""
    for pid in (daemon.pid, *descendants(daemon.pid)):
        with suppress(FileNotFoundError, ProcessLookupError):  # it may end meanwhile
            look_at_process(Path(f"/proc/{pid}"), search)


def look_at_process(folder: Path, search: Search) -> None:
    if (folder / "comm").read_text() != "nu\n":
        search.look(f"environment of {folder.name}", (folder / "environ").read_bytes())
    else:
        [cores] = [x for x in (folder / "limits").read_text().splitlines() if "core" in x]
        assert cores.split()[4] == "0"


def look_at_answers(daemon: Daemon, search: Search) -> None:
    """All that the API has to tell."""
    lists = ("status", "graph", "pipelines", "instances", "runs", "verdicts", "versions")
    paths = [f"/api/v1/{each}" for each in lists]
    for run in pages(daemon, "/api/v1/runs", "runs"):
        at = f"/api/v1/runs/{run['run']}"
        paths += [at, *(f"{at}/{part}" for part in ("plan", "logs", "journal", "evidence"))]
        paths += [f"{at}/nodes/deploy"]
    for path in paths:
        told = ask(daemon, path)
        search.look(path, json.dumps(told))
        search.look(path, json.dumps(told, ensure_ascii=False))
    for path in ("/metrics", "/readyz?verbose"):
        with urllib.request.urlopen(f"{daemon.address['http']}{path}") as answer:  # noqa: S310
            search.look(path, answer.read())


def look_at_streams(daemon: Daemon, search: Search) -> None:
    """All messages that the broker keeps: its files are compressed."""
    seed = (daemon.home / "keys" / "daemon.nk").read_text().strip()

    async def look() -> None:
        who = ConnectionSettings(url=str(daemon.address["nats"]), seed=seed)
        async with connect(who) as connection:
            for info in await connection.jetstream.streams_info():
                for number in range(info.state.first_seq, info.state.last_seq + 1):
                    found = await stored(connection, number, info.config.name or "")
                    told = (found.data or b"") + str(found.headers).encode() if found else b""
                    search.look(f"{info.config.name} {number}", told)

    anyio.run(look)


def look_at_terminals(daemon: Daemon, search: Search, runs: list[object]) -> None:
    for words in (("show", runs[0]), ("logs", runs[2]), ("journal", runs[1])):
        done = daemon.cli("run", *map(str, words), wanted=0)
        search.look(" ".join(map(str, words)), done.stdout + done.stderr)
