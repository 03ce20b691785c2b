"""Loading what is in force: definitions into a graph, principals, policies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from stratum_graph.definitions import descriptor, snapshot
from stratum_graph.definitions.content import ContentStore
from stratum_graph.definitions.directory import DirectorySource
from stratum_graph.definitions.remote.fetcher import Fetcher
from stratum_graph.definitions.remote.places import NOWHERE, Places
from stratum_graph.definitions.scripts import Nushell, check_scripts
from stratum_graph.diagnostics import Diagnostic
from stratum_graph.generation import Compiled, Generation, compile_graph
from stratum_graph.model import Principal
from stratum_orchestrator.auth.access import Access
from stratum_orchestrator.auth.cedar import CedarAuthorizer, PolicySet
from stratum_orchestrator.auth.entities import PipelineFacts
from stratum_orchestrator.auth.register import Register
from stratum_orchestrator.auth.roster import Roster

DAEMON, SERVICES = "stratum", "services"
"""How policies know daemons: by name, and by group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where definitions, principals and policies lie."""

    folders: tuple[Path, ...]
    library: Path
    principals: Path
    policies: Path
    subjects: tuple[str, ...]
    """Of the event stream."""
    access: Path
    """Where commands keep what they change about principals."""
    awaited: tuple[Path, ...] = ()
    """Folders that take the place of `folders` when they appear."""
    scripts: Places = NOWHERE
    """Where scripts that definitions name may come from."""

    def placed(self, found: Sequence[Diagnostic]) -> tuple[Diagnostic, ...]:
        """Findings about definitions with their files as seen from the working folder."""
        roots = tuple(zip(snapshot.roots_of(self.folders), self.folders, strict=True))
        here = Path.cwd()

        def name(file: str) -> str:
            root, folder = next((x for x in roots if file.startswith(x[0])), ("", Path()))
            own = folder / file[len(root) :]
            return str(own.relative_to(here) if own.is_relative_to(here) else own)

        return tuple(each.placed(name) for each in found)


class Read(NamedTuple):
    """What came of reading the definitions."""

    compiled: Compiled
    diagnostics: tuple[Diagnostic, ...]
    copies: Mapping[str, bytes]
    """Scripts from elsewhere, by the place below the folders where they need not be fetched."""

    @property
    def whole(self) -> Generation | None:
        """The generation, if no error stands in its way."""
        wrong = any(each.severity == "error" for each in self.diagnostics)
        return None if wrong else self.compiled.generation


def source(
    sources: Sources, content: ContentStore, fetcher: descriptor.Fetcher | None = None
) -> DirectorySource:
    """What loads the definitions, again and again; it waits for what has to be fetched."""
    return DirectorySource(
        sources.folders,
        library=sources.library,
        content=content,
        fetcher=fetcher or Fetcher(sources.scripts, content),
    )


async def load_graph(sources: Sources, content: ContentStore, nu: Nushell | None) -> Read:
    """The compiled graph, and everything found on the way; `nu` parses the scripts if given."""
    loaded = await source(sources, content).load()
    compiled = compile_graph(loaded.definitions, subjects=sources.subjects)
    scripts: tuple[Diagnostic, ...] = ()
    if nu is not None:
        scripts = await check_scripts(loaded.definitions, content=content, nu=nu)
    found = (*loaded.diagnostics, *compiled.diagnostics, *scripts)
    return Read(compiled, found, loaded.copies)


async def load_principals(
    sources: Sources, content: ContentStore
) -> tuple[Mapping[str, Principal], tuple[Diagnostic, ...]]:
    """Those who may sign events by each key of theirs, and what is wrong with them.

    BadRegister when nobody can tell what commands have changed about them.
    """
    none = DirectorySource((), library=sources.library, content=content)
    return await people(sources, none, Access.at(sources.access).principals)


async def people(
    sources: Sources, source: DirectorySource, changed: Register[Roster]
) -> tuple[Mapping[str, Principal], tuple[Diagnostic, ...]]:
    """Likewise, from what is known already of both: only what differs is read again."""
    roster = changed.read()
    declared: tuple[Principal, ...] = ()
    problems: tuple[Diagnostic, ...] = ()
    if sources.principals.is_file() or not roster.principals:
        declared, problems = await source.load_principals(sources.principals)
    named, faults = roster.merged(declared, str(changed.file))
    by_key = {key: principal for principal in named for key in principal.every_key}
    return by_key, (*problems, *faults)


def with_daemon(named: Mapping[str, Principal], key: str) -> Mapping[str, Principal]:
    """Those who may sign events, the daemon among them: it publishes the ends of runs.

    Where its key is declared, the declaration counts.
    """
    daemon = Principal(key=key, name=DAEMON, groups=(SERVICES,))
    return {key: daemon, **named}


def authorizer(policies: PolicySet, generation: Generation) -> CedarAuthorizer:
    """The policies over the pipelines of a generation."""
    return CedarAuthorizer(policies, pipelines=facts(generation))


def facts(generation: Generation) -> Mapping[str, PipelineFacts]:
    """What policies may know of each pipeline of a generation."""
    plans = {name: generation.whole(name) for name in generation.pipelines}
    return {
        name: PipelineFacts.of([planned.definition.node for planned in plan.nodes])
        for name, plan in plans.items()
    }
