"""What differs between two bundles, file by file. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from typing import Literal

MOST_LINES = 2000
"""Of one file; what comes behind them is left out, and said to be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One file that is not the same in both."""

    kind: Literal["added", "changed", "removed"]
    file: str
    lines: tuple[str, ...]
    """Of a unified diff; none where a file is no text."""
    is_cut: bool = False


def changes(
    before: Mapping[str, bytes], after: Mapping[str, bytes], most: int = MOST_LINES
) -> Iterator[Change]:
    """The files that differ, by name."""
    for file in sorted({*before, *after}):
        old, new = before.get(file), after.get(file)
        if old == new:
            continue
        kind: Literal["added", "changed", "removed"] = (
            "added" if old is None else "removed" if new is None else "changed"
        )
        lines = _lines(old or b"", new or b"", file)
        yield Change(kind=kind, file=file, lines=tuple(lines[:most]), is_cut=len(lines) > most)


def _lines(old: bytes, new: bytes, file: str) -> Sequence[str]:
    if b"\0" in old or b"\0" in new:
        return ()
    one, two = (each.decode(errors="replace").splitlines() for each in (old, new))
    return list(unified_diff(one, two, f"old/{file}", f"new/{file}", lineterm=""))
