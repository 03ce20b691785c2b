"""Which file imports which: found in the text, so that it is known before evaluation."""

from collections.abc import Iterable
from posixpath import dirname, join

from stratum_graph.definitions import source_text
from stratum_graph.definitions.snapshot import Files


class Dependencies:
    """Imports between files, resolved in the order that Nickel resolves them in."""

    def __init__(self, files: Files, roots: Iterable[str], library: Iterable[str]) -> None:
        self._files = files
        self._roots = tuple(roots)
        self._library = frozenset(library)
        self._direct: dict[str, frozenset[str]] = {}

    def of(self, name: str) -> frozenset[str]:
        """The files that `name` imports; those of the library are not among them."""
        if name not in self._direct:
            self._direct[name] = frozenset(self._found_in(name))
        return self._direct[name]

    def closure(self, names: Iterable[str]) -> frozenset[str]:
        """`names`, what they import, and so on."""
        reached: set[str] = set()
        waiting = set(names)
        while waiting:
            name = waiting.pop()
            reached.add(name)
            waiting |= self.of(name) - reached
        return frozenset(reached)

    def _found_in(self, name: str) -> Iterable[str]:
        if not name.endswith(".ncl"):
            return
        text = self._files[name].decode(errors="replace")
        for found in source_text.imports(text):
            target = None if found.problem else self._resolve(dirname(name), found.path)
            if target:
                yield target

    def _resolve(self, folder: str, path: str) -> str | None:
        beside = join(folder, path)
        if beside in self._files:
            return beside
        if path in self._library:
            return None
        return next((root + path for root in self._roots if root + path in self._files), None)
