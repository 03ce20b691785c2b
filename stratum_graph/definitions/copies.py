"""Contents that were read before, taken again while nothing says that they changed.

A file is not read again when its inode, size and times are those of the last time. The times
alone would not do: two writes within one tick of the file system's clock look alike. So what
was read so soon after a change is read again until it has rested.
"""

import os
from time import time_ns

_RESTED_NS = 2_000_000_000
_Identity = tuple[int, int, int, int, int]


class Copies:
    """Contents by what the file system says about their files."""

    def __init__(self) -> None:
        self._known: dict[_Identity, bytes] = {}
        self._seen: dict[_Identity, bytes] = {}
        self._written = 0
        self.written_ns = 0
        """When what was looked at in the last turn was last written to, since 1970."""

    def see(self, facts: os.stat_result) -> None:
        """Note when a file or folder was last written to."""
        self._written = max(self._written, facts.st_mtime_ns)

    def get(self, facts: os.stat_result) -> bytes | None:
        """The content of an earlier reading, if it is known to be that of now."""
        identity = _identity(facts)
        content = self._known.get(identity)
        if content is not None:
            self._seen[identity] = content
        return content

    def keep(self, facts: os.stat_result, content: bytes) -> None:
        """Remember what was just read from a file that looked so before."""
        if time_ns() - max(facts.st_mtime_ns, facts.st_ctime_ns) > _RESTED_NS:
            self._seen[_identity(facts)] = content

    def turn(self) -> None:
        """Forget what was not asked for since the last turn."""
        self._known, self._seen = self._seen, {}
        self.written_ns, self._written = self._written, 0


def _identity(facts: os.stat_result) -> _Identity:
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns
