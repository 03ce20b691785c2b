"""The bytes that a publisher signs: eight lines, specified in `docs/publishing.md`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

VERSION = "stratum-evt-v1"
ALGORITHM = "ed25519-v1"

EVENT_ID = "Nats-Msg-Id"
PUBLISHER = "Stratum-Principal"
TIME = "Stratum-Time"
SIGNATURE_ALGORITHM = "Stratum-Sig-Alg"
SIGNATURE = "Stratum-Sig"

_PREFIXES = ("ce-", "stratum-")
_NAMES = 256  # distinct header names to remember; the usual ones are a dozen
_VISIBLE = re.compile(r"[\x20-\x7e]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What a publisher says with one event."""

    audience: str
    """The deployment that it is meant for: a signature for another one does not fit."""
    publisher: str
    """Public NKey."""
    subject: str
    event_id: str
    time_ms: str
    """Unix milliseconds, as written in the header."""
    body: bytes
    covered: Mapping[str, str]

    def canonical(self) -> bytes:
        """Return the bytes under the signature. No field may hold a line break."""
        lines = "".join(sorted(f"{name}:{value}\n" for name, value in self.covered.items()))
        fields = (
            VERSION,
            self.audience,
            self.publisher,
            self.subject,
            self.event_id,
            self.time_ms,
            sha256(self.body).hexdigest(),
            sha256(lines.encode()).hexdigest(),
        )
        return "".join(f"{field}\n" for field in fields).encode()


@lru_cache(_NAMES)
def is_covered(name: str) -> bool:
    """Tell whether a header is signed: by rule, so that none can be added unsigned."""
    lower = name.lower()
    return lower == "content-type" or (
        lower.startswith(_PREFIXES) and lower != SIGNATURE.lower()
    )


def covered(headers: Mapping[str, str]) -> dict[str, str]:
    """Give the signed headers, names in lower case."""
    return {name.lower(): value for name, value in headers.items() if is_covered(name)}


def is_visible(value: str) -> bool:
    """Tell whether a header's value survives every client unchanged: ASCII, no outer spaces."""
    return _VISIBLE.fullmatch(value) is not None and value == value.strip(" ")
