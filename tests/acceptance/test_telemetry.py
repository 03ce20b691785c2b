"""One run, a kill in the middle of it, and one trace at a real collector."""

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar, cast

import pytest

from support.collector import Collector, Received, collecting
from support.daemon import Daemon, with_patience, write_node
from support.http import ask

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180)]

T = TypeVar("T")
TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
NOTES = """
def main [] {
  let step = $in | from json | get step
  let data = $env.STRATUM_DATA
  $"($step.attempt) ($env.TRACEPARENT)\\n" | save --raw --append ($data | path join second)
  while not ($data | path join go | path exists) { sleep 20ms }
  { second: 1 } | to json --raw
}
"""


@dataclass(frozen=True, kw_only=True)
class Told:
    """What was left to see after two lives of a daemon."""

    collector: Collector
    run: str
    shown: dict[str, object]
    noted: list[str]
    """Attempt and TRACEPARENT."""
    lines: list[dict[str, object]]
    """Of the log."""
    notified: list[str]
    """What the service manager was told."""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    folder = tmp_path_factory.mktemp("telemetry")
    write_node(
        folder,
        "first",
        'trigger = { pipeline = "p", subjects = ["events.go"] }, produces = ["first"], '
        'effect = \'pure, handler.script = "run.nu"',
    )
    write_node(
        folder,
        "second",
        'consumes = ["first"], produces = ["second"], retry.on = ["lost"], '
        'handler.script = "run.nu"',
        run=NOTES,
    )
    with collecting() as collector, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(folder / "notify"))
        settings = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "NOTIFY_SOCKET": ear.getsockname(),
        }
        daemon = Daemon(folder, settings)
        try:
            yield _two_lives(daemon, collector, ear)
        finally:
            daemon.end()


def _two_lives(daemon: Daemon, collector: Collector, ear: socket.socket) -> Told:
    daemon.start()
    daemon.environment["TRACEPARENT"] = f"00-{TRACE}-{CALLER}-01"
    judged = cast("dict[str, list[str]]", daemon.answer("emit", "events.go")["verdict"])
    [run] = judged["runs"]
    notes = daemon.home / "pipelines" / "p" / "second"
    while not notes.exists():
        with_patience()
    daemon.kill()
    daemon.start()
    (notes.parent / "go").touch()
    shown = ask(daemon, f"/api/v1/runs/{run}")
    while not shown["ended"]:
        shown = ask(daemon, f"/api/v1/runs/{run}?wait=20&seen={shown['change']}")
    while ask(daemon, "/api/v1/status")["live_runs"]:
        with_patience()
    daemon.stop()
    return Told(
        collector=collector,
        run=run,
        shown=shown,
        noted=notes.read_text().splitlines(),
        lines=[json.loads(each) for each in daemon.log.splitlines() if each.startswith("{")],
        notified=[ear.recv(4096).decode() for _ in range(3)],
    )


def test_one_trace_has_all_of_a_run_that_two_processes_carried(told: Told) -> None:
    spans = {each.span: each for each in told.collector.spans}
    root = _only(told.collector.named("RUN p"))

    assert {each.trace for each in spans.values()} == {TRACE} == {told.shown["trace"]}
    assert root.parent == CALLER
    assert root.attributes["cicd.pipeline.run.id"] == told.run
    assert root.attributes["cicd.pipeline.result"] == "success"
    found = sorted((each.name, _parent(each, spans)) for each in spans.values())
    assert [each for each in found if each[0] != "intake"] == [  # that one may have been lost
        ("RUN p", ""),
        ("first", "stage 1"),
        ("second", "stage 2"),
        ("second", "stage 2"),
        ("stage 1", "RUN p"),
        ("stage 2", "RUN p"),
    ]


def test_each_attempt_is_told_its_own_span(told: Told) -> None:
    spans = {each.attributes["stratum.attempt"]: each for each in _seconds(told)}

    assert told.noted == [
        f"{number} 00-{TRACE}-{spans[number].span}-01" for number in ("1", "2")
    ]
    assert spans["1"].attributes["error.type"] == "lost"
    assert not spans["2"].failed


def test_the_log_says_which_run_and_trace_it_is_about(told: Told) -> None:
    ended = _only([each for each in told.lines if each["event"] == "run ended"])
    judged = _only([each for each in told.lines if each["event"] == "event judged"])

    assert ended["run"] == told.run
    assert ended["trace_id"] == judged["trace_id"] == TRACE


def test_a_service_manager_is_told_of_each_start_and_of_the_end(told: Told) -> None:
    first, second, last = (each.split("\n", 1) for each in told.notified)

    assert first[0] == second[0] == "READY=1"
    assert second[1].startswith("STATUS=taking in events; http://127.0.0.1:")
    assert last == ["STOPPING=1", "STATUS=0 runs are under way"]


def test_what_each_step_used_is_on_record(told: Told) -> None:
    steps = cast("list[dict[str, dict[str, int]]]", told.shown["steps"])
    used = steps[0]["resources"]

    assert used["cpu_ms"] > 0
    assert used["cpu_ms"] <= used["user_ms"] + used["system_ms"] <= used["cpu_ms"] + 1


def _seconds(told: Told) -> list[Received]:
    return told.collector.named("second")


def _parent(of: Received, spans: dict[str, Received]) -> str:
    return spans[of.parent].name if of.parent in spans else ""


def _only(found: list[T]) -> T:
    [it] = found
    return it
