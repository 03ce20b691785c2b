"""HTTP to one registry: bounded in time, tries and redirects; credentials go to it alone.

oras gives the session, the addresses and the reading of challenges. Its own calls verify
nothing, wait without end and keep trying for minutes, so none of them is used.
"""

import base64
import json
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from urllib.parse import urljoin, urlsplit

import oras.auth.utils
import oras.provider
import requests

from stratum_graph.definitions.distribution.access import Access
from stratum_graph.definitions.web.cord import Cord
from stratum_graph.definitions.web.host import is_inner, is_loopback
from stratum_graph.definitions.web.reach import Reaching
from stratum_graph.definitions.web.reason import reason
from stratum_graph.definitions.web.session import Session
from stratum_graph.errors import NotPublished, RegistryDenied, RegistryUnavailable, Untrusted

_TRIES = 4
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 4.0
_CONNECT_S = 5.0
_REDIRECTS = 3
_PART = 1 << 16
_MAX_TOKEN = 1 << 16
_AGAIN = {429, 500, 502, 503, 504}
_MOVED = {301, 302, 303, 307, 308}


class Transport:
    """Asks one registry. Not for several threads at once."""

    def __init__(
        self, host: str, access: Access, reach: Reaching, cord: Cord | None = None
    ) -> None:
        self.host = host
        self._access = access
        self._is_local = is_loopback(host)
        self.is_plain = access.plain_http or (self._is_local and not access.ca)
        self._oras = oras.provider.Registry(
            hostname=host, insecure=self.is_plain, tls_verify=access.ca or True
        )
        # No proxy, no .netrc and no certificate store that merely happens to be there.
        self._cord = cord or Cord()
        self._oras.session = Session(reach, self._cord)
        longest = _TRIES * (access.answer_s + _LONGEST_PAUSE_S) + access.body_s
        self._whole_s = access.whole_s or longest
        self._tokens: dict[bool, str] = {}

    def repository(self, name: str) -> str:
        """The address below which the repository answers."""
        prefix: str = self._oras.get_container(f"{self.host}/{name}").api_prefix
        return f"{self._oras.prefix}://{self.host}/v2/{prefix}"

    @contextmanager
    def ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Iterator[requests.Response]:
        """An answer that is no error; NotPublished, RegistryDenied, RegistryUnavailable."""
        with self._cord.within(self._whole_s):
            response = self._patiently(method, url, headers or {}, body)
            try:
                _check(response, f"{method} {url}")
                yield response
            finally:
                response.close()

    def parts(self, response: requests.Response, url: str) -> Iterator[bytes]:
        """The body as it comes, for as long as it may take in all."""
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise Untrusted(url, "content encoding", "it is packed, and nobody asked for that")
        give_up = time.monotonic() + self._access.body_s
        try:
            for part in response.iter_content(_PART):
                yield part
                if time.monotonic() > give_up:
                    raise RegistryUnavailable(url, f"not sent within {self._access.body_s} s")
        except requests.RequestException as error:
            raise RegistryUnavailable(url, self._late or reason(error)) from None
        if self._late:
            raise RegistryUnavailable(url, self._late)

    @property
    def _late(self) -> str:
        """What is said of an answer that was cut off."""
        return f"not answered within {self._whole_s:g} s" if self._cord.is_cut else ""

    def within(self, url: str, location: str) -> str:
        """Where the registry wants something sent; Untrusted when that is not itself."""
        target = _led(url, location)
        if urlsplit(target)[:2] != urlsplit(url)[:2]:
            raise Untrusted(url, "redirect", f"uploads are sent to {target[:200]}")
        return target

    def _patiently(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> requests.Response:
        why = ""
        for number in range(_TRIES):
            if number:
                pause = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**number)
                time.sleep(pause * (0.5 + random.random() / 2))  # noqa: S311 - jitter
            try:
                response = self._authorized(method, url, headers, body)
            except requests.exceptions.SSLError as error:
                raise RegistryUnavailable(url, f"TLS: {error}") from None
            except requests.RequestException as error:
                if self._late:
                    raise RegistryUnavailable(url, self._late) from None
                why = reason(error)
                continue
            if response.status_code not in _AGAIN:
                return response
            why = f"{response.status_code} {response.reason}"
            response.close()
        raise RegistryUnavailable(url, f"{why} ({_TRIES} tries)")

    def _authorized(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> requests.Response:
        reads = method in {"GET", "HEAD"}
        given = {"Accept-Encoding": "identity", **headers}
        token = self._tokens.get(reads)
        first = given | ({"Authorization": f"Bearer {token}"} if token else {})
        response = self._follow(method, url, first, body)
        challenge = response.headers.get("WWW-Authenticate", "")
        if response.status_code != HTTPStatus.UNAUTHORIZED or not self._is_ours(response.url):
            return response
        response.close()
        if challenge.lower().startswith("bearer"):
            token = self._tokens[reads] = self._token(url, challenge)
            answer = f"Bearer {token}"
        elif challenge.lower().startswith("basic") and self._access.user:
            answer = f"Basic {self._basic}"
        else:
            raise RegistryDenied(url, "401, and there is nothing to answer with")
        return self._follow(method, url, given | {"Authorization": answer}, body)

    def _follow(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> requests.Response:
        """Send it; follow where reads are sent to, and take no credentials there."""
        target = url
        for _ in range(_REDIRECTS + 1):
            response = self._send(method, target, headers, body)
            if response.status_code not in _MOVED:
                return response
            response.close()
            location = _led(target, response.headers.get("Location", ""))
            self._allow(method, url, location)
            if urlsplit(location)[:2] != urlsplit(url)[:2]:
                headers = {k: v for k, v in headers.items() if k != "Authorization"}
            target = location
        raise Untrusted(url, "redirect", f"more than {_REDIRECTS} of them")

    def _allow(self, method: str, url: str, location: str) -> None:
        target = urlsplit(location)
        if method not in {"GET", "HEAD"}:
            raise Untrusted(url, "redirect", f"{method} is sent to {location[:200]}")
        secure = target.scheme == "https" or (target.scheme == "http" and self.is_plain)
        if not secure or (is_inner(target.netloc) and not self._is_local):
            raise Untrusted(url, "redirect", f"it leads to {location[:200]}")

    def _send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> requests.Response:
        answer: requests.Response = self._oras.session.request(
            method,
            url,
            data=body,
            headers=dict(headers),
            stream=True,
            allow_redirects=False,
            timeout=(_CONNECT_S, self._access.answer_s),
            verify=self._access.ca or True,
        )
        return answer

    def _token(self, url: str, challenge: str) -> str:
        """A token for what was asked; the user's password goes to the realm over TLS only."""
        asked = oras.auth.utils.parse_auth_header(challenge)
        realm = _led(url, str(asked.realm or ""))
        place = urlsplit(realm)
        trusted = place.scheme == "https" or (place.scheme == "http" and self.is_plain)
        if not trusted or (is_inner(place.netloc) and not self._is_local):
            raise Untrusted(url, "token realm", f"{realm[:200]} is not reached over TLS")
        wanted = {"service": asked.service, "scope": asked.scope}
        headers = {"Authorization": f"Basic {self._basic}"} if self._access.user else {}
        response = self._oras.session.get(
            realm,
            params={name: value for name, value in wanted.items() if value},
            headers={"Accept-Encoding": "identity", **headers},
            stream=True,
            allow_redirects=False,
            timeout=(_CONNECT_S, self._access.answer_s),
            verify=self._access.ca or True,
        )
        taken = bytearray()
        with response:
            for part in self.parts(response, realm):
                taken += part
                if len(taken) > _MAX_TOKEN:
                    raise RegistryDenied(url, "the answer with the token is too long")
        if response.status_code != HTTPStatus.OK:
            raise RegistryDenied(url, f"no token: {response.status_code} of {realm[:200]}")
        return _token_in(bytes(taken), url)

    def _is_ours(self, url: str) -> bool:
        return urlsplit(url).netloc == self.host

    @property
    def _basic(self) -> str:
        both = f"{self._access.user}:{self._access.password}"
        return base64.b64encode(both.encode()).decode()


def _led(url: str, location: str) -> str:
    """Where an answer leads; Untrusted when that is no address at all."""
    try:
        target = urljoin(url, location)
        urlsplit(target)
    except ValueError:
        raise Untrusted(url, "redirect", f"{location[:200]!r} is no address") from None
    return target


def _token_in(text: bytes, url: str) -> str:
    try:
        said = json.loads(text)
        token = said.get("token") or said.get("access_token")
    except (ValueError, AttributeError, RecursionError):
        token = None
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise RegistryDenied(url, "the answer holds no token")
    return token


def _check(response: requests.Response, what: str) -> None:
    status = response.status_code
    if status < HTTPStatus.BAD_REQUEST:
        return
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        raise RegistryDenied(what, f"{status} {response.reason}")
    if status == HTTPStatus.NOT_FOUND:
        raise NotPublished(what)
    raise RegistryUnavailable(what, f"{status} {response.reason}")
