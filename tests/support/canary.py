"""A secret in every notation that somebody may write it in, and where it might turn up."""

import base64
import json
import threading
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from support.daemon import Daemon, descendants

_EDGE = 2  # characters of base64 that depend on what stands beside the secret
_SHIFTS = (b"", b"x", b"xx")


def notations(secret: str) -> set[bytes]:
    """The secret as it is, in JSON, URLs and hexadecimal, and in base64 at any place."""
    raw = secret.encode()
    texts = {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    texts |= {quote(secret, safe=""), quote(secret, safe="").lower(), raw.hex()}
    texts |= {raw.hex().upper()}
    found = {each.encode() for each in texts}
    for shift in _SHIFTS:
        for code in (base64.b64encode, base64.urlsafe_b64encode):
            # what stands before and behind it changes the ends
            text = code(shift + raw).rstrip(b"=")
            found.add(text[_EDGE + 2 * bool(shift) : -_EDGE])
    return found


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
