"""A project folder read without a daemon: its definitions, principals and policies."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from stratum_graph.definitions.content import ContentStore
from stratum_graph.definitions.scripts import Nushell
from stratum_graph.diagnostics import Diagnostic
from stratum_graph.errors import EvaluationFailed
from stratum_graph.generation import Generation
from stratum_graph.model import Principal
from stratum_orchestrator import config, knowledge, layout
from stratum_orchestrator.auth.access import Access
from stratum_orchestrator.auth.cedar import CedarAuthorizer, PolicySet
from stratum_orchestrator.auth.grants import KeptGrants
from stratum_orchestrator.cli.exits import Exit, Stop
from stratum_orchestrator.cli.findings import tell
from stratum_orchestrator.cli.options import Face
from stratum_orchestrator.config import Settings
from stratum_orchestrator.execution.settings import ExecutionSettings
from stratum_orchestrator.knowledge import Read, Sources


class BadDefinitions(Stop):
    """The definitions do not make a graph; the findings have been told."""

    def __init__(self, errors: int) -> None:
        super().__init__(
            f"the definitions do not make a graph: {errors} error{'s' * (errors != 1)}",
            remedy="`stratum lint` checks again",
            code=Exit.BAD_DEFINITIONS,
        )


class BadSettings(Stop):
    """The configuration cannot be used; the findings have been told."""

    def __init__(self, errors: int) -> None:
        super().__init__(
            f"the configuration has {errors} error{'s' * (errors != 1)}", code=Exit.CONFIG
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
    settings: Settings
    sources: Sources
    content: ContentStore

    def only(self, folder: Path) -> "Workspace":
        """The same project with the definitions of one folder; NoFolder when it is none."""
        if not folder.is_dir():
            raise NoFolder(folder)
        return replace(self, sources=replace(self.sources, folders=(folder,)))

    async def graph(
        self, nu: Nushell | None = None
    ) -> tuple[Generation | None, tuple[Diagnostic, ...]]:
        """The graph, None when an error stands in its way, and all that was found.

        With a Nushell, the scripts are parsed too. Stop when Nickel does not work.
        """
        read = await self.read(nu)
        return read.whole, read.diagnostics

    async def read(self, nu: Nushell | None = None) -> Read:
        """Likewise, with all that was read on the way."""
        try:
            read = await knowledge.load_graph(self.sources, self.content, nu)
        except EvaluationFailed as failure:
            raise Stop(str(failure), code=Exit.SOFTWARE) from None
        return read._replace(diagnostics=self.placed(read.diagnostics))

    async def principals(self) -> tuple[Mapping[str, Principal], tuple[Diagnostic, ...]]:
        """Those who may sign events, by public key, and what is wrong with their file."""
        if not self.sources.principals.is_file() and not self._changed_people():
            return {}, ()
        return await knowledge.load_principals(self.sources, self.content)

    @property
    def grants(self) -> KeptGrants:
        """What users have granted to agents, and what was revoked."""
        return KeptGrants(Access.at(self.sources.access).grants, self.settings.nats.audience)

    def _changed_people(self) -> bool:
        return bool(Access.at(self.sources.access).principals.read().principals)

    def authorizer(self, generation: Generation) -> CedarAuthorizer:
        """What the policies say about the pipelines; BadPolicies when they do not load."""
        return knowledge.authorizer(PolicySet.load(self.sources.policies), generation)

    def execution(self, stage: Path) -> ExecutionSettings:
        """How steps are run as the daemon would, with all that they leave below `stage`."""
        return layout.execution(
            self.settings,
            self.project,
            data=stage / "data",
            scratch=stage / "scratch",
            token="rehearsal",  # noqa: S106 - a name, no secret
        )

    def placed(self, found: Sequence[Diagnostic]) -> tuple[Diagnostic, ...]:
        """The findings with their files as seen from the working folder."""
        return self.sources.placed(found)


@asynccontextmanager
async def workspace(face: Face) -> AsyncIterator[Workspace]:
    """The project to which the home belongs, with a content store for as long as it is used."""
    settings = await read_settings(face)
    project = face.folder.absolute()
    with TemporaryDirectory(prefix="stratum-") as scratch:
        yield Workspace(
            project=project,
            settings=settings,
            sources=layout.sources(settings, project, face.home.absolute()),
            content=ContentStore(Path(scratch)),
        )


async def read_settings(face: Face) -> Settings:
    """The settings in effect for the project; BadSettings when there are mistakes."""
    try:
        found = await config.load(face.folder.absolute(), config.environment(), {})
    except config.BadConfig as bad:
        tell(face.screen, bad.diagnostics)
        raise BadSettings(len(bad.diagnostics)) from None
    return found.settings


async def graph_of(face: Face, place: Workspace) -> Generation:
    """The project's generation; its findings are told, and BadDefinitions when it has none."""
    generation, found = await place.graph()
    if generation is None:
        tell(face.screen, found)
        raise BadDefinitions(sum(each.severity == "error" for each in found))
    return generation
