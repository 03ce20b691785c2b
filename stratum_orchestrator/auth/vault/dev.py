"""A vault for a laptop: an OpenBao of our own, made ready for each node that asks."""

import logging
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import anyio

from stratum_graph.model import Credential
from stratum_orchestrator.auth.dev_file import read_values
from stratum_orchestrator.auth.vault import policy
from stratum_orchestrator.auth.vault.broker import ROLE, VaultBroker, vault_broker
from stratum_orchestrator.auth.vault.client import Api, Client, Server, Token
from stratum_orchestrator.auth.vault.policy import Role
from stratum_orchestrator.auth.vault.server import Running, openbao
from stratum_orchestrator.errors import CredentialsDenied
from stratum_orchestrator.ports import Claim, Grant

log = logging.getLogger(__name__)

T = TypeVar("T")

_PKI = "pki"
_PERIOD = "1h"
_LONGEST_S = 30 * 86400

Values = Mapping[str, Mapping[str, str]]
"""By path and field, as in the file of development values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AsRoot:
    """Logs in with no more rights than a production daemon has, by the root token's leave."""

    root: str
    is_ours: bool = True

    def __call__(self, api: Api) -> Token:
        rights = policy.hcl(policy.own_rights(ROLE))
        api.call(
            lambda client: client.sys.create_or_update_policy(policy.OWN, rights), self.root
        )
        answer = api.call(
            lambda client: client.auth.token.create(
                policies=[policy.OWN], period=_PERIOD, no_default_policy=True
            ),
            self.root,
        )
        return api.understood(answer, "auth", Token)


class Supply:
    """Values of the developer's file; what it lacks is made up, and stays what it is.

    It is kept here as the server forgets everything when it ends.
    """

    def __init__(self, given: Values) -> None:
        self._given = given
        self._made_up: dict[tuple[str, str], str] = {}

    def of(self, wanted: Credential) -> str:
        """The value of a credential."""
        given = self._given.get(wanted.path, {}).get(wanted.field)
        place = (wanted.path, wanted.field)
        if not given and place not in self._made_up:
            extra = {"path": wanted.path, "field": wanted.field}
            log.warning("development secret made up", extra=extra)
            self._made_up[place] = secrets.token_urlsafe(18)
        return given or self._made_up[place]


class DevBroker:
    """Before a node gets its first token: its policy, its role, and something to read."""

    provider = "openbao-dev"

    def __init__(self, inner: VaultBroker, api: Api, server: Running, values: "Supply") -> None:
        self._inner = inner
        self._api = api
        self._server = server
        self._values = values
        self._ready: dict[str, tuple[Credential, ...]] = {}
        self._turn = anyio.Lock()

    @property
    def login(self) -> str | None:
        return self._inner.login

    @property
    def trouble(self) -> str:
        return self._inner.trouble

    async def grant(self, claim: Claim) -> Grant:
        async with self._turn:
            if self._ready.get(claim.node) != claim.credentials:
                await self._inner.apart(lambda: self._make_ready(claim))
                self._ready[claim.node] = claim.credentials
        return await self._inner.grant(claim)

    async def read(self, claim: Claim, grant: Grant) -> Mapping[str, str]:
        return await self._inner.read(claim, grant)

    async def revoke(self, accessor: str) -> None:
        await self._inner.revoke(accessor)

    async def ended(self) -> int:
        """Wait until the server has; its exit code."""
        return await self._server.ended()

    def _make_ready(self, claim: Claim) -> None:
        name = f"{ROLE}{claim.node}"
        role = Role(name, claim.node, policy.rights(claim.credentials), _LONGEST_S)
        rules, place = policy.hcl(role.rights), f"auth/token/roles/{name}"
        self._do(lambda client: client.sys.create_or_update_policy(name, rules))
        self._do(lambda client: client.write_data(place, data=dict(role.settings())))
        for each in claim.credentials:
            if each.engine == "kv":
                self._lay_down(each)
            elif each.engine == "dynamic" and each.path.startswith(f"{_PKI}/issue/"):
                self._prepare_pki(each.path.rpartition("/")[2])

    def _lay_down(self, wanted: Credential) -> None:
        """Put the value there: the one of the file, else one that is made up."""
        mount, _, path = wanted.path.partition("/")
        mounts = self._do(lambda client: client.sys.list_mounted_secrets_engines())
        if f"{mount}/" not in mounts["data"]:
            self._do(
                lambda client: client.sys.enable_secrets_engine(
                    "kv", path=mount, options={"version": "2"}
                )
            )
        whole = {**self._known(mount, path), wanted.field: self._values.of(wanted)}
        self._do(
            lambda client: client.secrets.kv.v2.create_or_update_secret(
                path, secret=whole, mount_point=mount
            )
        )

    def _known(self, mount: str, path: str) -> dict[str, str]:
        try:
            answer = self._do(
                lambda client: client.secrets.kv.v2.read_secret_version(
                    path, mount_point=mount, raise_on_deleted_version=True
                )
            )
        except CredentialsDenied:
            return {}
        return dict(answer["data"]["data"])

    def _prepare_pki(self, role: str) -> None:
        """An authority whose certificates are leases, for names of every kind."""
        mounts = self._do(lambda client: client.sys.list_mounted_secrets_engines())
        if f"{_PKI}/" not in mounts["data"]:
            lasts = {"max_lease_ttl": "720h"}
            self._do(lambda client: client.sys.enable_secrets_engine(_PKI, config=lasts))
            self._do(lambda client: client.secrets.pki.generate_root("internal", "stratum.dev"))
        how = {"allow_any_name": True, "generate_lease": True, "key_type": "ec"}
        self._do(
            lambda client: client.secrets.pki.create_or_update_role(
                role, {**how, "key_bits": 256, "ttl": "720h"}
            )
        )

    def _do(self, do: Callable[[Client], T]) -> T:
        return self._api.call(do, self._server.root)


def supply(values_file: Path | None) -> Supply:
    """What nodes are lent; BadValuesFile when the file cannot be used."""
    return Supply(read_values(values_file) if values_file else {})


@asynccontextmanager
async def openbao_dev(folder: Path, values: Supply) -> AsyncIterator[DevBroker]:
    """A server and a broker for as long as it is open; OpenBaoMissing, OpenBaoFailed."""
    async with openbao(folder) as server:
        api = Api(Server(url=server.url))
        async with vault_broker(api, AsRoot(root=server.root)) as inner:
            yield DevBroker(inner, api, server, values)
