"""The page in a real browser, served by a real daemon."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from support import browser
from support.browser import Tab, browsing
from support.daemon import Daemon, write_node

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.timeout(240),
    pytest.mark.skipif(browser.PROGRAM is None, reason=browser.WITHOUT),
]

GATED = """
def main [] {
  let given = $in | from json
  while not ($env.STRATUM_DATA | path join "open" | path exists) { sleep 50ms }
  print --stderr "the gate is open"
  let markup = "<img src=x onerror=alert(1)>"
  { charged: { event: $given.event.id, markup: $markup } } | to json --raw
}
"""
BROKEN = """
def main [] { error make --unspanned { msg: "the <b>carrier</b> refuses" } }
"""
NAP = "def main [] { sleep 600sec; { nap: 1 } | to json --raw }\n"
BUNDLE = "oci-layout:bundles:stable"
UNDO = "def main [] { print --stderr 'refunded' }\n"


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    project = tmp_path_factory.mktemp("project")
    write_node(
        project,
        "charge",
        'trigger = { pipeline = "pay", subjects = ["events.pay"] }, produces = ["charged"], '
        'handler.script = "run.nu", compensate.script = "undo.nu"',
        run=GATED,
        undo=UNDO,
    )
    write_node(
        project,
        "ship",
        'consumes = ["charged"], produces = ["shipped"], handler.script = "run.nu"',
        run=BROKEN,
    )
    write_node(
        project,
        "nap",
        'trigger = { pipeline = "nap", subjects = ["events.nap"] }, produces = ["nap"], '
        'handler.script = "run.nu", effect = \'pure',
        run=NAP,
    )
    write_node(
        project,
        "permit",
        'trigger = { pipeline = "permit", subjects = ["events.permit"] }, '
        'produces = ["permit"], handler.script = "run.nu", effect = \'pure, '
        'ask = { groups = ["operators"] }',
    )
    up = Daemon(project)
    key = up.answer("keys", "new", "developer")["public"]
    (project / "stratum.ncl").write_text(
        f'{{ definitions = {{ source = "{BUNDLE}", signers = ["{key}"] }} }}'
    )
    up.answer("publish", BUNDLE)
    try:
        up.start()
        yield up
    finally:
        up.end()


@pytest.fixture
async def tab(daemon: Daemon, tmp_path: Path) -> AsyncIterator[Tab]:
    """A browser that came in by the printed link, and had nothing to complain about."""
    link = json.loads(daemon.cli("ui", "--output", "json", wanted=0).stdout)["url"]
    async with browsing(tmp_path) as tab:
        await tab.resize(1360, 900)
        await tab.open(str(link))
        await tab.until("document.querySelector('.tile')")
        yield tab
        assert tab.complaints == []


def emit(daemon: Daemon, subject: str, *more: str, wanted: int = 0) -> dict[str, object]:
    return daemon.answer("emit", subject, *more, wanted=wanted)


def gate(daemon: Daemon) -> Path:
    """The file for which charging waits."""
    folder = daemon.home / "pipelines" / "pay"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "open"


def run_of(told: dict[str, object]) -> str:
    verdict = told["verdict"]
    assert isinstance(verdict, dict)
    return str(verdict["runs"][0])


async def test_who_is_asked_sees_it_and_approves_by_a_button(daemon: Daemon, tab: Tab) -> None:
    run = run_of(emit(daemon, "events.permit"))

    await tab.click(f"a[href='/runs/{run}']")
    await tab.sees("permit asks operators until")
    await tab.until("document.querySelector('[data-node=permit].warn')")
    await tab.click(".actions button")
    await tab.sees("Approve permit?")
    await tab.press("Enter")

    await tab.until("document.querySelector('[data-node=permit].good')")
    await tab.click("[data-node=permit]")
    await tab.sees("operator")


async def test_the_link_lets_in_and_leaves_no_token_in_the_address(tab: Tab) -> None:
    assert await tab.ask("location.hash + location.search") == ""

    await tab.call("Page.reload")

    await tab.until("document.querySelector('.tile')")


async def test_a_wrong_token_is_turned_away_and_a_right_one_let_in(
    daemon: Daemon, tab: Tab
) -> None:
    tab.forgives = "401"
    await tab.open(f"{daemon.address['http']}/runs#token=wrong")
    await tab.sees("does not know that token")
    await tab.type(daemon.token)
    await tab.press("Enter")

    await tab.until("document.querySelector('h1')?.textContent === 'Runs'")


async def test_a_run_is_watched_from_its_start_to_the_end_of_its_way_back(
    daemon: Daemon, tab: Tab
) -> None:
    gate(daemon).unlink(missing_ok=True)
    await tab.sees("live")
    run = run_of(emit(daemon, "events.pay"))

    await tab.click(f"a[href='/runs/{run}']")  # it appeared by itself
    await tab.until("document.querySelector('[data-node=charge].busy')")
    await tab.sees("waiting")
    gate(daemon).touch()
    await tab.until(
        "document.querySelector('.headline .word')?.textContent.match('compensated')"
    )
    await tab.until("document.querySelector('[data-node=ship].bad')")
    await tab.until("document.querySelector('.below [data-node=charge].undo')")

    await tab.sees("Everything that had happened was undone")
    await tab.click(".audit summary")
    await tab.sees("the chain is unbroken")
    mirrored = await tab.ask(
        "document.querySelector('.below [data-node=charge]').getBoundingClientRect().y"
        " > document.querySelector('[data-node=charge]').getBoundingClientRect().y"
    )
    assert mirrored is True


async def test_what_a_node_was_given_and_said_is_shown_as_text(
    daemon: Daemon, tab: Tab
) -> None:
    gate(daemon).touch()
    told = emit(
        daemon, "events.pay", "--data", '{"x": "<script>1</script>"}', "--wait", wanted=1
    )

    await tab.open(f"{daemon.address['http']}/runs/{told['run']}")

    await tab.sees("the <b>carrier</b> refuses")
    await tab.sees('"<img src=x onerror=alert(1)>"')
    await tab.sees('"<script>1</script>"')
    await tab.click("[data-node=charge]")
    await tab.sees("refunded")
    await tab.sees("undo 1")


async def test_a_run_is_cancelled_with_a_reason(daemon: Daemon, tab: Tab) -> None:
    run = run_of(emit(daemon, "events.nap"))
    await tab.open(f"{daemon.address['http']}/runs/{run}")
    await tab.until("document.querySelector('[data-node=nap].busy')")

    await with_a_reason(tab, ".actions button", "it slept long enough")

    await tab.until(
        "document.querySelector('.headline .word')?.textContent.match('compensated')"
    )
    await tab.sees("it slept long enough")


async def test_why_an_event_did_nothing_is_found_by_its_id(daemon: Daemon, tab: Tab) -> None:
    told = emit(daemon, "events.nobody.cares")
    await tab.press("g")
    await tab.press("e")
    await tab.until("document.querySelector('h1')?.textContent === 'Events'")
    await tab.press("/")

    await tab.type(str(told["event_id"]))
    await tab.press("Enter")

    await tab.until("document.querySelectorAll('details.verdict').length === 1")
    await tab.sees("no pipeline is triggered by events.nobody.cares")
    assert str(told["event_id"]) in str(await tab.ask("location.search"))


async def test_filters_stay_in_the_address_when_one_goes_back(daemon: Daemon, tab: Tab) -> None:
    gate(daemon).touch()
    emit(daemon, "events.pay", "--wait", wanted=1)
    await tab.open(f"{daemon.address['http']}/runs?pipeline=pay&status=compensated")
    await tab.until("document.querySelector('.list .row')")

    await tab.press("j")
    await tab.press("Enter")
    await tab.until("document.querySelector('.headline')")
    await tab.ask("history.back()")

    await tab.until("document.querySelector('.filters')")
    assert await tab.ask("document.querySelector('#f-status').value") == "compensated"


async def test_graph_and_health_show_what_is_loaded(daemon: Daemon, tab: Tab) -> None:
    await tab.open(f"{daemon.address['http']}/graph")
    await tab.click("[data-node=ship]")
    await tab.sees("ship/node.ncl")

    await tab.open(f"{daemon.address['http']}/health")

    await tab.sees("All checks hold.")


async def with_a_reason(tab: Tab, button: str, reason: str) -> None:
    """Press a button that asks why."""
    await tab.click(button)
    await tab.type(reason)
    await tab.press("Enter")


async def test_a_pipeline_is_paused_and_resumed(daemon: Daemon, tab: Tab) -> None:
    await tab.open(f"{daemon.address['http']}/pipelines")
    await with_a_reason(tab, "[data-pipeline=nap] .does button", "nobody naps today")
    await tab.until("document.querySelector('[data-pipeline=nap].paused')")
    await tab.sees("nobody naps today")
    run = run_of(emit(daemon, "events.nap"))

    await tab.open(f"{daemon.address['http']}/runs/{run}")
    await tab.sees("It waits:")
    await tab.open(f"{daemon.address['http']}/pipelines")
    await tab.sees("1 run waits")
    await with_a_reason(tab, "[data-pipeline=nap] .does button", "they do again")

    await tab.until("document.querySelector('[data-pipeline=nap].active')")
    await tab.open(f"{daemon.address['http']}/runs/{run}")
    await tab.until("document.querySelector('[data-node=nap].busy')")
    daemon.cli("run", "cancel", run, "--reason", "a test", wanted=0)


async def test_a_version_is_compared_and_rolled_back(daemon: Daemon, tab: Tab) -> None:
    [first] = [x["digest"] for x in json.loads(daemon.cli("versions", "-o", "json").stdout)]
    script = daemon.project / "nodes" / "ship" / "run.nu"
    script.write_text(script.read_text() + "# <i>another</i> carrier\n")
    second = daemon.answer("publish", BUNDLE)["digest"]
    daemon.cli("activate", "stable", "--reason", "a better one", wanted=0)

    await tab.open(f"{daemon.address['http']}/versions")
    await tab.until(f"document.querySelector('.version.active')?.dataset.digest === '{second}'")
    await tab.click(".version.active a.button")
    await tab.sees("+# <i>another</i> carrier")
    await tab.sees("definitions/nodes/ship/run.nu")
    await with_a_reason(tab, ".rollback", "it was not better")

    await tab.until(f"document.querySelector('.version.active')?.dataset.digest === '{first}'")
    await tab.sees("it was not better")


@pytest.mark.parametrize(
    "path", ["/", "/runs", "/events", "/pipelines", "/graph", "/versions", "/health"]
)
async def test_nothing_is_wider_than_a_phone(daemon: Daemon, tab: Tab, path: str) -> None:
    await tab.resize(390, 844)

    await tab.open(f"{daemon.address['http']}{path}")
    await tab.until("document.querySelector('.view > *')")

    assert await tab.ask("document.documentElement.scrollWidth") == 390


async def test_a_thousand_nodes_are_laid_out_and_drawn(tab: Tab) -> None:
    drawn = await tab.ask(
        """(async () => {
          const {stages} = await import('/page/stages.js');
          const names = Array.from({length: 20}, (_, s) =>
            Array.from({length: 50}, (_, n) => `node-${s}-${n}`));
          const edges = names.slice(1).flatMap((all, s) => all.flatMap((to, n) =>
            [names[s][n], names[s][(n * 7) % 50]].map((from) => ({from, to}))));
          const root = document.createElement('div');
          document.querySelector('#main').append(root);
          const picture = stages(root, {stages: names, edges, nodes: []}, () => null);
          picture.update({status: 'running', steps: [], compensations: []});
          return root.querySelectorAll('.node').length;
        })()"""
    )

    assert drawn == 1000
