"""`case.json` beside a definition: what its scripts are given, and what is to come of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

FILE = "case.json"

Text = str | tuple[str, ...]
"""Of a file: as it is, or by its lines."""
Trace = bool | str | tuple[object, ...]
"""What is left of a file: whether it exists, a text that it contains, or its JSON lines."""


class CaseError(Exception):
    """A `case.json` that cannot be read."""

    def __init__(self, path: Path, why: str) -> None:
        self.why = why
        super().__init__(f"{path}: {why} (its format: docs/cases.md)")


class Expected(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to come of a case; all that is named has to be there, more may be."""

    outputs: Mapping[str, object] | None = None
    """Part of the outputs of the last `run`."""
    failure: str | None = None
    """Part of the message or the log of a step that is to fail; without it, none may."""
    data: Mapping[str, Trace] = {}
    """Paths below `$STRATUM_DATA`, afterwards."""
    fixture: Mapping[str, Trace] = {}
    """Paths below the fixture, afterwards."""


class Case(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One example of what a node does."""

    name: str = "it works"
    requires: tuple[str, ...] = ()
    """Programs without which the case is skipped."""
    fixture: Mapping[str, Text] = {}
    """Files made beforehand in a fresh folder; `{{fixture}}` stands for its path."""
    data: Mapping[str, Text] = {}
    """Files made beforehand below `$STRATUM_DATA`."""
    run: str = "rehearsal"
    """The run's id."""
    subject: str = "events.rehearsal"
    event: object = msgspec.field(default_factory=dict)
    """The payload."""
    inputs: Mapping[str, object] = {}
    secrets: Mapping[str, str] = {}
    """By variable: what stands for the node's credentials; the others are made up."""
    steps: tuple[Literal["run", "undo"], ...] = ("run",)
    """Scripts in the order in which they are started, as attempts of one step."""
    outcome: Literal["succeeded", "interrupted", "failed"] | None = None
    """What `undo` is told became of the step; None tells it the truth."""
    expect: Expected = Expected()
    answers: Mapping[str, object] | None = None
    """All outputs of the node where it only stands in; None are those that are expected."""


def read(folder: Path) -> tuple[Case, ...]:
    """The cases of a definition's folder, none without a `case.json`; CaseError otherwise.

    The file is one case; or, with a list `cases`, several: what stands beside the list holds
    for each that does not say otherwise.
    """
    path = folder / FILE
    try:
        shared = msgspec.json.decode(path.read_bytes(), type=dict[str, object])
        several = msgspec.convert(shared.pop("cases", [{}]), list[dict[str, object]])
        return tuple(msgspec.convert(shared | each, Case) for each in several)
    except FileNotFoundError:
        return ()
    except (OSError, msgspec.MsgspecError) as error:
        raise CaseError(path, str(error)) from None
