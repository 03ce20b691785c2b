"""Pipelines to begin with: folders of nodes in which only the name is open."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parent / "templates"
_ABOUT = "about.txt"
_OPEN = "@NAME@"


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A pipeline that works, and what it shows."""

    name: str
    about: str
    """One sentence."""
    folder: Path

    def files(self, pipeline: str) -> Mapping[str, str]:
        """The text of each file for a pipeline of that name, by path below its folder."""
        return {
            path.relative_to(self.folder).as_posix(): _named(path, pipeline)
            for path in sorted(self.folder.glob("*/*"))
        }


def templates() -> Mapping[str, Template]:
    """All that there are, by name."""
    return {
        about.parent.name: Template(
            name=about.parent.name,
            about=about.read_text(encoding="utf-8").strip(),
            folder=about.parent,
        )
        for about in sorted(_FOLDER.glob(f"*/{_ABOUT}"))
    }


def _named(path: Path, pipeline: str) -> str:
    return path.read_text(encoding="utf-8").replace(_OPEN, pipeline)
