"""A daemon whose definitions are a bundle: started, replaced, rolled back, cut off."""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from support import registry
from support.daemon import Daemon, with_patience, write_node

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(240)]

DECLARED = (
    'trigger = { pipeline = "hello", subjects = ["events.hello"] }, '
    'produces = ["hello"], handler.script = "run.nu", effect = \'pure'
)
SAYS = 'def main [] {{ {0} {{ hello: "{1}" }} | to json --raw }}'


class Shop:
    """A project, the place where it publishes, and the daemon that lives on what is there."""

    def __init__(self, project: Path, reference: str) -> None:
        self.daemon = Daemon(project)
        self.reference = reference
        self.project = project

    def write(self, word: str, first: str = "") -> None:
        folder = self.project / "nodes" / "hello"
        if not folder.is_dir():
            write_node(self.project, "hello", DECLARED)
        (folder / "run.nu").write_text(SAYS.format(first, word))

    def publish(self, *more: str) -> str:
        return str(self.daemon.answer("publish", self.reference, *more)["digest"])

    def says(self, version: str = "") -> object:
        """What a new run gives; of a version, if one is named."""
        named = ("--version", version) if version else ()
        done = self.daemon.answer("emit", "events.hello", "--data", "{}", "--wait", *named)
        return outputs(done)

    def bundle(self) -> str:
        """What readiness says of the bundle."""
        address = f"{self.daemon.address['http']}/readyz?verbose"
        with urllib.request.urlopen(address) as answer:  # noqa: S310 - loopback
            lines: list[str] = answer.read().decode().splitlines()
        return next(line for line in lines if "]bundle " in line)

    def versions(self) -> list[dict[str, object]]:
        done = self.daemon.cli("versions", "--output", "json", wanted=0)
        found: list[dict[str, object]] = json.loads(done.stdout)
        return found


def outputs(done: dict[str, object]) -> object:
    (step,) = done["steps"]  # type: ignore[misc]
    return step["outputs"]["hello"]


@pytest.fixture(params=["layout", "registry"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    with ExitStack() as stack:
        reference = "oci-layout:bundles:stable"
        if request.param == "registry":
            if registry.PROGRAM is None:
                pytest.skip(registry.MISSING)
            host = stack.enter_context(registry.serving(tmp_path))
            reference = f"oci://{host}/team/nodes:stable"
        project = tmp_path / "project"
        project.mkdir()
        shop = opened(project, reference)
        stack.callback(shop.daemon.end)
        yield shop


def opened(project: Path, reference: str) -> Shop:
    """A shop whose daemon trusts the key that it publishes with."""
    shop = Shop(project, reference)
    key = shop.daemon.answer("keys", "new", "developer")["public"]
    (project / "stratum.ncl").write_text(
        f'{{ definitions = {{ source = "{reference}", signers = ["{key}"] }} }}'
    )
    return shop


def test_a_bundle_is_published_run_replaced_and_brought_back(shop: Shop) -> None:
    shop.write("one")
    first = shop.publish()
    shop.daemon.start()
    said = [shop.says()]
    shop.write("two")
    second = shop.publish()
    said.append(shop.says())
    unknown = shop.daemon.cli("emit", "events.hello", "--version", "stable")
    shop.daemon.cli("pull", second, wanted=0)
    tried = shop.says("stable"), [(x["digest"], x["active"]) for x in shop.versions()]

    shop.daemon.cli("activate", "stable", "--reason", "a test", wanted=0)
    said.append(shop.says())
    again = shop.says(first[:15])
    shop.daemon.cli("rollback", "--reason", "another", wanted=0)
    said.append(shop.says())
    shop.daemon.stop()
    shop.daemon.start()
    said.append(shop.says())

    assert said == ["one", "one", "two", "one", "one"]
    assert (unknown.returncode, f"stratum pull {second}" in unknown.stdout) == (4, True)
    assert (tried, again) == (("two", [(first, True), (second, False)]), "one")
    assert [(x["digest"], x["active"]) for x in shop.versions()] == [
        (first, True),
        (second, False),
    ]
    history = json.loads(
        shop.daemon.cli("versions", "--history", "--output", "json", wanted=0).stdout
    )
    assert [x["kind"] for x in history] == ["rolled-back", "activated", "configured"]
    assert history[0]["authorization"]["policies"] == ["operators.daemon"]


def test_a_live_run_ends_with_the_bundle_that_it_began_with(shop: Shop, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    shop.write("one", f"while not ('{gate}' | path exists) {{ sleep 50ms }};")
    with_read = shop.project / "nodes" / "hello" / "node.ncl"
    with_read.write_text(
        with_read.read_text().replace("{ name", f'{{ handler.read = ["{tmp_path}"], name', 1)
    )
    first = shop.publish()
    shop.daemon.start()
    shop.daemon.answer("emit", "events.hello", "--data", "{}")
    run = run_of(shop)
    shop.write("two")
    shop.publish()
    shop.daemon.cli("activate", "stable", "--reason", "a test", wanted=0)

    held = {x["digest"]: x["runs"] for x in shop.versions()}
    gate.touch()
    ended = shop.daemon.answer("run", "watch", run)

    assert held[first] == [run]
    assert outputs(ended) == "one"
    assert shop.says() == "two"


def run_of(shop: Shop) -> str:
    while not (found := shop.daemon.cli("runs", "--output", "jsonl").stdout.splitlines()):
        with_patience()
    return str(json.loads(found[0])["run"])


def test_what_fails_a_check_never_replaces_what_is_in_force(shop: Shop) -> None:
    shop.write("one")
    shop.publish()
    shop.daemon.start()
    shop.write("two")
    shop.publish("--unsigned")

    refused = shop.daemon.cli("activate", "stable", "--reason", "a test")

    assert refused.returncode == 1
    assert "check of its signature" in refused.stderr
    assert shop.says() == "one"
    assert [x["active"] for x in shop.versions()] == [True]


def test_a_start_goes_on_without_the_source_and_says_so(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    shop = opened(project, "oci-layout:bundles:stable")
    shop.write("one")
    digest = shop.publish()
    shop.daemon.start()
    shop.daemon.kill()
    (project / "bundles").rename(project / "away")

    try:
        shop.daemon.start()
        said, bundle = shop.says(), shop.bundle()
    finally:
        shop.daemon.end()

    assert said == "one"
    assert f"ok: {digest}; degraded: the source is away" in bundle


def test_without_a_good_bundle_there_is_no_start(shop: Shop) -> None:
    shop.write("one")
    shop.publish("--unsigned")

    shop.daemon.begin()

    assert shop.daemon.ended() == 65
    assert "check of its signature" in shop.daemon.log
