"""An event's payload and other texts, as they are given on the command line."""

import sys
from pathlib import Path

from stratum_orchestrator import strict_json
from stratum_orchestrator.cli.exits import Exit, Stop

MAX_EVENT = 8 << 20
"""Bytes that are read at all; the daemon's own limit is lower and told by its verdict."""


class BadData(Stop):
    """What was given as the event's data is not what it has to be."""

    def __init__(self, source: str, why: str) -> None:
        super().__init__(
            f"{source} {why}",
            remedy="give JSON, @FILE or - for standard input",
            code=Exit.USAGE,
        )


def read(given: str) -> bytes:
    """The payload: JSON text, `@FILE`, or `-` for stdin. BadData when it is no strict JSON."""
    source, payload = _read(given)
    if len(payload) > MAX_EVENT:
        raise BadData(source, f"is larger than {MAX_EVENT} bytes")
    try:
        strict_json.decode(payload, safe_integers=True)
    except strict_json.NotStrictJson as problem:
        raise BadData(source, problem.reason) from None
    return payload


def text(given: str) -> str:
    """A text as it is, of `@FILE`, or of stdin for `-`."""
    return _read(given)[1].decode("utf-8", "replace").strip()


def _read(given: str) -> tuple[str, bytes]:
    if given == "-":
        return "standard input", sys.stdin.buffer.read(MAX_EVENT + 1)
    if not given.startswith("@"):
        return "--data", given.encode("utf-8", "surrogateescape")
    file = Path(given[1:])
    try:
        with file.open("rb") as opened:
            return str(file), opened.read(MAX_EVENT + 1)
    except OSError as error:
        raise BadData(str(file), f"cannot be read: {error.strerror}") from None
