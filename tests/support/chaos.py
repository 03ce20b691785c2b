"""A small project whose scripts note what they do, and the events that bring it everywhere."""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from stratum_orchestrator.audit.observed import Effect
from stratum_orchestrator.cli.chaos.load import Event
from support.daemon import REPOSITORY, write_node

PIPELINE = "order"
WINDOW_S = 0.1
"""How long the stream knows an event's id; what comes again later reaches the daemon."""

_NOTE = '{"run":'
_NOTES = """
def note [given: record, kind: string] {
  let step = $given.step
  let line = {
    run: $given.run.id, node: $step.node, kind: $kind,
    attempt: $step.attempt, key: $step.idempotency_key
  }
  let file = $env.STRATUM_DATA | path join "effects.jsonl"
  # not `save --append`: two that make the file at the same moment lose a line to each other
  $"($line | to json --raw)\n" | ^tee --append $file | ignore
  ^sync --data $file
}
"""
_DO = """
def main [] {
  let given = $in | from json
  note $given do
  let mode = $given.event.data.mode
  BODY
  { NAME: $given.event.id } | to json --raw
}
"""
_UNDO = """
def main [] {
  let given = $in | from json
  note $given undo
  BODY
}
"""
_NODES: Sequence[tuple[str, str, str, str]] = (
    (
        "reserve",
        f'trigger = {{ pipeline = "{PIPELINE}", subjects = ["events.order"] }}, '
        'produces = ["reserve"]',
        "",
        "let mode = $given.event.data.mode\n"
        '  if $mode == "stuck" or ($mode == "race" and $given.step.attempt == 1) '
        '{ error make --unspanned { msg: "not yet" } }',
    ),
    (
        "charge",
        'consumes = ["reserve"], produces = ["charge"], timeout = "3s", '
        'retry = { attempts = 1, on = ["lost"] }',
        'if $mode in [race stuck] { error make --unspanned { msg: "no money" } }\n'
        '  if $mode == "slow" { sleep 30sec }',
        "",
    ),
    (
        "greet",
        'consumes = ["reserve"], produces = ["greet"], '
        'when = { op = "eq", path = "event.mode", value = "race" }',
        "sleep 30sec",
        "",
    ),
    (
        "permit",
        'consumes = ["reserve"], produces = ["permit"], '
        'when = { op = "eq", path = "event.mode", value = "ask" }, '
        'ask = { groups = ["operators"], timeout = "1h" }',
        "",
        "",
    ),
    (
        "hasten",
        'consumes = ["reserve"], produces = ["hasten"], '
        'when = { op = "eq", path = "event.mode", value = "hasty" }, '
        'ask = { groups = ["operators"], timeout = "1s" }',
        "",
        "",
    ),
)


def write_project(project: Path) -> None:
    """Five nodes in two stages. An event's `mode` says how its run goes.

    `good` completes, and skips all but `reserve` and `charge`; in a `race`, `charge` fails
    while `greet` runs, and the first attempt at undoing `reserve` fails; when it is `slow`,
    `charge` times out; when it is `stuck`, `charge` fails and nothing undoes `reserve`. When it
    is to `ask`, operators are asked about `permit`; when it is `hasty`, nobody has the time to
    answer about `hasten`.
    """
    for name, declared, does, undoes in _NODES:
        write_node(
            project,
            name,
            f'{declared}, handler.script = "run.nu", compensate = {{ script = "undo.nu", '
            'retry = { attempts = 3, delay = "20ms" } }',
            run=_NOTES + _DO.replace("BODY", does).replace("NAME", name),
            undo=_NOTES + _UNDO.replace("BODY", undoes),
        )


def change_definitions(project: Path) -> None:
    """Alter a script by a comment, so that there is new content to keep."""
    with (project / "nodes" / "reserve" / "run.nu").open("a") as script:
        script.write("# changed\n")


def variables() -> Mapping[str, str]:
    """The environment of daemons and of what starts them."""
    return {
        **os.environ,  # noqa: TID251 - a child of ours gets what we have
        "PYTHONPATH": str(REPOSITORY),
        "STRATUM_HTTP__PORT": "0",
        "STRATUM_NATS__DUPLICATE_WINDOW": f"{round(WINDOW_S * 1000)}ms",
        "STRATUM_EXECUTION__GRACE": "1s",
    }


def order(mode: str, event_id: str) -> Event:
    """An event that opens the pipeline, to go on as the mode says."""
    data = json.dumps({"mode": mode}).encode()
    return Event(subject="events.order", data=data, event_id=event_id)


def forged(event_id: str) -> Event:
    """An event that is signed for another deployment."""
    return Event(subject="events.order", data=b"{}", event_id=event_id, well_signed=False)


def stray(event_id: str) -> Event:
    """An event that no pipeline waits for."""
    return Event(subject="events.stray", data=b"{}", event_id=event_id)


def effects(home: Path) -> list[Effect]:
    """What the scripts did to the outside world, in order."""
    file = home / "pipelines" / PIPELINE / "effects.jsonl"
    lines = file.read_text().splitlines() if file.exists() else []
    return [Effect(**json.loads(note), order=at) for at, note in enumerate(_whole(lines))]


def _whole(lines: Iterable[str]) -> Iterator[str]:
    """The notes that were made to their end.

    Of one that crosses a page of the file when its script is killed, the kernel keeps the first
    part, and the next note stands behind that.
    """
    for line in lines:
        begin = line.rfind(_NOTE)
        if begin >= 0 and line.endswith("}"):
            yield line[begin:]


def repetitions(noted: Sequence[Effect]) -> int:
    """How many executions there were beyond the first of each step and direction."""
    return len(noted) - len({(each.run, each.node, each.kind) for each in noted})


Record = Callable[[str, object], None]
"""pytest's `record_property`."""


def tell(record: Record, **figures: object) -> None:
    """Print figures, and leave them in the test's report for `scripts/chaos`."""
    for name, value in figures.items():
        record(name, value)
        print(f"{name.replace('_', ' ')}: {value}")  # noqa: T201
