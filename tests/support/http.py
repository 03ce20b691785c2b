"""Asking a daemon's API as a program would."""

import json
import urllib.error
import urllib.request
from collections.abc import Collection, Iterator
from http import HTTPStatus

from support.daemon import Daemon

Answer = dict[str, object]
_TAIL = 40  # lines of the daemon's log beside a fault of its own


def ask(
    daemon: Daemon, path: str, told: object = None, *, okay: Collection[int] = ()
) -> Answer:
    """GET the path, or POST what is told; an error with a code in `okay` is an answer too."""
    request = urllib.request.Request(f"{daemon.address['http']}{path}")  # noqa: S310 - loopback
    request.add_header("Authorization", f"Bearer {daemon.token}")
    if told is not None:
        request.add_header("Content-Type", "application/json")
        request.data = json.dumps(told).encode()
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            said = answer.read()
    except urllib.error.HTTPError as refused:
        if refused.code not in okay:
            refused.add_note(f"{path}: {refused.read().decode(errors='replace')}")
            if refused.code == HTTPStatus.INTERNAL_SERVER_ERROR:
                refused.add_note("\n".join(daemon.log.splitlines()[-_TAIL:]))
            raise
        said = refused.read()
    daemon.vigil.hear(said)
    found: Answer = json.loads(said)
    return found


def until_over(daemon: Daemon, run: object) -> Answer:
    """The run, whole, when it has ended."""
    seen: object = 0
    while True:
        found = ask(daemon, f"/api/v1/runs/{run}?wait=20&seen={seen}")
        if found["ended"]:
            return found
        seen = found["change"]


def pages(daemon: Daemon, path: str, name: str) -> Iterator[Answer]:
    """Every entry of a paged list."""
    after: object = ""
    while True:
        page = ask(daemon, f"{path}?limit=200{f'&after={after}' if after else ''}")
        listed = page[name]
        assert isinstance(listed, list)
        yield from listed
        after = page["next"]
        if not after:
            return
