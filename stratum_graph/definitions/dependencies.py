"""Which file imports which: found in the text, so that it is known before evaluation."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from posixpath import dirname, join

from stratum_graph.definitions.source_text import Survey


class Dependencies:
    """Imports between files, resolved in the order that Nickel resolves them in."""

    def __init__(
        self,
        files: Collection[str],
        surveys: Mapping[str, Survey],
        *,
        roots: Iterable[str] = ("",),
        library: Collection[str] = (),
    ) -> None:
        """Take all files, and what the texts of those that can import say."""
        self._files = files
        self._roots = tuple(roots)
        self._library = library
        self._direct = {
            name: frozenset(self._found_in(name, surveys[name])) for name in surveys
        }

    def of(self, name: str) -> frozenset[str]:
        """The files that `name` imports; those of the library are not among them."""
        return self._direct.get(name, frozenset())

    def closure(self, names: Iterable[str]) -> frozenset[str]:
        """`names`, what they import, and so on."""
        reached: set[str] = set()
        waiting = set(names)
        while waiting:
            name = waiting.pop()
            reached.add(name)
            waiting |= self.of(name) - reached
        return frozenset(reached)

    def _found_in(self, name: str, survey: Survey) -> Iterator[str]:
        for found in survey.imports:
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
