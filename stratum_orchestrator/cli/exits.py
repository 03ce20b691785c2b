"""How a command ends: the exit codes, and the error that carries one with its remedy.

0 to 6 say what became of the work, 64 and above follow sysexits.h (BSD).
"""

from enum import IntEnum
from typing import IO, Any

import click

from stratum_orchestrator.cli.ink import clean


class Exit(IntEnum):
    """What the process tells the shell."""

    OK = 0
    FAILED = 1
    """The run failed and was compensated cleanly, or what was checked is not right."""
    USAGE = 2
    PARTIAL = 3
    """The run failed and a compensation failed too."""
    REFUSED = 4
    """The event was refused, or the policies say no."""
    TIMEOUT = 5
    """The wait ended before the run did."""
    NOT_FOUND = 6
    BAD_DEFINITIONS = 65
    UNAVAILABLE = 69
    SOFTWARE = 70
    IO = 74
    IN_USE = 75
    PERMISSION = 77
    CONFIG = 78


class Stop(click.ClickException):
    """The command cannot go on: what is wrong and where, and what to do."""

    def __init__(self, message: str, *, remedy: str = "", code: Exit = Exit.FAILED) -> None:
        super().__init__(message)
        self.remedy = remedy
        self.code = code

    @property
    def exit_code(self) -> int:  # type: ignore[override]
        return int(self.code)

    def show(self, file: IO[Any] | None = None) -> None:
        """Tell it on stderr, without anything that could steer the terminal."""
        click.echo(f"stratum: {clean(self.message)}", file=file, err=file is None)
        if self.remedy:
            click.echo(f"  {clean(self.remedy)}", file=file, err=file is None)
