"""What a step's process may reach, and how sure that is on this machine."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from os.path import realpath
from pathlib import Path

from stratum_graph.definitions import landlock
from stratum_orchestrator.execution import bubblewrap
from stratum_orchestrator.execution.errors import CannotStart, LevelMissing, starting
from stratum_orchestrator.execution.reach import Own, Reach
from stratum_orchestrator.execution.settings import ExecutionSettings, WantedLevel
from stratum_orchestrator.ports import Command

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/nix/store")
_DEVICES_READ = ("/dev/urandom", "/dev/random", "/dev/zero")
_DEVICES_WRITTEN = ("/dev/null",)
_RESOLVER = "/etc/resolv.conf"
"""Often a link out of /etc."""
_NO_LANDLOCK = (
    "this kernel has no Landlock: use Linux 5.13 or newer, with `landlock` in its `lsm=` list"
)
_ABI_TRUNCATE, _ABI_TCP, _ABI_SCOPE = 3, 4, 6


class Level(IntEnum):
    """How strictly a process is contained."""

    LIMITS = 1
    """Resource limits, own session, clean environment."""
    LANDLOCK = 2
    """Also: only declared files and, on newer kernels, only declared TCP."""
    BUBBLEWRAP = 3
    """Also: no other process in sight, and no network but a declared one."""

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Fence:
    """What is around one process."""

    level: Level
    told: str
    """What its record says: the level, and what that cannot do here."""
    rules: landlock.Rules | None = None
    wrap: tuple[str, ...] = ()
    """What stands before its command."""


class Containment:
    """What this machine can do, the least that is in force, and the fence for a command."""

    def __init__(self, settings: ExecutionSettings, tools: Iterable[str]) -> None:
        """Choose the level; `tools` are paths of ours that every step reads and executes.

        Raises LevelMissing when the configured level does not exist on this machine.
        """
        self._abi = landlock.abi()
        self._bwrap, no_bwrap = bubblewrap.find(settings.path)
        self._missing = {
            Level.LIMITS: "",
            Level.LANDLOCK: "" if self._abi else _NO_LANDLOCK,
            Level.BUBBLEWRAP: no_bwrap,
        }
        self.level = self._floor(settings.level)
        self._own = Own(settings.data.resolve(), settings.scratch.resolve())
        self._tools = tuple(tools)
        self._path, self._programs = settings.path, (*settings.path, *settings.execute)
        self._execute = _outermost((*_SYSTEM, *self._programs, *tools))
        self._read = _existing(("/etc", *_DEVICES_READ))
        self._write = _existing(_DEVICES_WRITTEN)

    def missing(self, wanted: str) -> str:
        """Why a process cannot be contained so, with the remedy; empty when it can be."""
        why = self._missing[Level[wanted.upper()]]
        return f"containment `{wanted}` is not available here: {why}" if why else ""

    def fence(self, command: Command, reach: Reach) -> Fence:
        """Return what has to be around a command.

        Raises CannotStart for a level that is not there, and for a declared path that must
        not be given or is not there.
        """
        if missing := self.missing(command.containment):
            raise CannotStart(missing)
        level = max(self.level, Level[command.containment.upper()])
        with starting():
            read = self._own.declared(command.read, reach.data)
            write = self._own.writable(command.write, reach.data)
            if command.network:
                read = (*read, Path(_RESOLVER).resolve())
            read = tuple(path for path in read if path.exists())
            told = self._told(level, network=command.network)
            match level:
                case Level.LIMITS:
                    return Fence(level, told)
                case Level.LANDLOCK:
                    return Fence(level, told, rules=self._rules(command, reach, read, write))
                case Level.BUBBLEWRAP:
                    view = self._view(command, reach, read, write)
                    return Fence(level, told, wrap=bubblewrap.wrap(self._bwrap, view))

    def _floor(self, wanted: WantedLevel) -> Level:
        if wanted == "auto":
            return Level.LANDLOCK if self._abi else Level.LIMITS
        if why := self._missing[Level[wanted.upper()]]:
            raise LevelMissing(wanted, why)
        return Level[wanted.upper()]

    def _told(self, level: Level, *, network: bool) -> str:
        denies = level is Level.BUBBLEWRAP or (
            level is Level.LANDLOCK and self._abi >= _ABI_TCP
        )
        return str(level) if network or denies else f"{level}, network open"

    def _rules(
        self, command: Command, reach: Reach, read: Sequence[Path], write: Sequence[Path]
    ) -> landlock.Rules:
        browse, open_ = self._own.apart(read)
        return landlock.Rules(
            read=(*self._read, reach.tree, *open_),
            browse=tuple(browse),
            execute=(*self._execute, *_existing(command.path)),
            write=(*self._write, reach.scratch, reach.data, *map(str, write)),
            network=command.network,
        )

    def _view(
        self, command: Command, reach: Reach, read: Sequence[Path], write: Sequence[Path]
    ) -> bubblewrap.View:
        programs = _outermost((*_SYSTEM, *self._programs, *command.path))
        given = (*self._programs, *command.path, *command.read, *command.write)
        links = {path: realpath(path) for path in given}
        return bubblewrap.View(
            read=("/etc", *programs, *map(str, read)),
            write=tuple(map(str, write)),
            hidden=self._own.within((*map(Path, programs), *read)),
            tools=(*self._tools, reach.tree),
            own=(reach.scratch, reach.data),
            links={path: real for path, real in links.items() if path != real},
            cwd=reach.scratch,
            network=command.network,
        )

    def describe(self) -> Mapping[str, object]:
        """Return the level and, in sentences, what it does not do here."""
        return {"level": str(self.level), "landlock_abi": self._abi, "gaps": self._gaps()}

    def _gaps(self) -> tuple[str, ...]:
        no_bwrap = self._missing[Level.BUBBLEWRAP]
        gaps = {
            "A step can read and write whatever the daemon's user can, the environment of the"
            " daemon and of other steps included: this kernel has no Landlock, or it is"
            " switched off in `execution.level`.": self.level < Level.LANDLOCK,
            "No node can have its network denied, whatever it declares: `landlock` on Linux 6.7"
            " or `bubblewrap` can.": self.level < Level.LANDLOCK,
            f"Nodes that ask for `bubblewrap` are refused: {no_bwrap}": bool(no_bwrap),
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
            " session is not found when it is ended: only `bubblewrap` can.": (
                self.level < Level.BUBBLEWRAP
            ),
            "The daemon runs as root, and so do its steps: use a user of its own.": (
                os.geteuid() == 0
            ),
        }
        return tuple(gap for gap, present in gaps.items() if present)

    def _lacks(self, abi: int) -> bool:
        return self.level == Level.LANDLOCK and self._abi < abi


def _outermost(paths: Iterable[str]) -> tuple[str, ...]:
    """Leave out what lies below another: a rule costs every start some 20 microseconds."""
    real = {Path(realpath(path)) for path in _existing(paths)}
    return tuple(str(path) for path in sorted(real) if real.isdisjoint(path.parents))


def _existing(paths: Iterable[str]) -> tuple[str, ...]:
    unique = dict.fromkeys(paths)
    return tuple(path for path in unique if Path(path).exists())
