"""The folder in which a daemon keeps what is its own."""

from pathlib import Path

NAME = ".stratum"


def find(given: Path | None, start: Path) -> Path:
    """The home that was given, else the nearest `.stratum` at or above `start`.

    When there is none, the one that `start` would have; it need not exist.
    """
    if given is not None:
        return given
    for folder in (start, *start.parents):
        if (folder / NAME).is_dir():
            return folder / NAME
    return start / NAME
