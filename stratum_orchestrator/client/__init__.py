"""The daemon's HTTP API for Python programs: `Client(address, token).run("8204")`.

What belongs here: asking, commanding and listening over HTTP, and what is answered. Nothing of
the daemon itself is imported, and no third-party library but msgspec.
"""

from stratum_orchestrator.client.client import Client
from stratum_orchestrator.client.errors import (
    ApiError,
    Garbled,
    Refused,
    StillGoing,
    Unreachable,
)
from stratum_orchestrator.client.listening import Heard

__all__ = [
    "ApiError",
    "Client",
    "Garbled",
    "Heard",
    "Refused",
    "StillGoing",
    "Unreachable",
]
