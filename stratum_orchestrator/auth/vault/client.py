"""Calls to a Vault-compatible server. They block: their place is a worker thread.

No message holds a value or a token: of what the server says, only its list of errors is kept.
"""
# ruff: noqa: TRY003 - the message is all that the raised errors consist of

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar, cast

import hvac
import msgspec
import requests
from hvac import exceptions
from msgspec import Struct

from stratum_graph.model import Credential
from stratum_orchestrator.errors import CredentialsDenied, CredentialsUnavailable
from stratum_orchestrator.ports import Claim

T = TypeVar("T")
Client = hvac.Client

_REFUSALS = (
    exceptions.InvalidRequest,
    exceptions.Unauthorized,
    exceptions.Forbidden,
    exceptions.InvalidPath,
    exceptions.ParamValidationError,
)
_SHOWN = 300


class Token(Struct, frozen=True, kw_only=True):
    """A token as the server hands it out."""

    client_token: str
    accessor: str
    lease_duration: int
    """Seconds; 0 never ends."""
    renewable: bool = False

    def __repr__(self) -> str:
        return f"Token(accessor={self.accessor!r}, lease_duration={self.lease_duration})"


class Secret(Struct, frozen=True, kw_only=True):
    """What a dynamic engine gives."""

    data: Mapping[str, object] | None = None
    lease_id: str = ""
    lease_duration: int = 0
    """Seconds."""
    renewable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where the server is, and how long one call may take."""

    url: str
    namespace: str = ""
    ca_file: Path | None = None
    """None trusts whom the system trusts."""
    timeout_s: float = 5


@dataclass(frozen=True, slots=True)
class Api:
    """One server's answers. Raises CredentialsDenied, CredentialsUnavailable."""

    server: Server
    _threads: threading.local = field(default_factory=threading.local)

    def client(self, token: str) -> hvac.Client:
        """A client on this thread's own connection; without a token, `""`."""
        session = getattr(self._threads, "session", None)
        if session is None:
            session = self._threads.session = requests.Session()
            session.trust_env = False  # no proxy, no netrc: what is configured, and no more
            session.verify = str(self.server.ca_file) if self.server.ca_file else True
        return hvac.Client(
            url=self.server.url,
            token=token,  # None would read the environment and a file in the home
            timeout=cast("int", self.server.timeout_s),
            namespace=self.server.namespace or None,
            session=session,
            allow_redirects=False,
        )

    def call(self, do: Callable[[hvac.Client], T], token: str = "") -> T:
        """What the call gives, its failures as ours."""
        try:
            return do(self.client(token))
        except _REFUSALS as refusal:
            raise CredentialsDenied(_why(refusal)) from None
        except exceptions.VaultError as trouble:
            raise CredentialsUnavailable(_why(trouble)) from None
        except (requests.exceptions.RequestException, ValueError) as trouble:
            raise CredentialsUnavailable(
                f"{self.server.url} gives no answer: {type(trouble).__name__}"
            ) from None

    def mint(self, token: str, role: str, claim: Claim) -> Token:
        """A child of the token, that cannot be renewed and has no more rights than the role."""
        lasts = f"{round(claim.lasts_s)}s"
        told = {"run": claim.run, "node": claim.node, "attempt": str(claim.attempt)}
        answer = self.call(
            lambda client: client.auth.token.create(
                role_name=role,
                ttl=lasts,
                explicit_max_ttl=lasts,
                renewable=False,
                no_default_policy=True,
                display_name="stratum",
                meta=told | {"purpose": claim.kind.value},
            ),
            token,
        )
        return self.understood(answer, "auth", Token)

    def read(self, login: str, token: str, claim: Claim) -> Mapping[str, str]:
        """Environment variable to value; what several share is read once."""
        found: dict[tuple[object, ...], Mapping[str, object]] = {}
        values = {}
        for each in claim.credentials:
            if each.engine == "token":
                values[each.env] = token
                continue
            source = (each.engine, each.path, *sorted(each.params.items()))
            if source not in found:
                found[source] = self._secret(login, token, each, claim)
            values[each.env] = _value(found[source], each)
        return values

    def revoke(self, token: str, accessor: str) -> None:
        """End a token by its accessor, with its leases; one that is gone is no error."""
        self.call(lambda client: client.auth.token.revoke_accessor(accessor), token)

    def is_alive(self, token: str) -> bool:
        """Whether the server still knows the token."""
        try:
            self.call(lambda client: client.auth.token.lookup_self(), token)
        except CredentialsDenied:
            return False
        return True

    def understood(self, answer: object, part: str, shape: type[T]) -> T:
        """A part of the answer; one that is none comes from something else than a vault."""
        try:
            whole = msgspec.convert(answer, dict[str, object])
            return msgspec.convert(whole.get(part) if part else whole, shape)
        except msgspec.ValidationError:
            message = f"{self.server.url} answers like no vault does"
            raise CredentialsUnavailable(message) from None

    def _secret(
        self, login: str, token: str, wanted: Credential, claim: Claim
    ) -> Mapping[str, object]:
        mount, _, path = wanted.path.partition("/")
        if wanted.engine == "kv":
            answer = self.call(
                lambda client: client.secrets.kv.v2.read_secret_version(
                    path, mount_point=mount, raise_on_deleted_version=True
                ),
                token,
            )
            held = self.understood(answer, "data", dict[str, object])
            return self.understood(held, "data", dict[str, object])
        return self._made(login, token, wanted, claim)

    def _made(
        self, login: str, token: str, wanted: Credential, claim: Claim
    ) -> Mapping[str, object]:
        answer = self.call(
            lambda client: (
                client.write_data(wanted.path, data=dict(wanted.params))
                if wanted.params
                else client.read(wanted.path)
            ),
            token,
        )
        if answer is None:
            raise CredentialsDenied(f"{wanted.path}: there is nothing")
        secret = self.understood(answer, "", Secret)
        needed = wanted.ttl or claim.runs_s
        if secret.lease_id and secret.lease_duration < needed:
            self._extend(login, secret, wanted, needed)
        return secret.data or {}

    def _extend(self, login: str, secret: Secret, wanted: Credential, needed: float) -> None:
        """Have it last long enough; CredentialsDenied when it cannot."""
        lasts = secret.lease_duration
        if secret.renewable:
            answer = self.call(
                lambda client: client.sys.renew_lease(secret.lease_id, round(needed)), login
            )
            lasts = self.understood(answer, "", Secret).lease_duration
        if lasts < needed:
            raise CredentialsDenied(
                f"{wanted.path} lasts {lasts} s, but {needed:g} s are needed:"
                " raise the maximum of its role, or lower the node's timeout"
            )


def _value(found: Mapping[str, object], wanted: Credential) -> str:
    value = found.get(wanted.field)
    if not isinstance(value, str) or not value or "\0" in value:
        what = "no such field" if value is None else "no text that a variable can hold"
        raise CredentialsDenied(f"{wanted.path}: `{wanted.field}` is {what}")
    return value


def _why(error: exceptions.VaultError) -> str:
    said = error.errors if isinstance(error.errors, Sequence) else ()
    lines = [" ".join(str(each).split()) for each in said if each] or [_unsaid(error)]
    return "; ".join(lines).replace("1 error occurred: * ", "")[:_SHOWN]


def _unsaid(error: exceptions.VaultError) -> str:
    if isinstance(error, exceptions.InvalidPath):
        return "there is nothing at this path"
    return type(error).__name__
