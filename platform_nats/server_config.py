"""The configuration of the nats-server that we run. JSON is valid in its syntax."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from platform_nats.permissions import User

_RANDOM = -1
_LOG_BYTES = 10 << 20
_LOG_FILES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """What can be chosen about the server."""

    program: Path | None = None
    """None: beside the interpreter, else on the PATH."""
    name: str = "stratum"
    port: int = _RANDOM
    """On loopback; -1 takes any free one."""
    monitor_port: int = _RANDOM
    sync: str = "always"
    """When events are on disk: with anything else a power loss takes acknowledged ones."""
    memory_bytes: int = 256 << 20
    """Room for streams in memory."""
    disk_bytes: int = 4 << 30
    """Room for streams on disk, of which the streams reserve what they may need."""
    ready_s: float = 15.0
    """How long it may take to start."""
    stop_s: float = 10.0
    """How long it may take to stop before it is killed."""


def render(
    settings: ServerSettings, folder: Path, users: Sequence[User], ports: tuple[int, int]
) -> str:
    """Return the text of the configuration, on the given ports for clients and monitor."""
    client, monitor = ports
    return json.dumps(
        {
            "server_name": settings.name,
            "host": "127.0.0.1",
            "port": client,
            "http": f"127.0.0.1:{monitor}",
            "max_payload": 1 << 20,
            "write_deadline": "10s",
            "logfile_size_limit": _LOG_BYTES,
            "logfile_max_num": _LOG_FILES,
            "jetstream": {
                "store_dir": str(folder),
                "sync_interval": settings.sync,
                "max_mem": settings.memory_bytes,
                "max_file": settings.disk_bytes,
            },
            # Off: the coming default breaks permissions on acks and nats-py's ordered reads.
            "feature_flags": {"js_ack_fc_v2": False},
            "accounts": {
                "STRATUM": {
                    "jetstream": "enabled",
                    "users": [dict(user.entry()) for user in users],
                }
            },
        },
        indent=1,
    )
