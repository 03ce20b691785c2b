"""A real OpenBao for tests, made ready as `stratum vault plan` says."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from stratum_graph.model import ActionNode, Credential, Handler, Trigger
from stratum_orchestrator.auth.vault import policy, server
from stratum_orchestrator.auth.vault.broker import ROLE
from stratum_orchestrator.auth.vault.client import Api, Client, Server
from stratum_orchestrator.ports import Claim, Kind
from support.confidential import confide

T = TypeVar("T")

needs_openbao = pytest.mark.skipif(server.find() is None, reason="there is no OpenBao")

PATH = "secret/stratum/deploy"
CANARY = confide("c4n4ry-Vt9sQe2LxBn7", "what a step is lent")
STORED = Credential(name="deploy", env="DEPLOY_TOKEN", path=PATH, field="token")
CERTIFICATE = Credential(
    name="certificate",
    env="TLS_KEY",
    engine="dynamic",
    path="pki/issue/deploy",
    field="private_key",
    params={"common_name": "deploy.test", "ttl": "10m"},
)
ITSELF = Credential(name="vault", env="VAULT_TOKEN", engine="token")


def a_node(*credentials: Credential, name: str = "deploy", **said: object) -> ActionNode:
    """A node that wants these."""
    return ActionNode(
        schema="stratum/v1",
        name=name,
        trigger=Trigger(pipeline="ship", subjects=("events.ship",)),
        handler=Handler(script="run.nu"),
        credentials=credentials or (STORED,),
        **said,  # type: ignore[arg-type]
    )


def a_claim(*credentials: Credential, node: str = "deploy", lasts_s: float = 40) -> Claim:
    return Claim(
        run="0001",
        node=node,
        attempt=1,
        kind=Kind.DO,
        credentials=credentials or (STORED,),
        runs_s=lasts_s - 10,
        lasts_s=lasts_s,
    )


@dataclass(frozen=True, slots=True)
class Vault:
    """The server as its operator sees it."""

    url: str
    root: str
    pid: int = 0

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def api(self) -> Api:
        return Api(Server(url=self.url))

    def do(self, call: Callable[[Client], T]) -> T:
        return self.api.call(call, self.root)

    def accessors(self) -> set[str]:
        """Of every token that is alive."""
        found = self.do(lambda client: client.list("auth/token/accessors"))
        return set(found["data"]["keys"]) if found else set()

    def leased(self) -> set[str]:
        """The accessors of the tokens of nodes that are alive."""
        found = set()
        for accessor in self.accessors():
            data = self._lookup(accessor)
            if str(data.get("role", "")).startswith(ROLE):
                found.add(accessor)
        return found

    def prepare(
        self, nodes: Sequence[ActionNode], values: Mapping[str, Mapping[str, str]]
    ) -> None:
        """What an operator does with the output of `stratum vault plan`, and the values."""
        own = policy.hcl(policy.own_rights(ROLE))
        self.do(lambda client: client.sys.create_or_update_policy(policy.OWN, own))
        for role in policy.roles(nodes, ROLE, 10):
            self._make(role)
        self.put(values)

    def put(self, values: Mapping[str, Mapping[str, str]]) -> None:
        """Store secrets, by path and field."""
        for path, fields in values.items():
            for name, value in fields.items():
                confide(value, f"{path}: {name}")
            mount, _, rest = path.partition("/")
            self.do(
                lambda client, m=mount, r=rest, f=fields: (  # type: ignore[misc]
                    client.secrets.kv.v2.create_or_update_secret(r, secret=f, mount_point=m)
                )
            )

    def use_pki(self, role: str = "deploy", **how: object) -> None:
        """Certificates as leases."""
        lasts = {"max_lease_ttl": "24h"}
        if (
            "pki/"
            not in self.do(lambda client: client.sys.list_mounted_secrets_engines())["data"]
        ):
            self.do(lambda client: client.sys.enable_secrets_engine("pki", config=lasts))
            self.do(lambda client: client.secrets.pki.generate_root("internal", "stratum.test"))
        said = {"allow_any_name": True, "generate_lease": True, "key_type": "ec", **how}
        self.do(
            lambda client: client.secrets.pki.create_or_update_role(
                role, {"key_bits": 256, "ttl": "1h", "max_ttl": "2h", **said}
            )
        )

    def use_approle(self, folder: Path, *, ttl: str = "1h") -> tuple[str, Path]:
        """The role id, and a file with a secret id."""
        self._enable("approle")
        self.do(
            lambda client: client.auth.approle.create_or_update_approle(
                "stratum", token_policies=[policy.OWN], token_ttl=ttl
            )
        )
        role = self.do(lambda client: client.auth.approle.read_role_id("stratum"))
        secret = self.do(lambda client: client.auth.approle.generate_secret_id("stratum"))
        file = folder / "secret-id"
        file.write_text(confide(secret["data"]["secret_id"], "a secret id"))
        return role["data"]["role_id"], file

    def wrapped_secret_id(self, folder: Path) -> Path:
        """A file with a token that opens once."""
        answer = self.do(
            lambda client: client.auth.approle.generate_secret_id("stratum", wrap_ttl="60s")
        )
        file = folder / "wrapped"
        file.write_text(confide(answer["wrap_info"]["token"], "a token that wraps"))
        return file

    def _enable(self, method: str) -> None:
        there = self.do(lambda client: client.sys.list_auth_methods())["data"]
        if f"{method}/" not in there:
            self.do(lambda client: client.sys.enable_auth_method(method))

    def _make(self, role: policy.Role) -> None:
        rules, settings = policy.hcl(role.rights), dict(role.settings())
        self.do(lambda client: client.sys.create_or_update_policy(role.name, rules))
        place = f"auth/token/roles/{role.name}"
        self.do(lambda client: client.write_data(place, data=settings))

    def _lookup(self, accessor: str) -> Mapping[str, object]:
        try:
            found = self.do(lambda client: client.auth.token.lookup_accessor(accessor))
        except Exception:  # noqa: BLE001 - it may have ended in between
            return {}
        data: Mapping[str, object] = found["data"]
        return data


@asynccontextmanager
async def a_vault(folder: Path) -> AsyncIterator[Vault]:
    """A server with a value at `PATH`, and what `a_node()` needs."""
    async with server.openbao(folder) as running:
        root = confide(running.root, "the root token of a vault")
        vault = Vault(running.url, root, running.process.pid)
        vault.prepare([a_node()], {PATH: {"token": CANARY}})
        yield vault
