"""Settings of the execution of steps."""

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Self

WantedLevel = Literal["auto", "limits", "landlock", "bubblewrap"]


def _twice_the_cores() -> int:
    return 2 * len(os.sched_getaffinity(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionSettings:
    """How steps are run, and where."""

    data: Path
    """Stratum's own folder. Each pipeline's durable folder lies below `pipelines/` in it; no
    other part of it is ever within a step's reach."""
    scratch: Path
    """Folder for what lives as long as one process; created when missing. Ours alone."""
    token: str
    """Names the data folder in the marker of each process, so that a later start finds what
    an earlier one left behind. Letters and digits."""
    nu: Path | None = None
    """The Nushell binary; None looks below `project`, then on `path`."""
    project: Path = Path()
    """Folder whose `node_modules` may hold Nushell."""
    parallel: int = field(default_factory=_twice_the_cores)
    """Most processes at a time in this daemon; further ones wait their turn."""
    grace_s: float = 5
    """Seconds between TERM and KILL when a process is ended early."""
    shortage_s: float = 30
    """How long a step waits when the machine has nothing left to start it with."""
    level: WantedLevel = "auto"
    """The least containment of every step; `auto` is Landlock where the kernel has it."""
    path: tuple[str, ...] = ("/usr/local/bin", "/usr/bin", "/bin")
    """Absolute folders that every step's PATH ends with."""
    execute: tuple[str, ...] = ()
    """Absolute folders outside the system's own that steps may read and run programs from,
    such as a virtual environment or a tool chain."""

    def with_parallel(self, processes: int) -> Self:
        """The same, with at most so many processes at a time."""
        return replace(self, parallel=processes)
