"""CBOR as SurrealDB speaks it: the few types that state is made of, encoded fast.

RFC 8949, definite lengths only. Tags of SurrealDB's RPC protocol: 6 NONE, 8 record id,
12 datetime as [seconds, nanoseconds], 49 range with bounds 50 (included) and 51 (excluded).
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

_INT64 = 1 << 63
_NONE = b"\xc6\xf6"
_WIDTHS = {24: 1, 25: 2, 26: 4, 27: 8}
_FLOATS = {25: ">e", 26: ">f", 27: ">d"}
_SIMPLE: Mapping[int, object] = {20: False, 21: True, 22: None, 23: None}

_NUL = "a text with a NUL in it"
_SURROGATE = "a text with half a surrogate pair in it"
_WIDE = "a number of more than 64 bits"


class Id(NamedTuple):
    """A record's id: its table and its key."""

    table: str
    key: object


class Range(NamedTuple):
    """The keys between two; `low` belongs to them unless they begin behind it."""

    low: object
    high: object
    behind: bool = False


class Raw(bytes):
    """A value that is encoded already."""

    __slots__ = ()


class Unencodable(ValueError):
    """The value would not come back from the store as it went in."""


class Undecodable(ValueError):
    """These bytes are no value that the store would send."""


def dumps(value: object) -> Raw:
    """Encode; Unencodable for what the store would alter, like NUL or more than 64 bits."""
    out: list[bytes] = []
    _put(value, out)
    return Raw(b"".join(out))


def array(items: Sequence[bytes]) -> Raw:
    """An array of encoded items."""
    return Raw(_head(0x80, len(items)) + b"".join(items))


def loads(encoded: bytes) -> object:
    """Decode one value. NONE and NULL are None, a record id is its `Id`, a time its seconds.

    Raises Undecodable.
    """
    try:
        value, _ = _get(encoded, 0)
    except (LookupError, TypeError, ValueError, RecursionError, struct.error) as error:
        raise Undecodable(repr(error)) from error
    return value


def _head(major: int, number: int) -> bytes:
    if number < 24:  # noqa: PLR2004 - fits the first byte
        return bytes((major | number,))
    if number < 1 << 8:
        return bytes((major | 24, number))
    if number < 1 << 16:
        return struct.pack(">BH", major | 25, number)
    if number < 1 << 32:
        return struct.pack(">BI", major | 26, number)
    return struct.pack(">BQ", major | 27, number)


def _put(value: object, out: list[bytes]) -> None:
    put = _PUT.get(type(value))
    if put is not None:
        put(value, out)
    elif isinstance(value, str):  # a member of an enumeration
        _put_text(value, out)
    else:
        raise Unencodable(type(value).__name__)


def _put_text(value: str, out: list[bytes]) -> None:
    if "\0" in value:  # would be stored, and no query that meets it would return again
        raise Unencodable(_NUL)
    try:
        encoded = value.encode()
    except UnicodeEncodeError as error:
        raise Unencodable(_SURROGATE) from error
    size = len(encoded)
    out.append(_TEXT_HEADS[size] if size < _SHORT else _head(0x60, size))
    out.append(encoded)


def _put_int(value: int, out: list[bytes]) -> None:
    if not -_INT64 <= value < _INT64:  # would wrap around
        raise Unencodable(_WIDE)
    if 0 <= value < _SHORT:
        out.append(_INTS[value])
    else:
        out.append(_head(0, value) if value >= 0 else _head(0x20, -1 - value))


def _put_map(value: Mapping[str, object], out: list[bytes]) -> None:
    out.append(_head(0xA0, len(value)))
    for name, each in value.items():
        out.append(_keys.get(name) or _key(name))
        put = _PUT.get(type(each), _put)
        put(each, out)


def _key(name: str) -> bytes:
    """A field's name, encoded once: they are a small, fixed set."""
    encoded = _keys[name] = _head(0x60, len(name)) + name.encode("ascii")
    return encoded


def _put_array(value: Sequence[object], out: list[bytes]) -> None:
    out.append(_head(0x80, len(value)))
    for each in value:
        _put(each, out)


def _put_id(value: Id, out: list[bytes]) -> None:
    out.append(b"\xc8\x82")
    _put_text(value.table, out)
    _put(value.key, out)


def _put_range(value: Range, out: list[bytes]) -> None:
    out.append(b"\xd8\x31\x82\xd8\x33" if value.behind else b"\xd8\x31\x82\xd8\x32")
    _put(value.low, out)
    out.append(b"\xd8\x33")
    _put(value.high, out)


_SHORT = 256
_INTS = [_head(0, number) for number in range(_SHORT)]
_TEXT_HEADS = [_head(0x60, size) for size in range(_SHORT)]
_keys: dict[str, bytes] = {}
_PUT: Mapping[type, Callable[[Any, list[bytes]], None]] = {
    str: _put_text,
    int: _put_int,
    dict: _put_map,
    list: _put_array,
    tuple: _put_array,
    Id: _put_id,
    Range: _put_range,
    Raw: lambda value, out: out.append(value),
    bool: lambda value, out: out.append(b"\xf5" if value else b"\xf4"),
    type(None): lambda _, out: out.append(_NONE),
}


def _get(data: bytes, at: int) -> tuple[object, int]:
    major, info = data[at] >> 5, data[at] & 0x1F
    if major == 7:  # noqa: PLR2004 - RFC 8949, 3.3
        return _get_simple(data, at)
    at += 1
    number = info
    if info in _WIDTHS:
        end = at + _WIDTHS[info]
        number, at = int.from_bytes(data[at:end], "big"), end
    return _GET[major](data, at, number)


def _get_simple(data: bytes, at: int) -> tuple[object, int]:
    info = data[at] & 0x1F
    if info in _FLOATS:
        end = at + 1 + _WIDTHS[info]
        (value,) = struct.unpack(_FLOATS[info], data[at + 1 : end])
        return value, end
    return _SIMPLE[info], at + 1


def _get_array(data: bytes, at: int, count: int) -> tuple[object, int]:
    items = []
    for _ in range(count):
        item, at = _get(data, at)
        items.append(item)
    return items, at


def _get_map(data: bytes, at: int, count: int) -> tuple[object, int]:
    items = {}
    for _ in range(count):
        name, at = _get(data, at)
        items[name], at = _get(data, at)
    return items, at


def _get_tagged(data: bytes, at: int, tag: int) -> tuple[object, int]:
    value, at = _get(data, at)
    if isinstance(value, list):
        if tag == 8:  # noqa: PLR2004
            return Id(*value), at
        if tag == 12:  # noqa: PLR2004
            return value[0] + value[1] / 1e9, at
    return value, at


_GET: Sequence[Callable[[bytes, int, int], tuple[object, int]]] = (
    lambda _, at, number: (number, at),
    lambda _, at, number: (-1 - number, at),
    lambda data, at, size: (data[at : at + size], at + size),
    lambda data, at, size: (data[at : at + size].decode(), at + size),
    _get_array,
    _get_map,
    _get_tagged,
)
