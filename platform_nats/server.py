"""The nats-server that we run ourselves: a child process that ends with us.

`async with serve(folder, users) as running` starts it. Tasks of the caller's look after it:
`running.watch()` starts it again on the same ports whenever it dies, `running.examine()`
notices when it lives and cannot work.
"""

import json
import logging
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import DEVNULL
from urllib.parse import urlsplit

import anyio
from anyio.abc import Process

from platform_nats.condition import complaint
from platform_nats.errors import ServerFailed, ServerNotFound
from platform_nats.permissions import User
from platform_nats.server_config import ServerSettings, render
from platform_nats.server_lock import lock
from platform_nats.tether import tethered

log = logging.getLogger(__name__)

_POLL_S = 0.005
_RELOAD_S = 5.0
_TAIL = 20  # lines of the log
_BACKOFF_S = (0.1, 5.0)
_EXAMINE_S = 2.0
_ROOM = 8 << 20  # bytes; a few of the largest messages
_FULL = ("no space left", "quota exceeded")
_NEVER_STARTED = "was never started"
_NOT_READY = "was not ready in time"
_NOT_TAKEN = "did not take the changed configuration"
_RELOADED, _NOT_RELOADED = "Reloaded server configuration", "Failed to reload"


class Running:
    """A server that runs, and is started again on the same ports while watched."""

    def __init__(
        self, folder: Path, users: Sequence[User], settings: ServerSettings, held: int
    ) -> None:
        self.url = ""
        self.monitor_url = ""
        self.trouble = ""
        """Why it cannot work although it lives, as far as it was examined."""
        self._folder = folder
        self._users = tuple(users)
        self._settings = settings
        self._held = held
        self._ports = (settings.port, settings.monitor_port)
        self._next_ports = self._ports
        self._process: Process | None = None
        self._stopping = False

    @property
    def pid(self) -> int:
        return self._child.pid

    async def start(self) -> None:
        """Start it and return when it takes connections; ServerFailed with its log's end."""
        self._ports = (
            self._next_ports
        )  # a reload may not change them, not even -1 to the real one
        self._configure()
        for left in self._folder.glob("*.ports"):
            left.unlink()
        with self._log.open("ab") as out:
            self._process = await anyio.open_process(
                self._command(),
                stdin=DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,  # Ctrl-C is for us; we end the server when it is time
                pass_fds=(self._held,),  # as long as it lives, the folder stays locked
            )
        with anyio.move_on_after(self._settings.ready_s):
            self._learn(await self._ports_file())
            return
        await self._end()
        raise self._failed(_NOT_READY)

    async def reload(self, users: Sequence[User]) -> None:
        """Let in these users and no others, without an interruption for those who stay."""
        self._users = tuple(users)
        self._configure()
        if self._child.returncode is not None:
            return  # it has just died; whoever starts it again starts it with these users
        seen = self._log.stat().st_size
        self._child.send_signal(signal.SIGHUP)
        with anyio.move_on_after(_RELOAD_S):
            while True:
                said = self._log_from(seen)
                if _RELOADED in said:
                    return
                if _NOT_RELOADED in said:
                    break
                await anyio.sleep(_POLL_S)
        raise self._failed(_NOT_TAKEN)

    async def watch(self) -> None:
        """Start the server again whenever it ends; return when it is stopped by us."""
        shortest, longest = _BACKOFF_S
        pause = shortest
        while True:
            code = await self._child.wait()
            if self._stopping:
                return
            log.error("nats-server ended", extra={"code": code, "log": str(self._log)})
            await anyio.sleep(pause)
            if self._stopping:
                return
            try:
                await self.start()
                pause = shortest
            except ServerFailed:
                log.exception("nats-server not started again")
                pause = min(2 * pause, longest)

    async def examine(self) -> None:
        """Ask the server how it is, until cancelled.

        A stream that could not be written never is again in that process. So when the disk
        was full and has room, the server is ended, for `watch` to start it.
        """
        while True:
            await anyio.sleep(_EXAMINE_S)
            said = await complaint(self.monitor_url)
            if said and not self.trouble:
                log.error("nats-server cannot work", extra={"why": said})
            self.trouble = said
            is_full = any(mark in said for mark in _FULL)
            if is_full and shutil.disk_usage(self._folder).free >= _ROOM:
                log.warning("nats-server ends: there is room on its disk again")
                self._child.terminate()

    async def stop(self) -> None:
        """Let it write what it has and end; kill it when that takes too long."""
        self._stopping = True
        if self._process is not None:
            await self._end()

    async def _end(self) -> None:
        if self._child.returncode is None:
            self._child.terminate()
        with anyio.move_on_after(self._settings.stop_s):
            await self._child.wait()
            return
        self._child.kill()
        await self._child.wait()

    @property
    def _child(self) -> Process:
        if self._process is None:
            raise self._failed(_NEVER_STARTED)
        return self._process

    @property
    def _log(self) -> Path:
        return self._folder / "nats-server.log"

    @property
    def _config(self) -> Path:
        return self._folder / "nats-server.json"

    def _configure(self) -> None:
        text = render(self._settings, self._folder, self._users, self._ports)
        fresh = self._config.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(self._config)

    def _command(self) -> list[str]:
        program = find_program(self._settings.program)
        files = ["-c", self._config, "-l", self._log, "--ports_file_dir", self._folder]
        return [*tethered("TERM"), str(program), *map(str, files)]

    async def _ports_file(self) -> str:
        """Return what the server writes when it is ready."""
        while True:
            for file in self._folder.glob(f"*_{self._child.pid}.ports"):
                text = file.read_text()
                if text.endswith("}"):
                    return text
            if self._child.returncode is not None:
                ended = f"ended with code {self._child.returncode}"
                raise self._failed(ended)
            await anyio.sleep(_POLL_S)

    def _learn(self, ports: str) -> None:
        found = json.loads(ports)
        self.url, self.monitor_url = found["nats"][0], found["monitoring"][0]
        self._next_ports = (_port(self.url), _port(self.monitor_url))
        log.info("nats-server runs", extra={"url": self.url, "pid": self._child.pid})

    def _failed(self, what: str) -> ServerFailed:
        lines = self._log_from(0).splitlines()[-_TAIL:]
        return ServerFailed(what, self._log, "\n".join(lines))

    def _log_from(self, offset: int) -> str:
        with self._log.open("rb") as file:
            file.seek(offset if offset <= os.fstat(file.fileno()).st_size else 0)
            return file.read().decode(errors="replace")


def find_program(named: Path | None) -> Path:
    """Return the nats-server to run: as named, else beside the interpreter, else on PATH."""
    beside = Path(sys.executable).parent
    found = shutil.which(named) if named else shutil.which("nats-server", path=str(beside))
    if found is None and named is None:
        found = shutil.which("nats-server")
    if found is None:
        raise ServerNotFound(str(named) if named else f"neither in {beside} nor on the PATH")
    return Path(found)


def _port(url: str) -> int:
    return urlsplit(url).port or 0


@asynccontextmanager
async def serve(
    folder: Path, users: Sequence[User], settings: ServerSettings | None = None
) -> AsyncIterator[Running]:
    """Run a server on loopback with its data below the folder, for these users alone.

    Call it in the main thread: the server ends when the thread ends that started it. Raises
    ServerNotFound, ServerInUse, ServerFailed.
    """
    async with lock(folder) as held:
        running = Running(folder, users, settings or ServerSettings(), held)
        try:
            await running.start()
            yield running
        finally:
            with anyio.CancelScope(shield=True):
                await running.stop()
