"""A SurrealDB server for several clients: the one on the PATH, or the bridge in `bridge/`.

The bridge's packages are installed once, outside of the repository, for each state of its lock
file. Both keep their data in RocksDB, and both let root, root in.
"""

import fcntl
import itertools
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path

import anyio
import anyio.abc
import pytest

from stratum_state.surreal import SurrealStore, open_store
from stratum_state.surreal.websocket import Server, WebSocket, connect
from support import signing
from support.confidential import confide
from support.ports import free_port

USER = "root"
PASSWORD = confide("br1dge-Kq7VtWm2LxBn4s", "the password of the database")
_SOURCES = Path(__file__).with_name("bridge")
_CACHE = Path("~/.cache/stratum-tests").expanduser()
_MEMORY = "--max-old-space-size=512"

_databases = itertools.count(1)


class Bridge:
    """One server in a folder, that can be killed, frozen and started again at its port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.database = ""
        self.use_new_database()
        self._process: anyio.abc.Process | None = None

    def use_new_database(self) -> None:
        """Let what connects from now on find nothing there."""
        self.database = f"d{next(_databases)}"

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def server(self) -> Server:
        return Server(
            url=self.url,
            namespace="test",
            database=self.database,
            user=USER,
            password=PASSWORD,
        )

    async def start(self) -> None:
        """Return when it answers."""
        command = _command(f"rocksdb://{self.folder}", self.port)
        self._process = await anyio.open_process(
            command, stdout=subprocess.DEVNULL, stderr=None
        )
        with anyio.fail_after(30):
            while not await self._answers():
                assert self._process.returncode is None, "the server ended"
                await anyio.sleep(0.05)

    async def kill(self) -> None:
        """End it as a power cut would end the process."""
        if self._process is not None:
            if self._process.returncode is None:
                self._process.send_signal(signal.SIGKILL)
            await self._process.wait()
            await self._process.aclose()
            self._process = None

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    async def _answers(self) -> bool:
        try:
            async with connect(self.server) as connection:
                await connection.call("RETURN true", {})
        except Exception:  # noqa: BLE001 - whatever it is, it does not answer yet
            return False
        return True


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Bridge]:
    """A server of its own; the test is skipped where none can be had."""
    bridge = Bridge(folder)
    await bridge.start()
    try:
        yield bridge
    finally:
        with anyio.CancelScope(shield=True):
            await bridge.kill()


@asynccontextmanager
async def connected(bridge: Bridge) -> AsyncIterator[WebSocket]:
    async with connect(bridge.server) as connection:
        yield connection


@asynccontextmanager
async def an_instance(
    bridge: Bridge, name: str, ttl_s: float = 15, port: int = 0
) -> AsyncIterator[SurrealStore]:
    """The store as one of the instances has it, over another port if told so."""
    async with open_store(
        f"ws://127.0.0.1:{port or bridge.port}",
        instance=name,
        namespace="test",
        database=bridge.database,
        ttl_s=ttl_s,
        user=USER,
        password=PASSWORD,
        signer=signing.SIGNER,
    ) as store:
        yield store


async def expired(store: SurrealStore) -> Sequence[str]:
    """The lanes to adopt, as soon as there are any."""
    with anyio.fail_after(30):
        while not (found := await store.expired()):  # noqa: ASYNC110 - in the database
            await anyio.sleep(0.05)
    return found


def _command(url: str, port: int) -> list[str]:
    surreal = shutil.which("surreal")
    if surreal and _is_recent(surreal):
        root = ["--user", USER, "--pass", PASSWORD, "--log", "error", "--no-banner"]
        return [surreal, "start", *root, "--bind", f"127.0.0.1:{port}", url]
    folder = _installed()
    return ["node", _MEMORY, str(folder / "bridge.mjs"), url, str(port)]


@cache
def _is_recent(surreal: str) -> bool:
    """Whether it is of version 3 or later."""
    said = subprocess.run([surreal, "version"], capture_output=True, text=True, check=False)
    return said.stdout[:1].isdigit() and int(said.stdout.split(".")[0]) >= 3


@cache
def _installed() -> Path:
    """The folder of the bridge with its packages."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("neither surreal (3 or later) nor node and npm are on the PATH")
    state = sha256(b"".join(each.read_bytes() for each in sorted(_SOURCES.iterdir())))
    folder = _CACHE / f"bridge-{state.hexdigest()[:16]}"
    _CACHE.mkdir(parents=True, exist_ok=True)
    with (_CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "installed").exists():
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(_SOURCES, folder)
            ended = subprocess.run(
                [npm, "ci"], cwd=folder, capture_output=True, text=True, check=False
            )
            if ended.returncode:
                pytest.skip(f"npm ci for the bridge failed: {ended.stderr.strip()[-300:]}")
            (folder / "installed").touch()
    return folder
