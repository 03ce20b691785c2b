"""What a process has used: its time as the kernel counts it, its memory as far as it is seen.

Until exec, the kernel counts the daemon's own memory as the child's, and what it says at the
end is the larger of both. So a process is also looked at now and then while it runs.
"""

import math
import resource
from dataclasses import dataclass
from pathlib import Path

from stratum_orchestrator.ports import Resources

_KIB = 1024


class Peak:
    """The most memory that a process has had, as far as it was seen alive."""

    def __init__(self, pid: int) -> None:
        """Take 0 for one that is not to be looked at."""
        self._file = f"/proc/{pid}/status" if pid else ""
        self.bytes = 0

    def look(self) -> None:
        """Look at it, if it is there still."""
        if not self._file:
            return
        try:
            self.bytes = max(self.bytes, _high_water(Path(self._file).read_bytes()))
        except OSError:  # it has ended
            self._file = ""


@dataclass(slots=True)
class _Ours:
    """The most memory that the daemon ever had, in KiB, as far as it was of interest."""

    kib: int = 0

    def hides(self, kib: int) -> bool:
        """Whether so much may have been the daemon's own."""
        if kib > self.kib:  # with many threads, looking is dear
            self.kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return kib <= self.kib


_OURS = _Ours()


def used(usage: resource.struct_rusage, wall_s: float, seen: int) -> Resources:
    """Convert what a process and the descendants that it waited for have used.

    `seen` are bytes of memory that it surely had; 0 when nobody has looked.
    """
    told = 0 if _OURS.hides(usage.ru_maxrss) else usage.ru_maxrss * _KIB
    return Resources(
        cpu_ms=math.ceil(1000 * (usage.ru_utime + usage.ru_stime)),
        user_ms=math.ceil(1000 * usage.ru_utime),
        system_ms=math.ceil(1000 * usage.ru_stime),
        max_rss=max(told, seen),
        wall_ms=math.ceil(1000 * wall_s),
    )


def _high_water(status: bytes) -> int:
    """The field VmHWM of proc(5), in bytes; 0 without it: a zombie has no memory."""
    _, found, rest = status.partition(b"VmHWM:")
    return int(rest.split(None, 1)[0]) * _KIB if found else 0
