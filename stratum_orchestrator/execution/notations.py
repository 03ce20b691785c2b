"""The ways in which a secret is usually written down: what has to be looked for."""

import base64
import json
import re
from collections.abc import Iterator
from string import ascii_letters, digits
from urllib.parse import quote, quote_plus

SHORTEST = 6
"""Bytes. Less than that is found everywhere, so it cannot be kept out of anything."""
_LINE = 16
"""Bytes from which a line of a secret, such as one of a PEM file, is a secret itself."""
_CODES = [chr(n) if chr(n) in ascii_letters + digits else f"%{n:02X}" for n in range(256)]
"""Bytes as the most careful programs write them in URLs."""
_QUOTES = ((b'"', b'""'), (b"'", b"''"), (b"'", b"'\\''"), (b"'", b"'\"'\"'"))
"""What CSV, SQL and shells make of the quotes in a text between quotes."""
_ESCAPE = re.compile(r"%[0-9A-F]{2}|\\u[0-9a-f]{4}")


def notations(value: str) -> frozenset[bytes]:
    """Return every notation of a value that is long enough to be looked for."""
    return frozenset(each for each in _all(value) if len(each) >= SHORTEST)


def _all(value: str) -> Iterator[bytes]:
    raw = value.encode(errors="surrogateescape")
    yield raw
    yield from (line.strip() for line in raw.splitlines() if len(line.strip()) >= _LINE)
    for text in {*_json(value), *_url(raw)}:
        yield text.encode(errors="surrogateescape")
        yield _other_case(text).encode(errors="surrogateescape")
    hexadecimal = raw.hex().encode()
    every = b"%" + raw.hex("%").encode()
    yield from (hexadecimal, hexadecimal.upper(), every, every.upper())
    for offset in range(3):
        yield from _base64(raw, offset)
    yield from (code(raw).rstrip(b"=") for code in (base64.b32encode, base64.b32hexencode))
    for quote_, twice in _QUOTES:
        yield raw.replace(quote_, twice)


def _json(value: str) -> Iterator[str]:
    yield repr(value)[1:-1]  # an exception's text may hold that
    for ascii_only in (True, False):
        escaped = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        yield escaped
        yield escaped.replace("/", "\\/")
        yield json.dumps(escaped, ensure_ascii=ascii_only)[1:-1]  # JSON within JSON


def _url(raw: bytes) -> Iterator[str]:
    yield quote(raw, safe="")
    yield quote(raw)
    yield quote_plus(raw)
    yield quote(quote(raw, safe=""))
    yield "".join(_CODES[each] for each in raw)


def _other_case(text: str) -> str:
    """Write the digits of escapes the other way: `%2f`, not `%2F`."""
    return _ESCAPE.sub(_swap, text)


def _swap(escape: re.Match[str]) -> str:
    lead = 2 if escape[0].startswith("\\") else 1
    return escape[0][:lead] + escape[0][lead:].swapcase()


def _base64(raw: bytes, offset: int) -> Iterator[bytes]:
    """Base64 of the secret after so many other bytes, without what its neighbors shape."""
    encoded = base64.b64encode(b"\0" * offset + raw)
    whole = encoded[(0, 2, 3)[offset] : 8 * (len(raw) + offset) // 6]
    yield whole
    yield whole.replace(b"+", b"-").replace(b"/", b"_")
