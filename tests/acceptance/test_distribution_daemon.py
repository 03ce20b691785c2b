"""A daemon whose definitions are a bundle: started, replaced, rolled back, cut off."""

import json
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from platform_nats.nkey import UserKey
from stratum_graph.definitions.distribution import bundle, pull
from stratum_graph.definitions.distribution.access import Access
from stratum_graph.definitions.distribution.layout import Layout
from stratum_graph.definitions.distribution.oci import Registry
from stratum_graph.definitions.distribution.reference import Reference
from support import registry
from support.bundles import PINNED, signed
from support.daemon import Daemon, with_patience, write_node
from support.http import Answer, ask
from support.ports import free_port
from support.shell import told, within

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(240)]

WITHIN_S = 60
LAYOUT = "oci-layout:bundles:stable"
DECLARED = (
    'trigger = { pipeline = "hello", subjects = ["events.hello"] }, '
    'produces = ["hello"], handler.script = "run.nu", effect = \'pure'
)
TAKES = (
    'consumes = ["hello"], input_schemas.hello = { type = "integer" }, '
    'handler.script = "run.nu"'
)
SAYS = 'def main [] {{ {0} {{ hello: "{1}" }} | to json --raw }}'


class Shop:
    """A project, the place where it publishes, and the daemon that lives on what is there.

    Its daemon trusts the key that it publishes with.
    """

    def __init__(self, project: Path, reference: str = LAYOUT, port: int = 0) -> None:
        project.mkdir(exist_ok=True)
        self.daemon = Daemon(project, {"STRATUM_HTTP__PORT": str(port)})
        self.reference = reference
        self.project = project
        key = told(project, "keys", "new", "developer")["public"]
        (project / "stratum.ncl").write_text(
            f'{{ definitions = {{ source = "{reference}", signers = ["{key}"] }} }}'
        )

    def write(self, word: str, first: str = "") -> None:
        folder = self.project / "nodes" / "hello"
        if not folder.is_dir():
            write_node(self.project, "hello", f'handler.read = ["{self.project}"], {DECLARED}')
        (folder / "run.nu").write_text(SAYS.format(first, word))

    def publish(self, *more: str, tag: str = "stable") -> str:
        place = self.reference.removesuffix("stable") + tag
        return str(told(self.project, "publish", place, *more)["digest"])

    def publish_unchecked(self, name: str, declared: str) -> str:
        """What is tagged `unsigned` with one more node, signed: `publish` would not make it."""
        reference = Reference.parse(self.reference)
        here = self.project / reference.place
        shelf = Registry(reference, Access()) if reference.kind == "oci" else Layout(here)
        was = pull.fetch(shelf, pull.resolve(shelf, "unsigned"), PINNED)
        node = f'{{ name = "{name}", {declared} }}'.encode()
        below = f"definitions/nodes/{name}"
        more = {f"{below}/node.ncl": node, f"{below}/run.nu": b"def main [] { }"}
        made = bundle.build({**was.files, **more}, was.listing.annotations)
        key = UserKey((self.project / ".stratum" / "keys" / "developer.nk").read_text().strip())
        shelf.put(made)
        shelf.put(signed(made, key, reference.repository))
        return made.digest

    def says(self, version: str = "") -> object:
        """What a new run gives; of a version, if one is named."""
        named = ("--version", version) if version else ()
        done = told(self.project, "emit", "events.hello", "--data", "{}", "--wait", *named)
        return outputs(done)

    def activate(self, wanted: str) -> None:
        ask(self.daemon, "/api/v1/activate", {"wanted": wanted, "reason": "a test"})

    def bundle(self) -> str:
        """What readiness says of the bundle."""
        address = f"{self.daemon.address['http']}/readyz?verbose"
        with urllib.request.urlopen(address) as answer:  # noqa: S310 - loopback
            lines: list[str] = answer.read().decode().splitlines()
        return next(line for line in lines if "]bundle " in line)

    def versions(self) -> list[dict[str, object]]:
        found: list[dict[str, object]] = ask(self.daemon, "/api/v1/versions")["versions"]  # type: ignore[assignment]
        return found

    def hint(self) -> None:
        """Say what a registry says, which is not asked who it is on this machine."""
        event = {"action": "push", "target": {"repository": "bundles", "tag": "stable"}}
        request = urllib.request.Request(  # noqa: S310 - loopback
            f"{self.daemon.address['http']}/hooks/oci",
            json.dumps({"events": [event]}).encode(),
            {"Content-Type": "application/vnd.docker.distribution.events.v1+json"},
        )
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            assert json.load(answer)["looks"] is True


def listed(shop: Shop, *words: str) -> list[dict[str, Any]]:
    """What a command lists."""
    found: list[dict[str, Any]] = json.loads(
        within(shop.project, *words, "--output", "json", wanted=0).stdout
    )
    return found


def outputs(done: Answer) -> object:
    (step,) = done["steps"]  # type: ignore[misc]
    return step["outputs"]["hello"]


def until(holds: Callable[[], bool], shop: Shop) -> None:
    """Wait for what another process does."""
    give_up = monotonic() + WITHIN_S
    while not holds():
        if monotonic() > give_up:
            pytest.fail(f"it does not come about:\n{shop.daemon.log[-4000:]}")
        with_patience()


@pytest.fixture(params=["layout", "registry"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    """One that has not begun, at a folder or at a registry that tells what is pushed to it."""
    with ExitStack() as stack:
        port, reference = free_port(), LAYOUT
        if request.param == "registry":
            if registry.PROGRAM is None:
                pytest.skip(registry.MISSING)
            notifying = registry.telling(f"http://127.0.0.1:{port}/hooks/oci")
            host = stack.enter_context(registry.serving(tmp_path, notifications=notifying))
            reference = f"oci://{host}/team/nodes:stable"
        shop = Shop(tmp_path / "project", reference, port)
        stack.callback(shop.daemon.end)
        yield shop


@pytest.fixture(scope="module")
def open_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """One that serves, with whatever other tests have put in force."""
    shop = Shop(tmp_path_factory.mktemp("shop") / "project")
    shop.write("the first")
    shop.publish()
    try:
        shop.daemon.start()
        yield shop
    finally:
        shop.daemon.end()


def test_a_bundle_is_published_run_replaced_and_brought_back(shop: Shop) -> None:
    shop.write("one")
    first = shop.publish()
    shop.daemon.start()
    said = [shop.says()]
    shop.write("two")
    second = shop.publish()
    if shop.reference == LAYOUT:
        shop.hint()
    until(lambda: f"stable is {second} by now" in shop.bundle(), shop)
    said.append(shop.says())

    within(shop.project, "activate", "stable", "--reason", "a test", wanted=0)
    said.append(shop.says())
    within(shop.project, "rollback", "--reason", "another", wanted=0)
    said.append(shop.says())

    assert said == ["one", "one", "two", "one"]
    assert [(x["digest"], x["active"]) for x in listed(shop, "versions")] == [
        (first, True),
        (second, False),
    ]
    history = listed(shop, "versions", "--history")
    assert [x["kind"] for x in history] == ["rolled-back", "activated", "configured"]
    assert history[0]["authorization"]["policies"] == ["operators.daemon"]


def test_a_live_run_ends_with_the_bundle_that_it_began_with(open_shop: Shop) -> None:
    shop, gate = open_shop, open_shop.project / "gate"
    shop.write("slow", f"while not ('{gate}' | path exists) {{ sleep 50ms }};")
    slow = shop.publish(tag="slow")
    shop.activate("slow")
    emitted = told(shop.project, "emit", "events.hello", "--data", "{}")
    (run,) = emitted["verdict"]["runs"]  # type: ignore[index]
    shop.write("quick")
    shop.publish(tag="quick")
    shop.activate("quick")

    held = {x["digest"]: x["runs"] for x in shop.versions()}
    gate.touch()
    ended = told(shop.project, "run", "watch", str(run))

    assert held[slow] == [run]
    assert outputs(ended) == "slow"
    assert shop.says() == "quick"


def test_a_run_is_of_the_version_that_its_event_names(open_shop: Shop) -> None:
    shop = open_shop
    now = next(str(each["digest"]) for each in shop.versions() if each["active"])
    was = shop.says()
    shop.write("tried")
    tried = shop.publish(tag="tried")

    unknown = within(shop.project, "emit", "events.hello", "--version", "tried")
    within(shop.project, "pull", "tried", wanted=0)
    before = shop.says("tried"), shop.says()
    shop.activate("tried")
    after = shop.says(now[:19]), shop.says()

    assert (unknown.exit_code, f"stratum pull {tried}" in unknown.stdout) == (4, True)
    assert (before, after) == (("tried", was), (was, "tried"))


def test_what_fails_a_check_never_replaces_what_is_in_force(open_shop: Shop) -> None:
    shop, was, said = open_shop, open_shop.versions(), open_shop.says()
    shop.write("unsigned")
    shop.publish("--unsigned", tag="unsigned")

    refused = within(shop.project, "activate", "unsigned", "--reason", "a test")

    broken = shop.publish_unchecked("take", TAKES)
    breaking = within(shop.project, "activate", broken, "--reason", "a test")

    assert refused.exit_code == 1
    assert "check of its signature" in refused.stderr
    assert breaking.exit_code == 1
    assert "nodes/take/node.ncl:1:" in breaking.stderr
    assert "cannot take `hello` as `hello` (" in breaking.stderr
    assert "nodes/hello/node.ncl:1) gives it" in breaking.stderr
    assert shop.says() == said
    assert [x for x in shop.versions() if x["digest"] != broken] == was


def test_a_tag_is_followed_until_somebody_goes_back_and_a_start_keeps_to_that(
    tmp_path: Path,
) -> None:
    shop = Shop(tmp_path / "project")
    shop.daemon.environment["STRATUM_DEFINITIONS__FOLLOW"] = "activate"
    shop.write("one")
    first = shop.publish()
    try:
        shop.daemon.start()
        shop.write("two")
        second = shop.publish()
        shop.hint()
        until(lambda: f"ok: {second}" in shop.bundle(), shop)
        followed = shop.says(), shop.versions()[0]["by"]
        ask(shop.daemon, "/api/v1/rollback", {"reason": "a test"})
        shop.hint()
        until(lambda: f"stable is {second} by now" in shop.bundle(), shop)
        shop.daemon.kill()
        (shop.project / "bundles").rename(shop.project / "away")
        shop.daemon.start()
        said, bundle = shop.says(), shop.bundle()
    finally:
        shop.daemon.end()

    assert (followed, said) == (("two", "configuration"), "one")
    assert f"[!]bundle degraded: {first}; the source is away" in bundle


def test_without_a_good_bundle_there_is_no_start(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "project")
    shop.write("one")
    shop.publish("--unsigned")

    shop.daemon.begin()

    assert shop.daemon.ended() == 65
    assert "check of its signature" in shop.daemon.log
