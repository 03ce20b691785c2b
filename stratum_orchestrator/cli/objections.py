"""What stands in the way of a publication, under the names that the project's files have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stratum_graph.definitions.distribution import bundle
from stratum_graph.diagnostics import Diagnostic
from stratum_orchestrator.cli.exits import Exit, Stop
from stratum_orchestrator.cli.findings import tell
from stratum_orchestrator.cli.screen import Screen
from stratum_orchestrator.knowledge import Sources


class NotFit(Stop):
    """The project cannot be published as it is; the findings have been told."""

    def __init__(self, errors: int) -> None:
        super().__init__(
            f"nothing was published: {errors} error{'s' * (errors != 1)}",
            remedy="mend them, then publish again",
            code=Exit.BAD_DEFINITIONS,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Objections:
    """Tells findings about a bundle to whoever wrote the files."""

    screen: Screen
    places: Mapping[str, Path]
    """How the titles begin of the files of a folder."""
    scratch: Path
    """Where bundles are laid out to be tried."""

    @classmethod
    def about(
        cls, screen: Screen, sources: Sources, folders: Sequence[str], scratch: Path
    ) -> "Objections":
        """About what is made of the sources, whose folders a bundle calls so."""
        named = zip(folders, sources.folders, strict=True)
        places = {f"{bundle.DEFINITIONS_FOLDER}/{name}": folder for name, folder in named}
        places[bundle.LIBRARY_FOLDER] = sources.library
        places[bundle.POLICIES_FOLDER] = sources.policies
        places[bundle.PRINCIPALS_FOLDER] = sources.principals.parent
        return cls(screen=screen, places=places, scratch=scratch)

    def insist(self, found: Sequence[Diagnostic]) -> None:
        """Tell what was found; NotFit if an error is among it."""
        tell(self.screen, [each.placed(self._name) for each in found])
        errors = sum(each.severity == "error" for each in found)
        if errors:
            raise NotFit(errors)

    def _name(self, given: str) -> str:
        """What a file is called where its author works; its title if it has no other name."""
        file = Path.cwd() / given
        title = given
        if file.is_relative_to(self.scratch):
            title = str(Path(*file.relative_to(self.scratch).parts[1:]))
        for part, folder in self.places.items():
            if title == part or title.startswith(f"{part}/"):
                own = folder / title[len(part) + 1 :]
                return _from_here(own) if own.exists() else title
        return title


def _from_here(file: Path) -> str:
    here = Path.cwd()
    return str(file.relative_to(here) if file.is_relative_to(here) else file)
