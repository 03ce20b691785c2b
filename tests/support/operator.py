"""A nats-server in operator mode, and the JWTs that it wants, made by hand."""

import base64
import json
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import anyio
import nats
import nkeys
from anyio.abc import Process

from platform_nats.permissions import inbox
from platform_nats.server import find_program

_CREDS = """-----BEGIN NATS USER JWT-----
{jwt}
------END NATS USER JWT------

************************* IMPORTANT *************************
-----BEGIN USER NKEY SEED-----
{seed}
------END USER NKEY SEED------
"""


class Pair:
    """The key of an operator, an account or a user."""

    def __init__(self, prefix: int) -> None:
        self.seed: str = nkeys.encode_seed(secrets.token_bytes(32), prefix).decode()
        self._pair = nkeys.from_seed(bytearray(self.seed.encode()))
        self.public: str = self._pair.public_key.decode()

    def token(self, subject: str, name: str, said: dict[str, object], life_s: int = 0) -> str:
        """A JWT about the subject, signed by this key."""
        claims: dict[str, object] = {
            "iat": int(time.time()),
            "iss": self.public,
            "sub": subject,
            "name": name,
            "nats": {"version": 2, **said},
        }
        claims |= {"exp": int(time.time()) + life_s} if life_s else {}
        digest = sha256(json.dumps(claims).encode()).digest()
        claims["jti"] = base64.b32encode(digest).decode().rstrip("=")
        head = _part({"typ": "JWT", "alg": "ed25519-nkey"})
        text = f"{head}.{_part(claims)}"
        return f"{text}.{_encoded(self._pair.sign(text.encode()))}"


@dataclass
class Operator:
    """An operator with one account for events and one for the system, and their server."""

    folder: Path
    operator: Pair = field(default_factory=lambda: Pair(nkeys.PREFIX_BYTE_OPERATOR))
    account: Pair = field(default_factory=lambda: Pair(nkeys.PREFIX_BYTE_ACCOUNT))
    system: Pair = field(default_factory=lambda: Pair(nkeys.PREFIX_BYTE_ACCOUNT))
    url: str = ""

    def creds(
        self, name: str, *publishes: str, account: Pair | None = None, life_s: int = 0
    ) -> Path:
        """The file of a new user who may publish under these subjects; all without any."""
        user = Pair(nkeys.PREFIX_BYTE_USER)
        said: dict[str, object] = {"type": "user", "subs": -1, "data": -1, "payload": -1}
        if publishes:
            said["pub"] = {"allow": list(publishes)}
            said["sub"] = {"allow": [f"{inbox(user.public)}.>"]}
        jwt = (account or self.account).token(user.public, name, said, life_s)
        file = self.folder / f"{name}.creds"
        file.write_text(_CREDS.format(jwt=jwt, seed=user.seed))
        file.chmod(0o600)
        return file

    def config(self) -> str:
        said = {"type": "operator", "system_account": self.system.public}
        return json.dumps(
            {
                "host": "127.0.0.1",
                "port": -1,
                "operator": self.operator.token(self.operator.public, "op", said),
                "system_account": self.system.public,
                "jetstream": {"store_dir": str(self.folder / "js")},
                "resolver": {"type": "full", "dir": str(self.folder / "jwt")},
                "resolver_preload": {
                    self.account.public: self.about_account(),
                    self.system.public: self._about(self.system, "SYS", {}),
                },
            }
        )

    def about_account(self, *revoked: str) -> str:
        """The JWT of the account for events, in which these users are revoked."""
        now = int(time.time())
        storage = {"mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1}
        return self._about(
            self.account, "EVENTS", storage, dict.fromkeys(revoked, now) if revoked else {}
        )

    async def revoke(self, public: str) -> None:
        """Tell the server that the user is one no more."""
        root = self.creds("root", account=self.system)
        connection = await nats.connect(self.url, user_credentials=str(root))
        jwt = self.about_account(public).encode()
        answer = await connection.request("$SYS.REQ.CLAIMS.UPDATE", jwt, timeout=5)
        assert "error" not in json.loads(answer.data), answer.data
        await connection.close()

    def _about(
        self,
        account: Pair,
        name: str,
        limits: dict[str, int],
        revoked: dict[str, int] | None = None,
    ) -> str:
        keys = ("subs", "data", "payload", "imports", "exports", "conn", "leaf")
        whole: dict[str, object] = {**dict.fromkeys(keys, -1), "wildcards": True, **limits}
        said = {"type": "account", "limits": whole, "revocations": revoked or {}}
        return self.operator.token(account.public, name, said)


@asynccontextmanager
async def run_operator(folder: Path) -> AsyncIterator[Operator]:
    """The server; it is gone afterwards."""
    operator = Operator(folder)
    config = folder / "server.json"
    config.write_text(operator.config())
    command = [str(find_program(None)), "-c", str(config), "--ports_file_dir", str(folder)]
    process = await anyio.open_process(
        [*command, "-l", str(folder / "server.log")], start_new_session=True
    )
    try:
        operator.url = await _url(folder, process)
        yield operator
    finally:
        with anyio.CancelScope(shield=True):
            process.kill()
            await process.wait()
            await process.aclose()


async def _url(folder: Path, process: Process) -> str:
    file = folder / f"nats-server_{process.pid}.ports"
    with anyio.fail_after(15):
        while not (file.exists() and file.read_text().endswith("}")):
            assert process.returncode is None, (folder / "server.log").read_text()
            await anyio.sleep(0.01)
    url: str = json.loads(file.read_text())["nats"][0]
    return url


def _part(value: object) -> str:
    return _encoded(json.dumps(value).encode())


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
