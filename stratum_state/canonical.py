"""Canonical JSON text: how every foreign payload is kept, so that no store can alter it."""

import json
from hashlib import sha256

_encoder = json.JSONEncoder(
    ensure_ascii=True, allow_nan=False, sort_keys=True, separators=(",", ":")
)


def text(value: object) -> str:
    """Serialize with sorted keys, no spaces, ASCII only; ValueError on NaN and infinities."""
    return _encoder.encode(value)


def digest(canonical: str) -> str:
    """`sha256:` and 64 hex digits of a canonical text."""
    return "sha256:" + sha256(canonical.encode(errors="surrogatepass")).hexdigest()
