"""Content that nothing has used for long, and its removal.

Whoever uses content touches it. So what is removed was not touched for the whole of a time, and
is looked at again under another name: somebody who wants it in that moment writes it anew.
"""

import os
import time
from collections.abc import Collection, Mapping
from pathlib import Path

from stratum_graph.definitions import author
from stratum_graph.definitions.content import ContentStore

UNUSED_S = 86_400.0
"""For so long nobody has used what may go; what is needed is used far more often."""


class Attic:
    """The part of a content store that may not be needed any more."""

    def __init__(self, store: ContentStore) -> None:
        self._store = store

    def clear(self) -> int:
        """Remove what processes that are gone left half written; how much that is."""
        folders = (self._store.blobs, self._store.trees)
        return sum(
            author.clear(each, prefix) for each in folders for prefix in (".new-", ".old-")
        )

    def unused(self, but: Collection[str]) -> Mapping[str, int]:
        """Digest to bytes of what was not used for long, and is not among the named."""
        before = time.time() - UNUSED_S
        found = {}
        for each in self._store.blobs.iterdir():
            digest = f"sha256:{each.name}"
            if each.name.startswith(".") or digest in but:
                continue
            known = _stat(each)
            if known is not None and known.st_mtime < before:
                found[digest] = known.st_size
        return found

    def remove(self, digest: str) -> bool:
        """Remove it, unless somebody has used it meanwhile."""
        name = digest.removeprefix("sha256:")
        blob = self._store.blobs / name
        aside = blob.with_name(f".old-{author.tag()}-{name}")
        try:
            blob.rename(aside)
        except FileNotFoundError:  # another instance was faster
            return False
        self._store.forget(digest)
        if os.stat(aside).st_mtime >= time.time() - UNUSED_S:  # noqa: PTH116
            aside.rename(blob)
            return False
        tree = self._store.trees / name
        if tree.exists():
            author.remove(tree)
        aside.unlink()
        return True


def _stat(place: Path) -> os.stat_result | None:
    try:
        return place.stat()
    except FileNotFoundError:
        return None
