"""Why steps cannot be run on this machine, or one of them not at all.

ExecutionError
├── NushellMissing       no binary was found, or it does not run
├── NushellTooOld        it hides failures of commands in pipelines
├── LevelMissing         the wanted containment does not exist here
├── CannotStart          a command asks for what cannot be given
└── BadOutput            stdout is not one JSON object
"""

from collections.abc import Iterator
from contextlib import contextmanager


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
            f"containment level `{level}` is not available: {why}. Use `auto` or `limits`."
        )


class CannotStart(ExecutionError):
    """A command that no process can be started for; the message says what to change."""


@contextmanager
def starting() -> Iterator[None]:
    """Turn what the operating system refuses within the block into CannotStart."""
    try:
        yield
    except OSError as error:
        raise CannotStart(str(error)) from error


class BadOutput(ExecutionError):
    """Stdout that is not exactly one JSON object; the message says what to change."""
