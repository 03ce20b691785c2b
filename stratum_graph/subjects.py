"""NATS subjects: a token trie whose matching cost does not grow with the number of patterns."""

from collections.abc import Iterable
from dataclasses import dataclass, field

_ONE, _REST = "*", ">"


@dataclass(slots=True)
class _Branch:
    """One position in the patterns: where each token leads, and which patterns end here."""

    tokens: "dict[str, _Branch]" = field(default_factory=dict)
    ends: list[int] = field(default_factory=list)
    rests: list[int] = field(default_factory=list)


class SubjectTrie:
    """Patterns with `*` (one token) and `>` (one or more, last), each leading to numbers."""

    def __init__(self, patterns: Iterable[tuple[str, int]] = ()) -> None:
        self._root = _Branch()
        for pattern, number in patterns:
            self._add(pattern.split("."), number)

    def _add(self, tokens: list[str], number: int) -> None:
        branch = self._root
        for token in tokens:
            if token == _REST:
                branch.rests.append(number)
                return
            branch = branch.tokens.setdefault(token, _Branch())
        branch.ends.append(number)

    def match(self, subject: str) -> frozenset[int]:
        """The numbers of every pattern that the literal subject matches."""
        found: set[int] = set()
        level = [self._root]
        for token in subject.split("."):
            found.update(number for branch in level for number in branch.rests)
            level = [
                branch.tokens[key]
                for branch in level
                for key in (token, _ONE)
                if key in branch.tokens
            ]
        found.update(number for branch in level for number in branch.ends)
        return frozenset(found)


def covers(wide: str, narrow: str) -> bool:
    """Whether every subject that matches the pattern `narrow` also matches `wide`."""
    outer, inner = wide.split("."), narrow.split(".")
    for position, token in enumerate(outer):
        if token == _REST:
            return len(inner) > position
        if position >= len(inner) or inner[position] == _REST:
            return False
        if token not in (_ONE, inner[position]):
            return False
    return len(outer) == len(inner)


def nearest(subject: str, patterns: Iterable[str]) -> str | None:
    """The pattern that shares the most tokens with the subject, to hint at a typo."""
    tokens = subject.split(".")
    best, best_shared = None, 0
    for pattern in sorted(patterns):
        pairs = zip(tokens, pattern.split("."), strict=False)
        shared = sum(1 for left, right in pairs if right in (left, _ONE, _REST))
        if shared > best_shared:
            best, best_shared = pattern, shared
    return best
