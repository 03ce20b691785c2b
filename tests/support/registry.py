"""A real registry on loopback, where Debian's docker-registry is installed."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from support.ports import free_port

PROGRAM = shutil.which("docker-registry")
MISSING = "docker-registry is not installed (apt-get install docker-registry)"
_WITHIN_S = 20


@contextmanager
def serving(folder: Path, **more: object) -> Iterator[str]:
    """Run a registry that keeps everything in the folder; its host and port.

    `more` are further sections of its configuration, such as `auth`.
    """
    assert PROGRAM
    port = free_port()
    settings = {
        "version": 0.1,
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(folder / "data")},
            "delete": {"enabled": True},
        },
        "http": {"addr": f"127.0.0.1:{port}", "secret": "x"} | dict(more.pop("http", {})),  # type: ignore[call-overload]
        **more,
    }
    file = folder / "registry.yml"
    file.write_text(json.dumps(settings))  # JSON is YAML
    with (folder / "registry.log").open("wb") as log:
        process = subprocess.Popen([PROGRAM, "serve", str(file)], stdout=log, stderr=log)
    try:
        _wait(process, port, folder / "registry.log")
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def telling(address: str) -> dict[str, object]:
    """The section `notifications`: tell that address of every manifest that is pushed."""
    endpoint = {
        "name": "stratum",
        "url": address,
        "timeout": "2s",
        "threshold": 3,
        "backoff": "100ms",
        "ignoredmediatypes": ["application/octet-stream"],
    }
    return {"endpoints": [endpoint]}


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    give_up = time.monotonic() + _WITHIN_S
    while time.monotonic() < give_up and process.poll() is None:
        connection = HTTPConnection("127.0.0.1", port, timeout=1)
        try:
            connection.request("GET", "/")
            connection.getresponse()
        except (OSError, HTTPException):
            time.sleep(0.05)  # the one thing to wait for says nothing by itself
            continue
        finally:
            connection.close()
        return
    raise AssertionError(log.read_text())
