"""Where a secret might turn up, in whatever notation."""

import threading
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from support.daemon import Daemon
from support.notations import notations
from support.processes import descendants


class Search:
    """Looks for the secrets in whatever is brought, and remembers where they were."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._wanted = {form for each in secrets for form in notations(each)}
        self.places = 0
        """How many were looked at."""
        self.hits: list[str] = []

    def look(self, place: str, found: bytes | str) -> None:
        raw = found.encode() if isinstance(found, str) else found
        self.places += 1
        self.hits += [f"{place}: {form!r}" for form in self._wanted if form in raw]

    def look_below(self, folder: Path) -> None:
        """Every file of a folder."""
        for file in folder.rglob("*"):
            if file.is_file() and not file.is_symlink():
                self.look(str(file), file.read_bytes())


@contextmanager
def watched(daemon: Daemon, search: Search) -> Iterator[None]:
    """Meanwhile, look at all command lines below the daemon, and at what it tells listeners."""
    over = threading.Event()
    pid = daemon.pid
    request = urllib.request.Request(f"{daemon.address['http']}/api/v1/events")  # noqa: S310
    request.add_header("Authorization", f"Bearer {daemon.token}")

    def look() -> None:
        while not over.wait(0.02):
            for each in (pid, *descendants(pid)):
                with suppress(OSError):
                    search.look(f"argv of {each}", Path(f"/proc/{each}/cmdline").read_bytes())

    def listen() -> None:
        with suppress(OSError), urllib.request.urlopen(request, timeout=120) as told:  # noqa: S310
            for line in told:
                search.look("events", line)

    threads = [threading.Thread(target=each) for each in (look, listen)]
    for each in threads:
        each.start()
    try:
        yield
    finally:
        over.set()
        threads[0].join()
