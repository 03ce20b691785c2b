"""What the texts of a snapshot tell before anything is evaluated."""

from collections.abc import Iterable, Mapping
from hashlib import sha256

from stratum_graph.definitions import snapshot, source_text
from stratum_graph.definitions.dependencies import Dependencies
from stratum_graph.definitions.nickel import Contract, Material
from stratum_graph.definitions.snapshot import Files, Snapshot
from stratum_graph.definitions.source_text import Survey
from stratum_graph.diagnostics import Diagnostic


class Reading:
    """Which files are sound, which import which, and what each evaluation depends on."""

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
