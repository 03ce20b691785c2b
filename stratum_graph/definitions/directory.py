"""Definitions from watched folders: copied, checked, evaluated where they changed, and kept.

Each `.ncl` file below a folder is a definition when it comes to a node or an array of nodes.
One that comes to something else is a library when another file imports it, and else an error.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio
import msgspec

from stratum_graph.definitions import folders, furnishing, shape, snapshot
from stratum_graph.definitions.content import ContentStore
from stratum_graph.definitions.copies import Copies
from stratum_graph.definitions.descriptor import Fetched, Fetcher, Surroundings
from stratum_graph.definitions.document import (
    Document,
    Gathered,
    evaluate_gathered,
    gather,
    read_library,
)
from stratum_graph.definitions.folders import Folders
from stratum_graph.definitions.furnishing import Draft, furnished
from stratum_graph.definitions.nickel import Evaluated, evaluate
from stratum_graph.definitions.reading import Reading
from stratum_graph.definitions.snapshot import Files, Snapshot
from stratum_graph.definitions.source_text import Place, Survey, place_of_text
from stratum_graph.definitions.workers import EvaluationLimits
from stratum_graph.diagnostics import Diagnostic
from stratum_graph.model import ActionNode, Definition, Principal


@dataclass(frozen=True, slots=True)
class Loaded:
    """All that was found: the good definitions, and what is wrong with the others."""

    definitions: tuple[Definition, ...]
    diagnostics: tuple[Diagnostic, ...]
    evaluated: tuple[str, ...] = ()
    """Files that were not known from an earlier load."""
    copies: Files = field(default_factory=dict)
    """Scripts from elsewhere, by the place where they need not be fetched."""


class DirectorySource:
    """Loads definitions again and again; what did not change is not evaluated again."""

    def __init__(
        self,
        folders: Sequence[Path],
        *,
        library: Path,
        content: ContentStore,
        limits: EvaluationLimits | None = None,
        fetcher: Fetcher | None = None,
    ) -> None:
        """Take the watched folders, and the folder with the contracts (`stratum.ncl`).

        Without a fetcher no script is had from elsewhere.
        """
        self._folders = tuple(folders)
        self.library = library
        self._content = content
        self._limits = limits or EvaluationLimits()
        self._copies = Copies()
        self._known: Mapping[str, _Known] = {}
        self._surveys: Mapping[bytes, Survey] = {}
        self._trees: Mapping[_Files, str] = {}
        self._people: tuple[Gathered, _People] | None = None
        self._latest: tuple[Snapshot, Files, Loaded] | None = None
        self._fetcher = fetcher

    def turn_to(self, folders: Sequence[Path], library: Path) -> None:
        """Load from other folders from now on; what is known of equal files stays known."""
        self._folders, self.library = tuple(folders), library

    async def load(self) -> Loaded:
        """Return what the folders hold now. EvaluationFailed: nothing can be evaluated.

        While nothing changes, definitions and diagnostics are the very same objects.
        """
        taken, library = await anyio.to_thread.run_sync(self._take)
        known = self._latest[2] if self._latest else None
        unchanged = self._latest is not None and (taken, library) == self._latest[:2]
        if known and unchanged and not (self._fetcher and self._fetcher.is_due):
            return replace(known, evaluated=())
        reading = await anyio.to_thread.run_sync(self._read, taken, library)
        fresh = await self._evaluate(reading)
        drafts = await anyio.to_thread.run_sync(self._decode, reading, fresh)
        fetched = await self._fetch(reading, drafts)
        loaded = await anyio.to_thread.run_sync(self._conclude, reading, drafts, fetched)
        if known and unchanged and loaded == known:  # asked again in vain
            return replace(known, evaluated=())
        settled = all(each.settled for each in fresh.values())
        self._latest = (taken, library, loaded) if settled else None
        return replace(loaded, evaluated=tuple(sorted(fresh)))

    async def load_principals(self, file: Path) -> "_People":
        """Return those who may sign events, or what is wrong with the file that names them."""
        document = Document(file=file, contract="principals", library=self.library)
        gathered = await gather(document)
        if self._people is None or self._people[0] != gathered:
            found = await evaluate_gathered(gathered, self._limits)
            named, problems = shape.principals(found.value, str(file))
            people = named, (*found.diagnostics, *problems)
            self._people = (gathered, people) if found.settled else None
            return people
        return self._people[1]

    def _take(self) -> tuple[Snapshot, Files]:
        take = snapshot.take_at_rest if self._latest else snapshot.take
        return take(self._folders, self._copies), read_library(self.library)

    def _read(self, taken: Snapshot, library: Files) -> Reading:
        reading = Reading(taken, library, self._surveys)
        self._surveys = reading.surveys
        return reading

    async def _evaluate(self, reading: Reading) -> Mapping[str, Evaluated]:
        """Evaluate what is not known yet."""
        changed = {
            name: contract
            for name, contract in reading.contracts.items()
            if reading.keys[name] not in self._known
        }
        return await evaluate(reading.material(changed), changed, self._limits)

    def _decode(
        self, reading: Reading, fresh: Mapping[str, Evaluated]
    ) -> Mapping[str, "_Known"]:
        """What each file comes to, by name."""
        found = {}
        for name, key in reading.keys.items():
            text = reading.taken.files[name].decode()
            given = fresh.get(name)
            found[name] = _decoded(given, name, text) if given else self._known[key]
        self._known = {reading.keys[name]: each for name, each in found.items() if each.settled}
        return found

    async def _fetch(self, reading: Reading, drafts: Mapping[str, "_Known"]) -> Fetched:
        """The scripts that lie elsewhere."""
        wanted = furnishing.missing(_bare(drafts), reading.taken.files)
        return await self._fetcher.fetch(wanted) if wanted and self._fetcher else {}

    def _conclude(
        self, reading: Reading, drafts: Mapping[str, "_Known"], fetched: Fetched
    ) -> Loaded:
        """Keep the folders that the nodes run with."""
        cut = Folders(reading.taken.files)
        problems = [*reading.taken.diagnostics, *reading.problems]
        found: list[tuple[Definition, _Files]] = []
        for name, each in drafts.items():
            text = reading.taken.files[name].decode()
            problems += each.diagnostics
            below = cut.of(name) if each.drafts else {}
            for draft in each.drafts:
                node = draft.definition.node.name
                around = Surroundings(
                    node=node, file=name, text=text, files=reading.taken.files, fetched=fetched
                )
                definition, folder, said = furnished(draft, below, around)
                lacks = folders.problems(definition.node, name, text, folder)
                wrong = said if _has_error(said) else [*said, *lacks]
                problems += wrong
                if not _has_error(wrong):
                    found.append((definition, tuple(folder.items())))
        copies = furnishing.copies(_bare(drafts), fetched)
        return Loaded(self._keep(found), _in_order(problems), copies=copies)

    def _keep(self, found: Sequence[tuple[Definition, "_Files"]]) -> tuple[Definition, ...]:
        """Give each definition the digest of its folder, once that is durable."""
        files = {folder: self._trees.get(folder) for _, folder in found}
        missing = [
            folder
            for folder, digest in files.items()
            if digest is None or not self._content.keeps(digest)
        ]
        made = dict(zip(missing, self._content.put_trees(map(dict, missing)), strict=True))
        self._trees = {
            folder: made.get(folder) or digest or "" for folder, digest in files.items()
        }
        kept = (
            msgspec.structs.replace(each, tree=self._trees[folder]) for each, folder in found
        )
        return tuple(sorted(kept, key=lambda each: (each.file, each.line)))


_Files = tuple[tuple[str, bytes], ...]
_People = tuple[tuple[Principal, ...], tuple[Diagnostic, ...]]


@dataclass(frozen=True, slots=True)
class _Known:
    """What a file came to, decoded; its definitions have no folder yet."""

    drafts: tuple[Draft, ...]
    diagnostics: tuple[Diagnostic, ...]
    settled: bool


def _bare(drafts: Mapping[str, _Known]) -> Mapping[str, tuple[Draft, ...]]:
    return {name: each.drafts for name, each in drafts.items()}


def _has_error(found: Iterable[Diagnostic]) -> bool:
    return any(each.severity == "error" for each in found)


def _in_order(problems: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Each finding once, by place: a bad library is found by all who import it."""
    return tuple(sorted(set(problems), key=lambda each: (each.file, each.line, each.column)))


def _decoded(evaluated: Evaluated, file: str, text: str) -> _Known:
    nodes, refused = shape.nodes(evaluated.value, file, text)
    drafts = tuple(Draft(_unkept(each.node, file, text), each.scripts) for each in nodes)
    return _Known(drafts, (*evaluated.diagnostics, *refused), evaluated.settled)


def _unkept(node: ActionNode, file: str, text: str) -> Definition:
    place = place_of_text(text, node.name) or Place(1, 1)
    return Definition(node=node, file=file, line=place.line, tree="")
