"""One script from a web server: bounded in size, time, tries and redirects."""

import random
import time
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import urljoin, urlsplit

import requests

from stratum_graph.definitions.remote import credential
from stratum_graph.definitions.remote.asking import Request
from stratum_graph.definitions.remote.refusal import NotFetched
from stratum_graph.definitions.snapshot import MAX_SOURCE
from stratum_graph.definitions.web.cord import Cord
from stratum_graph.definitions.web.reach import OutOfReach, Reach
from stratum_graph.definitions.web.reason import reason
from stratum_graph.definitions.web.session import Session

_TRIES = 3
_PAUSE_S = 0.3
_CONNECT_S = 5.0
_REDIRECTS = 3
_PART = 1 << 16
_AGAIN = {408, 429, 500, 502, 503, 504}
_MOVED = {301, 302, 303, 307, 308}
_LATER = "it is tried again by and by; see that the host answers"


class Download:
    """Fetches one script after the other; not for several threads at once."""

    def __init__(self, reach: Reach, ca: str, cord: Cord) -> None:
        self._session = Session(reach, cord)
        self._session.verify = ca or True
        self._cord = cord

    def get(self, wanted: Request, timeout_s: float) -> bytes:
        """The body, or its beginning when it is too long for a script; NotFetched."""
        with self._cord.within(timeout_s), self._session:
            try:
                return self._patiently(wanted, timeout_s)
            except OutOfReach as refused:
                raise beyond(refused) from None

    def _patiently(self, wanted: Request, timeout_s: float) -> bytes:
        host, why = wanted.host, ""
        for number in range(_TRIES):
            if number:
                time.sleep(_PAUSE_S * 2**number * (0.5 + random.random() / 2))  # noqa: S311 - jitter
            try:
                return self._try(wanted, timeout_s)
            except requests.exceptions.SSLError:
                why = f"{host} has no certificate that is believed"
                raise NotFetched(why, "see scripts.ca_file", away=host) from None
            except (requests.RequestException, _Again) as error:
                why = reason(error)
            if self._cord.is_cut:
                why = f"not within {timeout_s:g} s"
                break
        raise NotFetched(f"{host} does not answer: {why}", _LATER, away=host)

    def _try(self, wanted: Request, timeout_s: float) -> bytes:
        url, headers = wanted.url, dict(wanted.headers())
        for _ in range(_REDIRECTS + 1):
            with self._send(url, headers, timeout_s) as answer:
                if answer.status_code not in _MOVED:
                    return self._body(answer)
                location = answer.headers.get("Location", "")
            target = self._moved(url, location)
            if urlsplit(target)[:2] != urlsplit(wanted.url)[:2]:
                headers = {}
            url = target
        raise NotFetched(
            f"it is redirected more than {_REDIRECTS} times", "name the last address itself"
        )

    def _send(
        self, url: str, headers: Mapping[str, str], timeout_s: float
    ) -> requests.Response:
        return self._session.get(
            url,
            headers={"Accept-Encoding": "identity", "User-Agent": "stratum", **headers},
            stream=True,
            allow_redirects=False,
            timeout=(min(_CONNECT_S, timeout_s), timeout_s),
        )

    def _moved(self, url: str, location: str) -> str:
        """Where the answer leads: the reach judges the machine, this the way."""
        try:
            target = urljoin(url, location)
            place = urlsplit(target)
            known = bool(place.hostname) and credential.port(place) > 0
        except ValueError:
            known, target, place = False, location, urlsplit("")
        falls = urlsplit(url).scheme == "https" and place.scheme != "https"
        if not location or not known or place.scheme not in {"http", "https"} or falls:
            raise NotFetched(
                f"it is redirected to {_bare(target)!r:.200}, which is not followed",
                "name the address itself",
            )
        return target

    def _body(self, answer: requests.Response) -> bytes:
        _check(answer)
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            raise NotFetched(
                "the answer is packed, and nobody asked for that", "serve it as it is"
            )
        taken = bytearray()
        for part in answer.iter_content(_PART):
            taken += part
            if len(taken) > MAX_SOURCE:
                break
        if self._cord.is_cut:
            raise _Again
        return bytes(taken[: MAX_SOURCE + 1])


class _Again(Exception):
    """An answer that may be another one next time."""


def beyond(refused: OutOfReach) -> NotFetched:
    """What is said of a machine that is not asked."""
    return NotFetched(
        f"it is not asked for: {refused}",
        "if it may be, list the host in scripts.hosts of the configuration",
    )


def _check(answer: requests.Response) -> None:
    status = answer.status_code
    if status == HTTPStatus.OK:
        return
    host = credential.netloc(urlsplit(answer.url))
    said = f"{status} {answer.reason}"[:80]
    if status in _AGAIN:
        raise _Again(said)
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        why = f"{host} does not let us have it ({said})"
        raise NotFetched(why, "see `source.auth` and that name in scripts.credentials")
    if status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
        raise NotFetched(f"{host} does not have it ({said})", "put it there, or correct `uri`")
    raise NotFetched(f"{host} answers {said}", "see what that server says to the same address")


def _bare(url: str) -> str:
    return url.partition("?")[0]
