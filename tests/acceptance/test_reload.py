"""Definitions that change under a daemon at work."""

import os
import shutil
import signal
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from time import monotonic, time_ns
from typing import cast

import pytest

from stratum_graph.definitions.content import ContentStore
from support.daemon import REPOSITORY, Daemon, running, with_patience, write_node
from support.http import Answer, ask
from support.shell import told, within

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180)]

WITHIN_S = 40
TRIGGER = 'trigger = { pipeline = "greet", subjects = ["events.greet"] }'
GREET = f'{TRIGGER}, produces = ["greet"], handler.script = "run.nu", effect = \'pure'
CHANGED = '"principals": "changed"'
SAYS = 'def main [] {{ {{ greet: "{}" }} | to json --raw }}'


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """With policies of its own."""
    project = tmp_path_factory.mktemp("project")
    shutil.copytree(REPOSITORY / "policies", project / "rules")
    write_node(project, "greet", GREET, run=SAYS.format("one"))
    with running(project, {"STRATUM_POLICIES__FOLDER": "rules"}) as up:
        yield up


@pytest.fixture
def daemon(shared: Daemon) -> Daemon:
    """As if it had just begun, whatever others have done to it."""
    folder, rules = shared.project / "nodes", shared.project / "rules"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(REPOSITORY / "policies", rules, dirs_exist_ok=True)
    write_node(shared.project, "greet", GREET, run=SAYS.format("one"))
    node = node_file(shared)  # another one than ever before, so that it is read again
    node.write_text(f"# {time_ns()}\n{node.read_text().replace('name', named(time_ns()), 1)}")
    until(lambda: reloaded(shared) and nodes(shared) == {"greet"}, shared)
    return shared


def named(version: int) -> str:
    """A version that nobody had, before the name."""
    return f'version = "1.0.{version % 10**9}", name'


def reloaded(daemon: Daemon) -> bool:
    """Whether what there is now is in force, and nothing is wrong with it."""
    came = ask(daemon, "/api/v1/reload", {"reason": "it is to be as at first"})
    return came["outcome"] in {"live", "unchanged"} and latest(daemon)["outcome"] == "live"


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
    run = told(daemon.project, "emit", "events.greet", "--data", "{}", "--wait")
    return cast("list[dict[str, dict[str, object]]]", run["steps"])[0]["outputs"]["greet"]


def node_file(daemon: Daemon) -> Path:
    return daemon.project / "nodes" / "greet" / "node.ncl"


def script(daemon: Daemon) -> Path:
    return daemon.project / "nodes" / "greet" / "run.nu"


def test_a_changed_script_is_live_without_a_restart(daemon: Daemon) -> None:
    was, said = status(daemon)["generation"], greeting(daemon)

    script(daemon).write_text(SAYS.format("two"))
    until(lambda: status(daemon)["generation"] != was, daemon)

    assert (said, greeting(daemon)) == ("one", "two")
    assert latest(daemon)["changed"] == ["greet"]


def test_a_broken_file_costs_no_event_and_a_mended_one_goes_live(daemon: Daemon) -> None:
    was = status(daemon)["generation"]
    sound = node_file(daemon).read_text()

    node_file(daemon).write_text(sound.replace("effect", "efect"))
    until(lambda: "efect" in why(daemon), daemon)
    meanwhile = greeting(daemon)
    ready = within(daemon.project, "status")
    refused = told(daemon.project, "reload", wanted=65)
    node_file(daemon).write_text(sound.replace("1.0.", "2.0."))
    until(lambda: latest(daemon).get("outcome") == "live", daemon)

    assert meanwhile == "one"
    assert ready.exit_code == 0
    assert "nodes/greet/node.ncl:2" in ready.stdout
    assert "unknown field `efect`" in str(refused["why"])
    assert refused["generation"] == was
    assert status(daemon)["generation"] != was
    assert "degraded" not in within(daemon.project, "status").stdout
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
    key = told(daemon.project, "keys", "new", "ada")["public"]
    more = f'{{ key = "{key}", name = "ada", groups = ["publishers"] }}'

    changes = daemon.log.count(CHANGED)
    principals.write_text(f"({alone}) @ [{more}]")
    until(lambda: daemon.log.count(CHANGED) > changes, daemon)
    emit = ("emit", "events.greet", "--data", "{}", "--as", "ada", "--wait")
    heard = within(daemon.project, *emit)
    changes = daemon.log.count(CHANGED)
    principals.write_text(alone)
    until(lambda: daemon.log.count(CHANGED) > changes, daemon)
    unheard = within(daemon.project, *emit)

    assert heard.exit_code == 0, heard.stderr
    assert unheard.exit_code != 0


def test_policies_are_taken_whole_or_not_at_all(daemon: Daemon) -> None:
    rules = daemon.project / "rules"
    roles, cases = rules / "roles.cedar", rules / "cases.json"
    sound = roles.read_text()

    roles.write_text(sound + '\n@id("typo")\npermit (principal, action, resoruce);\n')
    until(lambda: "resoruce" in why(daemon), daemon)
    place, meanwhile = why(daemon), greeting(daemon)
    nobody = 'forbid (principal, action == Stratum::Action::"trigger", resource);'
    roles.write_text(f'{sound}\n@id("closed")\n{nobody}')
    cases.unlink()
    until(lambda: latest(daemon).get("policies_changed") is True, daemon)
    refused = within(daemon.project, "emit", "events.greet", "--data", "{}", "--wait")

    assert "roles.cedar:" in place
    assert meanwhile == "one"
    assert refused.exit_code == 4


ODD: Sequence[tuple[str, Callable[[Path], None]]] = [
    (place, make)
    for place in ("nodes/odd.ncl", "rules/odd.cedar", "rules/cases.json")
    for make in (
        os.mkfifo,
        lambda x: x.symlink_to("/dev/zero"),
        lambda x: x.symlink_to(x.name),
    )
]


def test_what_is_no_file_is_refused_and_when_it_is_gone_forgotten(daemon: Daemon) -> None:
    cases = (daemon.project / "rules" / "cases.json").read_bytes()
    said = []
    for place, make in (*ODD, ("rules/odd.cedar", Path.mkdir)):
        odd = daemon.project / place
        odd.unlink(missing_ok=True)
        make(odd)
        refused = ask(daemon, "/api/v1/reload", {"reason": "a test"})
        (odd.rmdir if odd.is_dir() else odd.unlink)()
        (daemon.project / "rules" / "cases.json").write_bytes(cases)
        named = f"{place}:1:1: " in str(refused["why"])
        said.append((refused["outcome"], named, reloaded(daemon)))

    assert set(said) == {("refused", True, True)}
    assert greeting(daemon) == "one"


def test_a_policy_behind_a_link_is_read_again_when_it_changes(daemon: Daemon) -> None:
    beside = daemon.project / "beside.cedar"
    beside.write_text('@id("more.one")\npermit (principal, action, resource);\n')
    link = daemon.project / "rules" / "more.cedar"
    link.symlink_to(beside)
    first = ask(daemon, "/api/v1/reload", {"reason": "a test"})
    beside.write_text("permit (")
    second = ask(daemon, "/api/v1/reload", {"reason": "a test"})
    link.unlink()

    assert (first["outcome"], second["outcome"]) == ("refused", "refused")
    assert "more.cedar:1:" in str(second["why"])
    assert first["why"] != second["why"]
    assert reloaded(daemon)


def test_principals_that_lead_to_themselves_change_nothing(daemon: Daemon) -> None:
    people = daemon.home / "principals.ncl"
    was = people.read_bytes()
    people.unlink()
    people.symlink_to(people.name)
    refused = ask(daemon, "/api/v1/reload", {"reason": "a test"})
    people.unlink()
    people.write_bytes(was)

    assert f"{people}:1:1: is a symbolic link" in str(refused["why"])
    assert reloaded(daemon)


def test_a_register_that_cannot_be_read_is_told_until_it_can(daemon: Daemon) -> None:
    register = daemon.home / "access" / "principals.json"
    register.parent.mkdir(exist_ok=True)
    register.symlink_to(register.name)
    until(lambda: "degraded: the former ones stay in force" in principals(daemon), daemon)
    register.unlink()

    until(lambda: principals(daemon) == "[+]principals ok", daemon)


def principals(daemon: Daemon) -> str:
    """What readiness says of them."""
    address = f"{daemon.address['http']}/readyz?verbose"
    with urllib.request.urlopen(address) as answer:  # noqa: S310 - loopback
        lines: list[str] = answer.read().decode().splitlines()
    return next(line for line in lines if "]principals " in line)


def test_a_version_that_breaks_a_consumer_is_refused_with_both_places(daemon: Daemon) -> None:
    shutil.rmtree(daemon.project / "nodes")
    schemas = 'let s = (import "stratum.ncl").schema in '
    given = "output_schemas.greet = s.object { word = s.nonempty }"
    wanted = "input_schemas.greet = s.object { word = s.nonempty }"
    for name, declared in (
        ("greet", f"{GREET}, {given}"),
        ("shout", f'consumes = ["greet"], handler.script = "run.nu", {wanted}'),
    ):
        write_node(daemon.project, name, declared)
        file = daemon.project / "nodes" / name / "node.ncl"
        file.write_text(schemas + file.read_text())
    until(lambda: nodes(daemon) == {"greet", "shout"}, daemon)
    producer = node_file(daemon)

    producer.write_text(producer.read_text().replace("word = s.nonempty", "word = s.integer"))
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
