"""Definitions from watched folders: copied, checked, evaluated where they changed, and kept.

Each `.ncl` file below a folder is a definition when it comes to a node or an array of nodes.
One that comes to something else is a library when another file imports it, and else an error.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import anyio
import msgspec

from stratum_graph.definitions import folders, shape, snapshot, source_text
from stratum_graph.definitions.content import ContentStore
from stratum_graph.definitions.dependencies import Dependencies
from stratum_graph.definitions.document import Document, evaluate_document, read_library
from stratum_graph.definitions.folders import Folders
from stratum_graph.definitions.nickel import Contract, Evaluated, Material, evaluate
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


class DirectorySource:
    """Loads definitions again and again; what did not change is not evaluated again."""

    def __init__(
        self,
        folders: Sequence[Path],
        *,
        library: Path,
        content: ContentStore,
        limits: EvaluationLimits | None = None,
    ) -> None:
        """Take the watched folders, and the folder with the contracts (`stratum.ncl`)."""
        self._folders = tuple(folders)
        self._library = library
        self._content = content
        self._limits = limits or EvaluationLimits()
        self._known: Mapping[str, Evaluated] = {}
        self._surveys: Mapping[bytes, Survey] = {}

    async def load(self) -> Loaded:
        """Return what the folders hold now. EvaluationFailed: nothing can be evaluated."""
        reading = await anyio.to_thread.run_sync(self._read)
        fresh = await self._evaluate(reading)
        known = {
            name: fresh.get(name) or self._known[key] for name, key in reading.keys.items()
        }
        self._known = {reading.keys[name]: each for name, each in known.items() if each.settled}
        loaded = await anyio.to_thread.run_sync(self._conclude, reading, known)
        return replace(loaded, evaluated=tuple(sorted(fresh)))

    async def load_principals(
        self, file: Path
    ) -> tuple[tuple[Principal, ...], tuple[Diagnostic, ...]]:
        """Return those who may sign events, or what is wrong with the file that names them."""
        document = Document(file=file, contract="principals", library=self._library)
        found = await evaluate_document(document, self._limits)
        named, problems = shape.principals(found.value, str(file))
        return named, (*found.diagnostics, *problems)

    def _read(self) -> "_Reading":
        taken, library = snapshot.take(self._folders), read_library(self._library)
        reading = _Reading(taken, library, self._surveys)
        self._surveys = reading.surveys
        return reading

    async def _evaluate(self, reading: "_Reading") -> Mapping[str, Evaluated]:
        """Evaluate what is not known yet."""
        changed = {
            name: contract
            for name, contract in reading.contracts.items()
            if reading.keys[name] not in self._known
        }
        return await evaluate(reading.material(changed), changed, self._limits)

    def _conclude(self, reading: "_Reading", evaluated: Mapping[str, Evaluated]) -> Loaded:
        """Decode the nodes and keep the folders that they run with."""
        cut = Folders(reading.taken.files)
        problems = [*reading.taken.diagnostics, *reading.problems]
        found: list[Definition] = []
        for name, each in evaluated.items():
            text = reading.taken.files[name].decode()
            nodes, refused = shape.nodes(each.value, name, text)
            problems += [*each.diagnostics, *refused]
            for node in nodes:
                wrong = list(folders.problems(node, name, text, cut.of(name)))
                problems += wrong
                found += [] if wrong else [_unkept(node, name, text)]
        return Loaded(self._keep(found, cut), _in_order(problems))

    def _keep(self, found: Sequence[Definition], cut: Folders) -> tuple[Definition, ...]:
        """Give each definition the digest of its folder, once that is durable."""
        files = sorted({each.file for each in found})
        digests = dict(zip(files, self._content.put_trees(map(cut.of, files)), strict=True))
        kept = (msgspec.structs.replace(each, tree=digests[each.file]) for each in found)
        return tuple(sorted(kept, key=lambda each: (each.file, each.line)))


class _Reading:
    """What the texts of a snapshot tell before anything is evaluated."""

    def __init__(self, taken: Snapshot, library: Files, known: Mapping[bytes, Survey]) -> None:
        """Take surveys of earlier snapshots, by digest, so that they are not made again."""
        self.taken = taken
        self.problems: list[Diagnostic] = []
        self.surveys: dict[bytes, Survey] = {}
        self._library = library
        self._digests = {
            name: sha256(content).digest() for name, content in taken.files.items()
        }
        sound = self._sound(known)
        self._files = {
            name: content
            for name, content in taken.files.items()
            if name in sound or not name.endswith(".ncl")
        }
        self._depends = Dependencies(self._files, sound, roots=taken.roots, library=library)
        imported = frozenset[str]().union(*map(self._depends.of, sound))
        self.contracts: Mapping[str, Contract] = {
            name: "offer" if name in imported else "node" for name in sound
        }
        self.keys = self._keys()

    def material(self, names: Iterable[str]) -> Material:
        """Exactly what these files may read."""
        needed = self._depends.closure(names)
        return Material(
            files={name: self._files[name] for name in needed},
            library=self._library,
            roots=self.taken.roots,
        )

    def _sound(self, known: Mapping[bytes, Survey]) -> Mapping[str, Survey]:
        """Survey the `.ncl` files; those with nothing against them."""
        sound: dict[str, Survey] = {}
        for name, content in self.taken.files.items():
            if name.endswith(".ncl"):
                digest = self._digests[name]
                survey = known.get(digest) or source_text.survey(content)
                self.surveys[digest] = survey
                wrong = tuple(snapshot.source_problems(name, survey))
                self.problems += wrong
                sound |= {} if wrong else {name: survey}
        return sound

    def _keys(self) -> Mapping[str, str]:
        """By file: a digest over everything that its evaluation can depend on."""
        shelf = sha256(repr(sorted(self._library.items())).encode()).digest()
        keys = {}
        for name, contract in self.contracts.items():
            key = sha256(shelf + contract.encode())
            for each in [name, *sorted(self._depends.closure([name]))]:
                key.update(each.encode() + b"\0" + self._digests[each])
            keys[name] = key.hexdigest()
        return keys


def _in_order(problems: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Each finding once, by place: a bad library is found by all who import it."""
    return tuple(sorted(set(problems), key=lambda each: (each.file, each.line, each.column)))


def _unkept(node: ActionNode, file: str, text: str) -> Definition:
    place = place_of_text(text, node.name) or Place(1, 1)
    return Definition(node=node, file=file, line=place.line, tree="")
