"""What is secret in this process of tests, and a search for it in files, in any notation.

Whoever makes a secret for a test confides it here. The search also knows how seeds and tokens
look, so that it finds those which nobody has confided.
"""

import math
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from support.notations import notations

KNOWN: dict[str, str] = {}
"""Every secret of this process, and what it is."""

FORMS = {
    "the seed of an NKey": r"S[ACNOUX][A-Z2-7]{56}",
    "an API token": r"stratum_[A-Za-z0-9_-]{43}",
    "a token of a vault": r"\b(hv)?[sbr]\.[A-Za-z0-9]{24,}\b",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
}
"""Extended regular expressions of what is secret whoever made it."""

BY_DESIGN = (
    "*/.stratum/keys/*.nk",
    "*/.stratum/run/token",
    "*/stratum-before/keys/*.nk",  # what a page has its readers put aside
    "*/stratum-before/run/token",
    "*/bot.nk",  # what a page has its readers hand to somebody
    "*/daemon.nk",  # what settings name
    "*/password",
    "*/secret-id",
    "*/wrapped",
    "*/values.json",
)
"""Files that hold a secret because that is what they are for. Nothing else may."""
OURS = ("*/.stratum/keys/*.nk", "*/.stratum/run/token")
"""Those of them that the product writes: nobody else may read them."""

_LEAST_BITS = 40
_SHORTEST = 8  # of a notation: shorter ones are found by chance


@dataclass(frozen=True, slots=True)
class Looked:
    """What one search has come to."""

    needles: int
    size: int
    """Bytes that were looked through."""
    hits: tuple[str, ...]


def confide(value: str, what: str) -> str:
    """The value, which is secret from now on. It has to be one that nothing else looks like."""
    counts = Counter(value).values()
    bits = sum(-n * math.log2(n / len(value)) for n in counts)
    assert bits > _LEAST_BITS, f"{what} may be found by chance: take a longer one"
    for line in value.splitlines():
        if len(line) > _SHORTEST:
            KNOWN[line] = what
    return value


def look(places: Iterable[Path]) -> Looked:
    """Search files and folders for all that is secret."""
    there = [each for each in places if each.exists()]
    needles = {form: what for value, what in KNOWN.items() for form in notations(value)}
    whole = {each: what for each, what in needles.items() if len(each) >= _SHORTEST}
    texts = b"\n".join(each for each in whole if b"\n" not in each)
    hits = [
        f"{whole.get(found, b'?')} in {file}" for file, found in _grep(["-F"], texts, there)
    ]
    for what, form in FORMS.items():
        found = _grep(["-E"], form.encode(), there)
        hits += [f"{what} in {file}" for file, _ in found]
    allowed = [hit for hit in hits if not _is_by_design(hit.rpartition(" in ")[2])]
    return Looked(len(whole) + len(FORMS), _size(there), tuple(dict.fromkeys(allowed)))


def unguarded(folder: Path) -> Sequence[Path]:
    """Files of ours that hold a secret by design, and that others may read."""
    found = [each for each in files(folder) if _matches(str(each), OURS)]
    return [each for each in found if each.stat().st_mode & 0o077]


def files(place: Path) -> Iterator[Path]:
    """The file, or all files below the folder, in which another daemon may still be at work."""
    if place.is_file():
        yield place
    for folder, _, names in os.walk(place):  # passes over what goes meanwhile, unlike `rglob`
        yield from (Path(folder) / name for name in names)


def _grep(how: list[str], patterns: bytes, places: Sequence[Path]) -> list[tuple[str, bytes]]:
    """File and match of each hit; the patterns do not appear on any command line."""
    if not patterns or not places:
        return []
    command = ["grep", "-r", "-a", "-o", "-Z", "-D", "skip", *how, "-f", "-", "--"]
    done = subprocess.run(
        [shutil.which("grep") or "grep", *command[1:], *map(str, places)],
        input=patterns,
        capture_output=True,
        env={"LC_ALL": "C", "PATH": os.defpath},
        check=False,
    )
    # 2: a file has gone meanwhile, or cannot be read
    assert done.returncode in {0, 1} or re.fullmatch(
        rb"(grep: .*: (No such file or directory|Permission denied)\n)*", done.stderr
    ), done.stderr.decode()
    lines = done.stdout.split(b"\n")
    pairs = (line.partition(b"\0") for line in lines if b"\0" in line)
    return [(os.fsdecode(file), match) for file, _, match in pairs]


def _is_by_design(file: str) -> bool:
    return _matches(file, BY_DESIGN)


def _matches(file: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch(file, pattern) for pattern in patterns)


def _size(places: Iterable[Path]) -> int:
    size = 0
    for file in (file for each in places for file in files(each)):
        with suppress(OSError):  # of another daemon, which still lives
            size += file.stat().st_size
    return size
