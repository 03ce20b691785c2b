"""Why steps cannot be run on this machine, or one of them not at all.

ExecutionError
├── NushellMissing       no binary was found, or it does not run
├── NushellTooOld        it hides failures of commands in pipelines
├── LevelMissing         the wanted containment does not exist here
├── TooFewDescriptors    not even one step could be run with them
├── CannotStart          a command asks for what cannot be given
│   └── Shortage             the machine has nothing left to start it with, for now
└── BadOutput            stdout is not one JSON object
"""

from collections.abc import Iterator
from contextlib import contextmanager
from errno import EAGAIN, EMFILE, ENFILE, ENOMEM

_PASSING = frozenset({EAGAIN, EMFILE, ENFILE, ENOMEM})


class ExecutionError(Exception):
    """The execution of a step is not possible."""


class NushellMissing(ExecutionError):
    """No Nushell that runs."""

    def __init__(self, looked: str) -> None:
        """Take the places that were tried."""
        super().__init__(
            f"Nushell was not found ({looked}). Install it with `npm install` in the project"
            " folder or from your system's packages, or name the binary in `executor.nu`."
        )


class NushellTooOld(ExecutionError):
    """A Nushell for which a failing command inside a pipeline counts as success."""

    def __init__(self, binary: str, version: str, needed: str) -> None:
        """Take the binary and what it answered."""
        super().__init__(
            f"{binary} is Nushell {version or 'of an unknown version'}; Stratum needs {needed}"
            " or newer: an older one takes a failing command in a pipeline for a success."
        )


class LevelMissing(ExecutionError):
    """The configured containment cannot be had."""

    def __init__(self, level: str, why: str) -> None:
        """Take the level and what it lacks."""
        super().__init__(
            f"containment level `{level}` is not available: {why}. Or use `auto` or `limits`."
        )


class TooFewDescriptors(ExecutionError):
    """Not even one step could be run with what may be open."""

    def __init__(self, limit: int, needed: int) -> None:
        super().__init__(
            f"this process may have {limit} descriptors open, and needs {needed} at least;"
            " raise the hard limit (`ulimit -Hn`, `LimitNOFILE=` of systemd)"
        )


class CannotStart(ExecutionError):
    """A command that no process can be started for; the message says what to change."""


class Shortage(CannotStart):
    """Descriptors, processes or memory are used up: others will give some back."""


@contextmanager
def starting() -> Iterator[None]:
    """Turn what the operating system refuses within the block into CannotStart, Shortage."""
    try:
        yield
    except OSError as error:
        kind = Shortage if error.errno in _PASSING else CannotStart
        raise kind(str(error)) from error


class BadOutput(ExecutionError):
    """Stdout that is not exactly one JSON object; the message says what to change."""
