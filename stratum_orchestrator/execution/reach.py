"""Which paths a step may be given, and which of them are Stratum's own."""
# ruff: noqa: TRY003 - the message is all that the raised errors consist of

from collections.abc import Iterable
from dataclasses import dataclass
from os.path import realpath
from pathlib import Path

from stratum_orchestrator.execution.errors import CannotStart

_PROCESSES = Path("/proc")


@dataclass(frozen=True, slots=True)
class Reach:
    """What one process needs besides what its command declares."""

    tree: str
    """The definition's folder."""
    scratch: str
    data: str
    """The pipeline's durable folder."""


class Own:
    """Folders that are never within a step's reach, whatever it declares."""

    def __init__(self, *folders: Path) -> None:
        """Take their real paths."""
        self._folders = folders

    def declared(self, paths: Iterable[str], data: str) -> tuple[Path, ...]:
        """Return the real paths, checked, because what they name may come from an event.

        Without what lies in the pipeline's folder: that is within reach anyway.
        """
        real = tuple(_real(path) for path in paths)
        wanted = tuple(path for path in real if not path.is_relative_to(data))
        for path in wanted:
            if path.is_relative_to(_PROCESSES) or _PROCESSES.is_relative_to(path):
                raise CannotStart(
                    f"{path} holds all processes' secrets: declare a folder apart from /proc"
                )
            if any(path.is_relative_to(own) for own in self._folders):
                raise CannotStart(f"{path} is Stratum's own: a step may use $env.STRATUM_DATA")
        return wanted

    def writable(self, paths: Iterable[str], data: str) -> tuple[Path, ...]:
        """Likewise for what is to be written, which has to be there and apart from ours."""
        wanted = self.declared(paths, data)
        for path in wanted:
            if ours := self.within([path]):
                raise CannotStart(
                    f"{path} cannot be written, as Stratum's own folder {ours[0]} lies in it:"
                    " name a folder apart from that, or move Stratum's"
                )
            if not path.exists():
                raise CannotStart(
                    f"{path}, which the node may write, does not exist: create it"
                )
        return wanted

    def within(self, paths: Iterable[Path]) -> tuple[str, ...]:
        """Return the own folders that lie in one of these."""
        around = tuple(paths)
        return tuple(
            str(own)
            for own in self._folders
            if any(own.is_relative_to(path) for path in around)
        )

    def apart(self, paths: Iterable[Path]) -> tuple[list[str], list[str]]:
        """Return folders to list and paths to read: all of `paths` but the own folders.

        Landlock cannot take back below a folder what it gives at its top, so a folder that
        holds one of ours is given entry by entry.
        """
        browse, read, rest = [], [], list(paths)
        for path in rest:  # grows while it is walked
            if not self.within([path]):
                read.append(str(path))
            elif path not in self._folders:
                browse.append(str(path))
                rest += [entry for entry in path.iterdir() if not entry.is_symlink()]
        return browse, read


def _real(path: str) -> Path:
    if not Path(path).is_absolute():
        raise CannotStart(f"{path}, which the node declares, is not an absolute path")
    return Path(realpath(path))
