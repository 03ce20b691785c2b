"""Definitions that change under a daemon at work."""

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from time import monotonic
from typing import cast

import pytest

from stratum_graph.definitions.content import ContentStore
from support.daemon import REPOSITORY, Daemon, running, with_patience, write_node
from support.http import Answer, ask

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180)]

WITHIN_S = 40
TRIGGER = 'trigger = { pipeline = "greet", subjects = ["events.greet"] }'
GREET = f'{TRIGGER}, produces = ["greet"], handler.script = "run.nu", effect = \'pure'
SAYS = 'def main [] {{ {{ greet: "{}" }} | to json --raw }}'


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    write_node(tmp_path, "greet", GREET, run=SAYS.format("one"))
    with running(tmp_path) as up:
        yield up


def until(holds: Callable[[], bool], daemon: Daemon) -> None:
    """Wait for what another process does."""
    give_up = monotonic() + WITHIN_S
    while not holds():
        if monotonic() > give_up:
            pytest.fail(f"it does not come about:\n{daemon.log[-4000:]}")
        with_patience()


def status(daemon: Daemon) -> Answer:
    return ask(daemon, "/api/v1/status")


def latest(daemon: Daemon) -> Answer:
    """What came of the last attempt that met something new."""
    return cast("Answer", status(daemon)["reload"] or {})


def why(daemon: Daemon) -> str:
    """What stands in the way. A file may be looked at while it is only half written."""
    return str(latest(daemon).get("why", ""))


def nodes(daemon: Daemon) -> set[str]:
    graph = ask(daemon, "/api/v1/graph")
    return {each["name"] for each in cast("list[dict[str, str]]", graph["nodes"])}


def greeting(daemon: Daemon) -> object:
    """What a run of now says."""
    run = daemon.answer("emit", "events.greet", "--data", "{}", "--wait")
    return cast("list[dict[str, dict[str, object]]]", run["steps"])[0]["outputs"]["greet"]


def node_file(daemon: Daemon) -> Path:
    return daemon.project / "nodes" / "greet" / "node.ncl"


def script(daemon: Daemon) -> Path:
    return daemon.project / "nodes" / "greet" / "run.nu"


def test_a_changed_script_is_live_without_a_restart(daemon: Daemon) -> None:
    assert greeting(daemon) == "one"

    script(daemon).write_text(SAYS.format("two"))
    until(lambda: latest(daemon).get("changed") == ["greet"], daemon)

    assert greeting(daemon) == "two"


def test_a_broken_file_costs_no_event_and_a_mended_one_goes_live(daemon: Daemon) -> None:
    was = status(daemon)["generation"]
    sound = node_file(daemon).read_text()

    node_file(daemon).write_text(sound.replace("effect", "efect"))
    until(lambda: "efect" in why(daemon), daemon)
    meanwhile = greeting(daemon)
    ready = daemon.cli("status")
    refused = daemon.cli("reload", "-o", "json", wanted=65)
    node_file(daemon).write_text(sound.replace("effect", 'version = "2.0.0", effect'))
    until(lambda: latest(daemon).get("outcome") == "live", daemon)

    assert meanwhile == "one"
    assert ready.returncode == 0
    assert "nodes/greet/node.ncl:1" in ready.stdout
    assert "unknown field `efect`" in json.loads(refused.stdout)["why"]
    assert json.loads(refused.stdout)["generation"] == was
    assert status(daemon)["generation"] != was
    assert "degraded" not in daemon.cli("status").stdout
    assert greeting(daemon) == "one"


def test_a_script_that_does_not_parse_is_not_taken(daemon: Daemon) -> None:
    script(daemon).write_text("def main [] { let x = }")
    until(lambda: "nodes/greet/run.nu:1:" in why(daemon), daemon)

    assert greeting(daemon) == "one"


def test_folders_that_are_deleted_keep_serving_and_come_back(daemon: Daemon) -> None:
    folder = daemon.project / "nodes"

    shutil.rmtree(folder)
    until(lambda: latest(daemon).get("outcome") == "refused", daemon)
    kept = greeting(daemon)
    write_node(daemon.project, "greet", GREET, run=SAYS.format("again"))
    until(lambda: greeting(daemon) == "again", daemon)

    assert kept == "one"


def test_a_folder_that_appears_takes_the_place_of_the_examples(tmp_path: Path) -> None:
    with running(tmp_path) as daemon:
        assert "greet" not in nodes(daemon)

        write_node(tmp_path, "greet", GREET, run=SAYS.format("own"))
        until(lambda: nodes(daemon) == {"greet"}, daemon)

        assert greeting(daemon) == "own"


def test_a_new_principal_may_publish_and_a_removed_one_may_not(daemon: Daemon) -> None:
    principals = daemon.home / "principals.ncl"
    alone = principals.read_text()
    key = daemon.answer("keys", "new", "ada")["public"]
    more = f'{{ key = "{key}", name = "ada", groups = ["publishers"] }}'

    principals.write_text(f"({alone}) @ [{more}]")
    until(lambda: '"principals": "changed"' in daemon.log, daemon)
    heard = daemon.cli("emit", "events.greet", "--data", "{}", "--as", "ada", "--wait")
    principals.write_text(alone)
    until(lambda: daemon.log.count('"principals": "changed"') > 1, daemon)
    unheard = daemon.cli("emit", "events.greet", "--data", "{}", "--as", "ada", "--wait")

    assert heard.returncode == 0, heard.stderr
    assert unheard.returncode != 0


def test_policies_are_taken_whole_or_not_at_all(tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY / "policies", tmp_path / "rules")
    write_node(tmp_path, "greet", GREET, run=SAYS.format("one"))
    roles = tmp_path / "rules" / "roles.cedar"
    sound = roles.read_text()
    with running(tmp_path, {"STRATUM_POLICIES__FOLDER": "rules"}) as daemon:
        roles.write_text(sound + '\n@id("typo")\npermit (principal, action, resoruce);\n')
        until(lambda: "resoruce" in why(daemon), daemon)
        place = why(daemon)
        assert greeting(daemon) == "one"

        nobody = 'forbid (principal, action == Stratum::Action::"trigger", resource);'
        strict = f'\n@id("closed")\n{nobody}'
        roles.write_text(sound + strict)
        (tmp_path / "rules" / "cases.json").unlink()
        until(lambda: latest(daemon).get("policies_changed") is True, daemon)

        assert "roles.cedar:" in place
        assert daemon.cli("emit", "events.greet", "--data", "{}", "--wait").returncode == 4


def test_a_version_that_breaks_a_consumer_is_refused_with_both_places(tmp_path: Path) -> None:
    schemas = 'let s = (import "stratum.ncl").schema in '
    given = "output_schemas.greet = s.object { word = s.nonempty }"
    wanted = "input_schemas.greet = s.object { word = s.nonempty }"
    for name, declared in (
        ("greet", f"{GREET}, {given}"),
        ("shout", f'consumes = ["greet"], handler.script = "run.nu", {wanted}'),
    ):
        write_node(tmp_path, name, declared)
        file = tmp_path / "nodes" / name / "node.ncl"
        file.write_text(schemas + file.read_text())
    producer = tmp_path / "nodes" / "greet" / "node.ncl"
    with running(tmp_path) as daemon:
        producer.write_text(
            producer.read_text().replace("word = s.nonempty", "word = s.integer")
        )
        until(lambda: "cannot take `greet`" in why(daemon), daemon)

        assert "nodes/shout/node.ncl:1" in why(daemon)
        assert "`greet` (nodes/greet/node.ncl:1)" in why(daemon)


def test_a_script_from_elsewhere_outlives_its_source(tmp_path: Path) -> None:
    one, two = SAYS.format("one").encode(), SAYS.format("two").encode()
    write_node(tmp_path, "greet", GREET)
    file = tmp_path / "nodes" / "greet" / "node.ncl"
    (tmp_path / "stratum.ncl").write_text('{ scripts.hosts = ["127.0.0.1"] }')
    ContentStore(tmp_path / ".stratum" / "content").put(one)  # of an earlier start
    file.write_text(file.read_text().replace('"run.nu"', from_nobody(one)))
    with running(tmp_path) as daemon:
        file.write_text(file.read_text().replace(from_nobody(one), from_nobody(two)))
        until(lambda: "127.0.0.1:1 does not answer" in why(daemon), daemon)
        said = [greeting(daemon)]
        file.with_name(f"sha256-{sha256(two).hexdigest()}.nu").write_bytes(two)
        until(lambda: latest(daemon).get("changed") == ["greet"], daemon)
        said.append(greeting(daemon))

    assert said == ["one", "two"]


def from_nobody(content: bytes) -> str:
    """A script that comes from a server which is away."""
    source = 'uri = "http://127.0.0.1:1/a.nu", source.type = \'http'
    return f'{{ {source}, sha256 = "{sha256(content).hexdigest()}" }}'


def test_a_signal_reloads(daemon: Daemon) -> None:
    os.kill(daemon.pid, signal.SIGHUP)

    until(lambda: "reload asked for" in daemon.log, daemon)

    assert greeting(daemon) == "one"


def test_a_run_ends_on_its_plan_when_every_definition_is_gone(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    gate, note = shared / "gate", shared / "undone"
    write_a_run_to_be_undone(tmp_path, gate, note)
    with running(tmp_path) as daemon:
        daemon.cli("emit", "events.greet", "--data", "{}", wanted=0)
        until(lambda: runs(daemon, "running") != [], daemon)
        plan = runs(daemon, "running")[0]["plan"]

        daemon.kill()
        for each in (tmp_path / "nodes").rglob("*.*"):
            each.unlink()
        daemon.start()
        defined = nodes(daemon)
        gate.touch()
        until(lambda: runs(daemon, "compensated") != [], daemon)

        [run] = runs(daemon, "compensated")
        assert (defined, "no node is defined" in daemon.log) == (set(), True)
        assert (run["plan"], run["compensation"]) == (plan, "clean")
        assert note.read_text() == "undone"


def write_a_run_to_be_undone(project: Path, gate: Path, note: Path) -> None:
    """Two nodes: one that leaves a note when it is undone, one that fails behind a gate."""
    touches = f'handler = {{ script = "run.nu", write = ["{gate.parent}"] }}'
    first = f'{TRIGGER}, produces = ["greet"], {touches}, compensate.script = "undo.nu"'
    undo = f"def main [] {{ 'undone' | save --force {note} }}"
    write_node(project, "greet", first, run=SAYS.format("one"), undo=undo)
    waits = f"while not ('{gate}' | path exists) {{ sleep 50ms }}; exit 1"
    second = f'consumes = ["greet"], {touches}, compensate.script = "undo.nu"'
    write_node(
        project, "wait", second, run=f"def main [] {{ {waits} }}", undo="def main [] { }"
    )


def runs(daemon: Daemon, status: str) -> list[Answer]:
    return cast("list[Answer]", ask(daemon, f"/api/v1/runs?status={status}")["runs"])
