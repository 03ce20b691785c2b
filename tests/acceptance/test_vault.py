"""The credential plane on a real OpenBao: logins, limits, and a server in trouble."""

import base64
import json
import secrets
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import msgspec
import pytest
from nacl.signing import SigningKey

from stratum_graph.model import Credential
from stratum_orchestrator.auth.vault import policy, server
from stratum_orchestrator.auth.vault.broker import VaultBroker, vault_broker
from stratum_orchestrator.auth.vault.client import Api, Server
from stratum_orchestrator.auth.vault.login import AppRole, Given, Jwt
from stratum_orchestrator.errors import CredentialsDenied, CredentialsUnavailable
from support.daemon import Daemon, write_node
from support.lending import a_running_vault
from support.proxy import before
from support.vault import (
    CERTIFICATE,
    ITSELF,
    STORED,
    Vault,
    a_claim,
    a_node,
    a_vault,
    needs_openbao,
)
from support.wait import until

pytestmark = [pytest.mark.acceptance, needs_openbao]


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    with a_running_vault(tmp_path_factory.mktemp("vault")) as vault:
        yield vault


def approle(vault: Vault, folder: Path, ttl: str = "1h") -> AppRole:
    role, secret = vault.use_approle(folder, ttl=ttl)
    return AppRole(mount="approle", role_id=role, secret_id_file=secret, wrapped=False)


@pytest.fixture
async def broker(vault: Vault, tmp_path: Path) -> AsyncIterator[VaultBroker]:
    async with vault_broker(vault.api, approle(vault, tmp_path)) as broker:
        yield broker


async def test_a_wrapped_secret_id_opens_once(vault: Vault, tmp_path: Path) -> None:
    plain = approle(vault, tmp_path)
    wrapped = vault.wrapped_secret_id(tmp_path)
    way = AppRole(mount="approle", role_id=plain.role_id, secret_id_file=wrapped, wrapped=True)
    again = AppRole(
        mount="approle", role_id=plain.role_id, secret_id_file=wrapped, wrapped=True
    )

    way(vault.api)
    way(vault.api)

    with pytest.raises(CredentialsDenied, match="put a fresh one there"):
        again(vault.api)


async def test_a_jwt_logs_in(vault: Vault, tmp_path: Path) -> None:
    key = SigningKey.generate()
    use_jwt(vault, key)
    (tmp_path / "jwt").write_text(a_jwt(key))

    async with vault_broker(
        vault.api, Jwt(mount="jwt", role="stratum", jwt_file=tmp_path / "jwt")
    ) as broker:
        grant = await broker.grant(a_claim())

    assert grant.policy == "stratum-node-deploy"


async def test_a_login_is_renewed_before_it_ends(vault: Vault, tmp_path: Path) -> None:
    async with vault_broker(vault.api, approle(vault, tmp_path, ttl="3s")) as broker:
        first = broker.login or ""

        def is_renewed() -> bool:
            found = vault.do(lambda client: client.auth.token.lookup_accessor(first))
            return bool(found["data"].get("last_renewal"))

        await until(is_renewed)

        assert broker.login == first
        assert broker.trouble == ""


def test_what_the_plan_prints_is_all_that_an_operator_has_to_run(
    vault: Vault, tmp_path: Path
) -> None:
    program = server.find()
    assert program is not None
    path = "secret/stratum/planned"
    wants = f'credentials = [{{ name = "d", env = "D", path = "{path}", field = "f" }}]'
    starts = 'trigger = { pipeline = "p", subjects = ["events.p"] }'
    write_node(
        tmp_path, "planned", f'{starts}, handler.script = "run.nu", effect = \'pure, {wants}'
    )
    printed = Daemon(tmp_path).cli("vault", "plan", "--program", "bao", wanted=0).stdout

    environment = {
        "PATH": f"{program.parent}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "BAO_ADDR": vault.url,
        "BAO_TOKEN": vault.root,
    }
    subprocess.run(["sh", "-eu"], input=printed, text=True, env=environment, check=True)

    secret = secrets.token_hex()
    vault.put({path: {"f": secret}})
    wanted = Credential(name="d", env="D", path=path, field="f")
    claim, role = a_claim(wanted, node="planned"), "stratum-node-planned"
    ours = approle(vault, tmp_path)(vault.api)
    token = vault.api.mint(ours.client_token, role, claim)
    foreign = a_claim(STORED, node="planned")
    assert vault.api.read(ours.client_token, token.client_token, claim) == {"D": secret}
    with pytest.raises(CredentialsDenied, match="permission denied"):
        vault.api.read(ours.client_token, token.client_token, foreign)


async def test_a_given_token_is_left_alive(vault: Vault, tmp_path: Path) -> None:
    made = vault.do(
        lambda client: client.auth.token.create(policies=[policy.OWN], ttl="1h", no_parent=True)
    )
    (tmp_path / "token").write_text(made["auth"]["client_token"])

    async with vault_broker(vault.api, Given(token_file=tmp_path / "token")) as broker:
        await broker.grant(a_claim())
        assert broker.login is None

    assert made["auth"]["accessor"] in vault.accessors()


async def test_a_login_ends_with_us_and_takes_along_what_it_gave(
    vault: Vault, tmp_path: Path
) -> None:
    async with vault_broker(vault.api, approle(vault, tmp_path)) as broker:
        grant = await broker.grant(a_claim())
        assert {grant.accessor, broker.login} <= vault.accessors()

    assert not {grant.accessor, broker.login} & vault.accessors()


async def test_a_login_that_was_ended_is_got_anew(vault: Vault, broker: VaultBroker) -> None:
    first = broker.login
    vault.do(lambda client: client.auth.token.revoke_accessor(first or ""))

    await broker.grant(a_claim())

    assert broker.login not in {first, None}


async def test_a_login_that_would_end_before_the_step_is_replaced(
    vault: Vault, tmp_path: Path
) -> None:
    async with vault_broker(vault.api, approle(vault, tmp_path, ttl="3s")) as broker:
        with pytest.raises(CredentialsDenied, match="raise the TTL of the role"):
            await broker.grant(a_claim(lasts_s=40))


async def test_we_can_read_nothing_ourselves(vault: Vault, tmp_path: Path) -> None:
    ours = approle(vault, tmp_path)(vault.api)

    with pytest.raises(CredentialsDenied):
        vault.api.read(ours.client_token, ours.client_token, a_claim())
    with pytest.raises(CredentialsDenied):
        vault.api.call(lambda client: client.auth.token.create(ttl="1m"), ours.client_token)
    with pytest.raises(CredentialsDenied):
        vault.api.call(lambda client: client.list("auth/token/accessors"), ours.client_token)


async def test_a_node_without_a_role_is_denied(broker: VaultBroker) -> None:
    with pytest.raises(CredentialsDenied, match="unknown role"):
        await broker.grant(a_claim(node="stranger"))


async def test_a_node_reads_nothing_of_another(broker: VaultBroker) -> None:
    foreign = Credential(name="x", env="X", path="secret/stratum/other", field="token")
    claim = a_claim(foreign)
    grant = await broker.grant(claim)

    with pytest.raises(CredentialsDenied, match="permission denied"):
        await broker.read(claim, grant)


async def test_a_role_that_caps_the_lease_shows_in_how_long_it_lasts(
    broker: VaultBroker,
) -> None:
    grant = await broker.grant(a_claim(lasts_s=1000))

    assert grant.lasts_s < 1000


async def test_what_an_engine_made_ends_with_its_token(
    vault: Vault, broker: VaultBroker
) -> None:
    vault.use_pki()
    vault.prepare([a_node(CERTIFICATE, STORED, ITSELF)], {})
    claim = a_claim(CERTIFICATE, STORED, ITSELF)
    grant = await broker.grant(claim)

    found = await broker.read(claim, grant)
    leases = certificates(vault)
    await broker.revoke(grant.accessor or "")

    assert "PRIVATE KEY" in found["TLS_KEY"]
    assert found["VAULT_TOKEN"] == grant.key
    assert len(leases) == 1
    with anyio.fail_after(10):
        while certificates(vault):  # noqa: ASYNC110 - another process is watched
            await anyio.sleep(0.02)


async def test_what_an_engine_makes_has_to_last_as_long_as_the_step(
    vault: Vault, broker: VaultBroker
) -> None:
    brief = msgspec.structs.replace(CERTIFICATE, path="pki/issue/brief")
    vault.use_pki("brief", ttl="5s", max_ttl="5s")
    vault.prepare([a_node(brief, name="brief")], {})
    claim = a_claim(brief, node="brief")
    grant = await broker.grant(claim)

    with pytest.raises(CredentialsDenied, match=r"lasts \d s, but 30 s are needed"):
        await broker.read(claim, grant)


async def test_a_sealed_vault_is_unavailable(tmp_path: Path) -> None:
    async with (
        a_vault(tmp_path) as vault,
        vault_broker(vault.api, approle(vault, tmp_path)) as broker,
    ):
        vault.do(lambda client: client.sys.seal())

        with pytest.raises(CredentialsUnavailable, match="sealed"):
            await broker.grant(a_claim())


async def test_a_vault_that_is_gone_is_unavailable(tmp_path: Path) -> None:
    api = Api(Server(url="http://127.0.0.1:9", timeout_s=1))

    async with vault_broker(api, Given(token_file=token_file(tmp_path))) as broker:
        with pytest.raises(CredentialsUnavailable, match="no answer"):
            await broker.grant(a_claim())
        assert "no answer" in broker.trouble


async def test_a_vault_that_is_slow_is_unavailable_and_the_loop_goes_on(
    vault: Vault, tmp_path: Path
) -> None:
    way = approle(vault, tmp_path)
    async with before(vault.port) as between:
        api = Api(Server(url=f"http://127.0.0.1:{between.port}", timeout_s=0.5))
        async with vault_broker(api, way) as broker:
            between.hold()
            turns = 0

            async def turn() -> None:
                nonlocal turns
                while True:
                    turns += 1
                    await anyio.sleep(0.01)

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(turn)
                with pytest.raises(CredentialsUnavailable, match="ReadTimeout"):
                    await broker.grant(a_claim())
                tasks.cancel_scope.cancel()
            between.heal()

    assert turns > 10


async def test_something_that_is_no_vault_is_unavailable(tmp_path: Path) -> None:
    async def greet(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            await stream.receive()
            await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")

    async with anyio.create_task_group() as tasks:
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        tasks.start_soon(listener.serve, greet)
        port = listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610 - not Django
        api = Api(Server(url=f"http://127.0.0.1:{port}", timeout_s=2))
        way = Given(token_file=token_file(tmp_path))
        async with vault_broker(api, way) as broker:
            with pytest.raises(CredentialsUnavailable):
                await broker.grant(a_claim())
        tasks.cancel_scope.cancel()
    await listener.aclose()


def certificates(vault: Vault) -> list[str]:
    found = vault.do(lambda client: client.list("sys/leases/lookup/pki/issue/deploy"))
    return list(found["data"]["keys"]) if found else []


def token_file(folder: Path) -> Path:
    file = folder / "token"
    file.write_text("s.nobody")
    return file


def use_jwt(vault: Vault, key: SigningKey) -> None:
    der = bytes.fromhex("302a300506032b6570032100") + bytes(key.verify_key)
    text = base64.b64encode(der).decode()
    pem = f"-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----"
    trusted = {"jwt_validation_pubkeys": [pem], "jwt_supported_algs": ["EdDSA"]}
    role = {
        "role_type": "jwt",
        "user_claim": "sub",
        "bound_audiences": ["vault"],
        "token_policies": [policy.OWN],
        "token_ttl": "1h",
    }
    vault.do(lambda client: client.sys.enable_auth_method("jwt"))
    vault.do(lambda client: client.write_data("auth/jwt/config", data=trusted))
    vault.do(lambda client: client.write_data("auth/jwt/role/stratum", data=role))


def a_jwt(key: SigningKey) -> str:
    now = int(time.time())
    claims = {"sub": "daemon", "aud": "vault", "iat": now, "exp": now + 300}
    signed = f"{part({'alg': 'EdDSA', 'typ': 'JWT'})}.{part(claims)}"
    signature = key.sign(signed.encode()).signature
    return f"{signed}.{encoded(signature)}"


def part(said: dict[str, object]) -> str:
    return encoded(json.dumps(said).encode())


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
