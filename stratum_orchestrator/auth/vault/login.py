"""The daemon's own login: how it is got, how long it lasts, and that it is got anew in time."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from msgspec import Struct

from stratum_orchestrator.auth.vault.client import Api, Token
from stratum_orchestrator.errors import CredentialsDenied

T = TypeVar("T")


class Way(Protocol):
    """One way to log in."""

    @property
    def is_ours(self) -> bool:
        """Whether what comes of it is ours alone, to be ended with us."""
        ...

    def __call__(self, api: Api) -> Token:
        """A fresh login; raises CredentialsDenied, CredentialsUnavailable."""
        ...


class _SecretId(Struct, frozen=True):
    secret_id: str


@dataclass(slots=True, kw_only=True)
class AppRole:
    """A role id and the secret id of a file, which may hold a wrapping token instead."""

    mount: str
    role_id: str
    secret_id_file: Path
    wrapped: bool
    is_ours: bool = True
    _unwrapped: str = field(default="", repr=False)

    def __call__(self, api: Api) -> Token:
        secret_id = self._secret_id(api)
        answer = api.call(
            lambda client: client.auth.approle.login(
                self.role_id, secret_id, use_token=False, mount_point=self.mount
            )
        )
        return api.understood(answer, "auth", Token)

    def _secret_id(self, api: Api) -> str:
        if not self.wrapped:
            return _text(self.secret_id_file)
        if not self._unwrapped:  # a wrapping token opens once
            try:
                answer = api.call(
                    lambda client: client.sys.unwrap(), _text(self.secret_id_file)
                )
            except CredentialsDenied as refusal:
                message = (
                    f"the wrapping token in {self.secret_id_file} does not open ({refusal}):"
                    " it was used or is too old; put a fresh one there. If nobody of yours"
                    " used it, somebody else has the secret id: revoke it"
                )
                raise CredentialsDenied(message) from None
            self._unwrapped = api.understood(answer, "data", _SecretId).secret_id
        return self._unwrapped


@dataclass(frozen=True, slots=True, kw_only=True)
class Jwt:
    """A role, and a signed token that somebody keeps fresh in a file."""

    mount: str
    role: str
    jwt_file: Path
    is_ours: bool = True

    def __call__(self, api: Api) -> Token:
        jwt = _text(self.jwt_file)
        answer = api.call(
            lambda client: client.auth.jwt.jwt_login(
                self.role, jwt, use_token=False, path=self.mount
            )
        )
        return api.understood(answer, "auth", Token)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A token in a file: not ours to end, others may use it."""

    token_file: Path
    is_ours: bool = False

    def __call__(self, api: Api) -> Token:
        token = _text(self.token_file)
        answer = api.call(lambda client: client.auth.token.lookup_self(), token)
        known = api.understood(answer, "data", dict[str, object])
        said = {"client_token": token, "lease_duration": known.get("ttl"), **known}
        return api.understood(said, "", Token)


class Session:
    """Our login, got anew when it has ended or does not last as long as what it is to give.

    Tokens end with the login that made them, so each is made by one that outlasts it.
    """

    def __init__(self, api: Api, way: Way) -> None:
        self._api = api
        self._way = way
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._ends = 0.0
        self._former: dict[str, float] = {}
        """Tokens that still keep what they made alive, and when they end."""

    @property
    def accessor(self) -> str | None:
        """By which others can end it; None when it is not ours to end."""
        return self._token.accessor if self._token and self._way.is_ours else None

    @property
    def renews_in_s(self) -> float:
        """When to look after it."""
        return max(1.0, self._token.lease_duration / 3) if self._token else 1.0

    def use(self, do: Callable[[str], T], lasts_s: float = 0) -> T:
        """What `do` gives with a login that lasts so long; got anew if it turns out dead."""
        token = self.lasting(lasts_s)
        try:
            return do(token.client_token)
        except CredentialsDenied:
            if self._api.is_alive(token.client_token):
                raise
        return do(self._again(token).client_token)

    def lasting(self, lasts_s: float) -> Token:
        """A login that lasts so long: this one, renewed, or another."""
        with self._lock:
            if self._token is None:
                return self._log_in()
            if self._lasts(lasts_s) or self._renewed(lasts_s):
                return self._token
            fresh = self._replace(self._token)
            if self._lasts(lasts_s):
                return fresh
        message = (
            f"our login lasts {fresh.lease_duration} s and ends what it made with it, but"
            f" {lasts_s:g} s are needed: raise the TTL of the role that we log in with"
        )
        raise CredentialsDenied(message)

    def renew(self) -> None:
        """Make it last longer, if that is due; raises like every call."""
        with self._lock:
            if self._token is None:
                self._log_in()
            elif not self._renewed(self._token.lease_duration * 2 / 3):
                self._replace(self._token)

    def end(self) -> None:
        """End what is ours, and with it all that was made by it; raises like every call."""
        with self._lock:
            held = [*self._former, *([self._token.client_token] if self._token else [])]
            self._token, self._former = None, {}
        for token in held if self._way.is_ours else ():
            self._api.call(lambda client: client.auth.token.revoke_self(), token)

    def _lasts(self, lasts_s: float) -> bool:
        token = self._token
        return token is not None and (
            not token.lease_duration or self._ends - time.monotonic() >= lasts_s
        )

    def _renewed(self, lasts_s: float) -> bool:
        token = self._token
        if token is None or not token.lease_duration:
            return token is not None
        if not token.renewable:
            return False
        try:
            answer = self._api.call(
                lambda client: client.auth.token.renew_self(), token.client_token
            )
        except CredentialsDenied:
            return False
        self._keep(self._api.understood(answer, "auth", Token))
        return self._lasts(lasts_s)

    def _again(self, dead: Token) -> Token:
        with self._lock:
            if self._token is dead or self._token is None:
                return self._log_in()
            return self._token

    def _replace(self, token: Token) -> Token:
        ends, now = self._ends, time.monotonic()
        fresh = self._log_in()
        self._former = {old: end for old, end in self._former.items() if end > now}
        self._former[token.client_token] = ends
        return fresh

    def _log_in(self) -> Token:
        return self._keep(self._way(self._api))

    def _keep(self, token: Token) -> Token:
        self._token = token
        self._ends = time.monotonic() + token.lease_duration
        return token


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError as error:
        message = f"{file} cannot be read: {error.strerror}"
        raise CredentialsDenied(message) from None
