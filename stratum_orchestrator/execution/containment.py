"""What a step's process may reach, and how sure that is on this machine."""
# ruff: noqa: TRY003 - the message is all that the raised errors consist of

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from stratum_graph.definitions import landlock
from stratum_orchestrator.execution.errors import CannotStart, LevelMissing, starting
from stratum_orchestrator.execution.settings import ExecutionSettings
from stratum_orchestrator.ports import Command

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/nix/store")
_DEVICES_READ = ("/dev/urandom", "/dev/random", "/dev/zero")
_DEVICES_WRITTEN = ("/dev/null",)
_RESOLVER = "/etc/resolv.conf"
"""Often a link out of /etc."""
_PROCESSES = Path("/proc")
_ABI_TRUNCATE, _ABI_TCP, _ABI_SCOPE = 3, 4, 6


class Level(IntEnum):
    """How strictly a process is contained; a greater one includes the lesser."""

    LIMITS = 1
    """Resource limits, own session, clean environment."""
    LANDLOCK = 2
    """Also: only declared files and, on newer kernels, only declared TCP."""

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Reach:
    """What one process needs besides what its command declares."""

    tree: str
    """The definition's folder."""
    scratch: str
    data: str
    """The pipeline's durable folder."""


class Containment:
    """The level in force, and the rules that it makes for a command."""

    def __init__(self, settings: ExecutionSettings, tools: Iterable[str]) -> None:
        """Choose the level; `tools` are paths of ours that every step reads and executes.

        Raises LevelMissing when the configured level does not exist on this machine.
        """
        self._abi = landlock.abi()
        if settings.level == "landlock" and self._abi == 0:
            raise LevelMissing("landlock", "this kernel has no Landlock (needs Linux 5.13)")
        fenced = self._abi > 0 and settings.level != "limits"
        self.level = Level.LANDLOCK if fenced else Level.LIMITS
        self._own = settings.data.resolve(), settings.scratch.resolve()
        self._execute = _outermost((*_SYSTEM, *settings.path, *settings.execute, *tools))
        self._read = _existing(("/etc", *_DEVICES_READ))
        self._write = _existing(_DEVICES_WRITTEN)

    def rules(self, command: Command, reach: Reach) -> landlock.Rules | None:
        """Return the fence for a command; None when the level has none.

        Raises CannotStart for a declared path that must not be given or is not there.
        """
        if Level[command.containment.upper()] > self.level:
            raise CannotStart(
                f"the node asks for containment `{command.containment}`, but gets {self.level}"
            )
        with starting():
            return self._rules(command, reach)

    def _rules(self, command: Command, reach: Reach) -> landlock.Rules | None:
        read = self._declared(command.read, reach)
        write = self._declared(command.write, reach)
        for path in write:
            self._check_writable(path)
        if self.level < Level.LANDLOCK:
            return None
        if command.network:
            read = (*read, Path(_RESOLVER).resolve())
        browse, open_ = self._apart(path for path in read if path.exists())
        return landlock.Rules(
            read=(*self._read, reach.tree, *open_),
            browse=tuple(browse),
            execute=(*self._execute, *_existing(command.path)),
            write=(*self._write, reach.scratch, reach.data, *map(str, write)),
            network=command.network,
        )

    def describe(self) -> Mapping[str, object]:
        """Return the level and, in sentences, what it does not do here."""
        return {"level": str(self.level), "landlock_abi": self._abi, "gaps": self._gaps()}

    def _gaps(self) -> tuple[str, ...]:
        gaps = {
            "A step can read and write whatever the daemon's user can, the environment of the"
            " daemon and of other steps included: this kernel has no Landlock, or it is"
            " switched off in `execution.level`.": self.level < Level.LANDLOCK,
            "A step can truncate files that it may not write (needs Linux 6.2).": self._lacks(
                _ABI_TRUNCATE
            ),
            "A step without `network` can still use TCP (needs Linux 6.7).": self._lacks(
                _ABI_TCP
            ),
            "A step can send signals to the daemon (needs Linux 6.12).": self._lacks(
                _ABI_SCOPE
            ),
            "A step without `network` can still send UDP and use sockets in the file system:"
            " Landlock has no rule for them.": self.level == Level.LANDLOCK,
            "A step that clears its environment, resets its resource limits and leaves its"
            " session is not found when it is ended: only a process namespace could.": True,
            "The daemon runs as root, and so do its steps: use a user of its own.": (
                os.geteuid() == 0
            ),
        }
        return tuple(gap for gap, present in gaps.items() if present)

    def _lacks(self, abi: int) -> bool:
        return self.level == Level.LANDLOCK and self._abi < abi

    def _declared(self, paths: Iterable[str], reach: Reach) -> tuple[Path, ...]:
        """Return the real paths, checked, because what they name may come from an event."""
        real = tuple(_real(path) for path in paths)
        wanted = tuple(path for path in real if not path.is_relative_to(reach.data))
        for path in wanted:
            if path.is_relative_to(_PROCESSES) or _PROCESSES.is_relative_to(path):
                raise CannotStart(
                    f"{path} holds all processes' secrets: name a folder below it"
                )
            if any(path.is_relative_to(own) for own in self._own):
                raise CannotStart(f"{path} is Stratum's own: a step may use $env.STRATUM_DATA")
        return wanted

    def _check_writable(self, path: Path) -> None:
        for own in self._own:
            if own.is_relative_to(path):
                raise CannotStart(
                    f"{path} cannot be written, as Stratum's own folder {own} lies in it: name"
                    " a folder apart from that, or move Stratum's"
                )
        if not path.exists():
            raise CannotStart(f"{path}, which the node may write, does not exist: create it")

    def _apart(self, paths: Iterable[Path]) -> tuple[list[str], list[str]]:
        """Return folders to list and paths to read: all of `paths` but our own folders.

        Landlock cannot take back below a folder what it gives at its top, so a folder that
        holds one of ours is given entry by entry.
        """
        browse, read, rest = [], [], list(paths)
        for path in rest:  # grows while it is walked
            if not any(own.is_relative_to(path) for own in self._own):
                read.append(str(path))
            elif path not in self._own:
                browse.append(str(path))
                rest += [entry for entry in path.iterdir() if not entry.is_symlink()]
        return browse, read


def _real(path: str) -> Path:
    if not Path(path).is_absolute():
        raise CannotStart(f"{path}, which the node declares, is not an absolute path")
    return Path(path).resolve()


def _outermost(paths: Iterable[str]) -> tuple[str, ...]:
    """Leave out what lies below another: a rule costs every start some 20 microseconds."""
    real = {Path(path).resolve() for path in _existing(paths)}
    return tuple(str(path) for path in sorted(real) if real.isdisjoint(path.parents))


def _existing(paths: Iterable[str]) -> tuple[str, ...]:
    unique = dict.fromkeys(paths)
    return tuple(path for path in unique if Path(path).exists())
