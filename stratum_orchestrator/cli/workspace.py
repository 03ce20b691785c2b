"""A project folder read without a daemon: its definitions, principals and policies."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec.structs import replace

from stratum_graph.definitions.content import ContentStore
from stratum_graph.definitions.directory import DirectorySource, Loaded
from stratum_graph.diagnostics import Diagnostic
from stratum_graph.errors import EvaluationFailed
from stratum_graph.generation import Compiled, Generation, compile_graph
from stratum_graph.model import Principal
from stratum_orchestrator import config
from stratum_orchestrator.cli.exits import Exit, Stop
from stratum_orchestrator.cli.findings import tell
from stratum_orchestrator.cli.options import Face
from stratum_orchestrator.config import Settings

PRINCIPALS = "principals.ncl"


class BadDefinitions(Stop):
    """The definitions do not make a graph; the findings have been told."""

    def __init__(self, errors: int) -> None:
        super().__init__(
            f"the definitions do not make a graph: {errors} errors",
            remedy="`stratum lint` checks again",
            code=Exit.BAD_DEFINITIONS,
        )


class NoFolder(Stop):
    """A folder that should hold definitions is not there."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"{folder} is not a folder",
            remedy="name the folder with the definitions, or set definitions.folders",
            code=Exit.NOT_FOUND,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """Where a project has its parts, and what its settings say."""

    project: Path
    home: Path
    settings: Settings
    content: ContentStore

    @property
    def folders(self) -> tuple[Path, ...]:
        return tuple(self.project / each for each in self.settings.definitions.folders)

    @property
    def library(self) -> Path:
        named = self.settings.definitions.library
        return self.project / named if named else config.library()

    @property
    def policies(self) -> Path:
        named = self.settings.policies.folder
        return self.project / named if named else config.policies()

    @property
    def principals_file(self) -> Path:
        named = self.settings.definitions.principals
        return self.project / named if named else self.home / PRINCIPALS

    async def load(self, folders: Sequence[Path] | None = None) -> Loaded:
        """The definitions in the folders. Raises NoFolder; Stop when Nickel does not work."""
        wanted = tuple(folders or self.folders)
        for folder in wanted:
            if not folder.is_dir():
                raise NoFolder(folder)
        try:
            loaded = await self._source(wanted).load()
        except EvaluationFailed as failure:
            raise Stop(str(failure), code=Exit.SOFTWARE) from None
        return Loaded(loaded.definitions, placed(loaded.diagnostics, wanted))

    async def compiled(self) -> Compiled:
        """The graph of all definitions, with everything that was found on the way."""
        loaded = await self.load()
        subjects = self.settings.nats.subjects
        compiled = compile_graph(loaded.definitions, subjects=subjects)
        found = (*loaded.diagnostics, *compiled.diagnostics)
        whole = not any(each.severity == "error" for each in loaded.diagnostics)
        return Compiled(generation=compiled.generation if whole else None, diagnostics=found)

    async def principals(self) -> tuple[Mapping[str, Principal], tuple[Diagnostic, ...]]:
        """Those who may sign events, by public key, and what is wrong with their file."""
        file = self.principals_file
        if not file.is_file():
            return {}, ()
        named, problems = await self._source(self.folders).load_principals(file)
        return {each.key: each for each in named}, problems

    def _source(self, folders: Sequence[Path]) -> DirectorySource:
        return DirectorySource(folders, library=self.library, content=self.content)


def placed(found: Sequence[Diagnostic], folders: Sequence[Path]) -> tuple[Diagnostic, ...]:
    """Findings with files as they are named from the working folder, ready to be opened.

    Sources name files below their only folder, or below the folders' own names.
    """
    only = folders[0] if len(folders) == 1 else Path()
    here = Path.cwd()
    root = only.relative_to(here) if only.is_relative_to(here) else only
    return tuple(replace(each, file=str(root / each.file)) for each in found)


@asynccontextmanager
async def workspace(face: Face) -> AsyncIterator[Workspace]:
    """The project to which the home belongs, with a content store for as long as it is used."""
    settings = await read_settings(face)
    with TemporaryDirectory(prefix="stratum-") as scratch:
        yield Workspace(
            project=face.folder.absolute(),
            home=face.home.absolute(),
            settings=settings,
            content=ContentStore(Path(scratch)),
        )


async def read_settings(face: Face) -> Settings:
    """The settings in effect for the project; Stop names each mistake."""
    try:
        found = await config.load(face.folder.absolute(), config.environment(), {})
    except config.BadConfig as bad:
        tell(face.screen, bad.diagnostics)
        raise BadSettings(len(bad.diagnostics)) from None
    return found.settings


class BadSettings(Stop):
    """The configuration cannot be used; the findings have been told."""

    def __init__(self, errors: int) -> None:
        super().__init__(f"the configuration has {errors} errors", code=Exit.CONFIG)


async def graph_of(face: Face, place: Workspace) -> Generation:
    """The project's generation; its findings are told, and BadDefinitions when it has none."""
    compiled = await place.compiled()
    if compiled.generation is None:
        tell(face.screen, compiled.diagnostics)
        errors = sum(each.severity == "error" for each in compiled.diagnostics)
        raise BadDefinitions(errors)
    return compiled.generation
