"""NATS subjects: a token trie whose matching cost does not grow with the number of patterns."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import zip_longest

_ONE, _REST = "*", ">"
_CLOSE = 0.8  # share of equal characters from which a typo is likely


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
    """The pattern that the subject was probably meant to match; None when none is close."""
    tokens = subject.split(".")
    filled = {_filled(pattern.split("."), tokens): pattern for pattern in sorted(patterns)}
    close = get_close_matches(subject, list(filled), n=1, cutoff=_CLOSE)
    return filled[close[0]] if close else None


def _filled(pattern: list[str], tokens: list[str]) -> str:
    """The pattern with the subject's own tokens in place of its wildcards."""
    pairs = zip_longest(pattern, tokens[: len(pattern)], fillvalue=_ONE)
    return ".".join(theirs if ours in (_ONE, _REST) else ours for ours, theirs in pairs)
