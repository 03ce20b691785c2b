"""Everything that can be in force, read again and again; only what changed anew."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import anyio
from msgspec import structs

from stratum_graph.definitions import snapshot
from stratum_graph.definitions.content import ContentStore
from stratum_graph.definitions.copies import Copies
from stratum_graph.definitions.remote.beside import Beside
from stratum_graph.definitions.remote.fetcher import Fetcher
from stratum_graph.definitions.scripts import Nushell, ScriptChecker
from stratum_graph.definitions.snapshot import Snapshot
from stratum_graph.diagnostics import Diagnostic
from stratum_graph.generation import Generation, compile_graph
from stratum_graph.model import Definition, Principal
from stratum_orchestrator import knowledge
from stratum_orchestrator.auth.access import Access
from stratum_orchestrator.auth.cedar import CedarAuthorizer, PolicySet
from stratum_orchestrator.auth.errors import BadPolicies
from stratum_orchestrator.knowledge import Sources


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was read, and all that is to be said about it."""

    generation: Generation | None
    principals: Mapping[str, Principal]
    authorizer: CedarAuthorizer | None
    """The policies over the pipelines of the generation; None when one of the two is bad."""
    policies: str
    """Digest; empty when they are bad."""
    diagnostics: tuple[Diagnostic, ...]
    evaluated: int = 0

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        return tuple(each for each in self.diagnostics if each.severity == "error")


class Reader:
    """Keeps what it read until something of it changes."""

    def __init__(self, sources: Sources, content: ContentStore, nu: Nushell) -> None:
        self._fetched = Beside(Fetcher(sources.scripts, content))
        self._definitions = knowledge.source(sources, content, self._fetched)
        self._scripts = ScriptChecker(content, nu)
        self._register = Access.at(sources.access).principals
        self._policies = _Policies()
        self._parts: _Parts | None = None
        self._found: Found | None = None

    async def fetch_beside(self, done: Callable[[], Awaitable[object]]) -> None:
        """Let no reading wait for other machines from now on, until cancelled.

        `done` is called when something came that another reading would find.
        """
        await self._fetched.serve(done)

    async def read(self, sources: Sources) -> Found:
        """What there is now: the very same object while nothing changes.

        EvaluationFailed when nothing can be evaluated.
        """
        self._definitions.turn_to(sources.folders, sources.library)
        loaded = await self._definitions.load()
        if self._register.file.parent != sources.access:
            self._register = Access.at(sources.access).principals
        named, of_people = await knowledge.people(sources, self._definitions, self._register)
        policies, of_policies = await anyio.to_thread.run_sync(
            self._policies.read, sources.policies
        )
        parts = _Parts(
            sources=sources,
            definitions=loaded.definitions,
            said=loaded.diagnostics,
            principals=named,
            policies=policies,
            told=(*of_people, *of_policies),
        )
        if self._found is None or self._parts is None or not parts.are(self._parts):
            scripts = await self._scripts.check(loaded.definitions)
            compile_all = partial(_compile, parts, scripts, len(loaded.evaluated))
            self._found = await anyio.to_thread.run_sync(compile_all)
            self._parts = parts
        return self._found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """What a generation is made of."""

    sources: Sources
    definitions: tuple[Definition, ...]
    said: tuple[Diagnostic, ...]
    principals: Mapping[str, Principal]
    policies: PolicySet | None
    told: tuple[Diagnostic, ...]

    def are(self, others: "_Parts") -> bool:
        same = self.definitions is others.definitions and self.policies is others.policies
        return same and (self.sources, self.said, self.principals, self.told) == (
            others.sources,
            others.said,
            others.principals,
            others.told,
        )


def _compile(parts: _Parts, scripts: Sequence[Diagnostic], evaluated: int) -> Found:
    sources = parts.sources
    compiled = compile_graph(parts.definitions, subjects=sources.subjects)
    authorizer = None
    if compiled.generation is not None and parts.policies is not None:
        authorizer = knowledge.authorizer(parts.policies, compiled.generation)
    below = (*parts.said, *compiled.diagnostics, *scripts)
    return Found(
        generation=compiled.generation,
        principals=parts.principals,
        authorizer=authorizer,
        policies=parts.policies.digest if parts.policies else "",
        diagnostics=(*sources.placed(below), *parts.told),
        evaluated=evaluated,
    )


class _Policies:
    """The policies, parsed and tried again when their folder changes."""

    def __init__(self) -> None:
        self._copies = Copies()
        self._taken: tuple[Path, Snapshot, Sequence[object]] | None = None
        self._read: tuple[PolicySet | None, tuple[Diagnostic, ...]] = None, ()

    def read(self, folder: Path) -> tuple[PolicySet | None, tuple[Diagnostic, ...]]:
        """The set, None when it does not load, and what is wrong with it. Blocks."""
        take = snapshot.take_at_rest if self._taken else snapshot.take
        taken = folder, take([folder], self._copies), list(_beside_files(folder))
        if taken != self._taken or self._read[0] is None:
            self._taken, self._read = taken, _load(folder)
        return self._read


def _beside_files(folder: Path) -> Iterator[object]:
    """What of a folder is no plain file, and how it looks: links lead to what may change."""
    with suppress(OSError):
        for each in sorted(folder.iterdir()):
            if each.is_symlink() or not each.is_file():
                yield each.name, _look(each)


def _look(path: Path) -> object:
    try:
        found = path.stat()
    except OSError as error:
        return error.errno
    return found.st_mode, found.st_ino, found.st_size, found.st_mtime_ns


def _load(folder: Path) -> tuple[PolicySet | None, tuple[Diagnostic, ...]]:
    try:
        return PolicySet.load(folder), ()
    except BadPolicies as bad:
        return None, tuple(
            structs.replace(each, file=str(folder / each.file)) for each in bad.diagnostics
        )
