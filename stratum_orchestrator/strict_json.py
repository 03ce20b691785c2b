"""Strict JSON at the boundaries: RFC 8259 with the restrictions of RFC 7493 (I-JSON).

What two readers could understand differently (duplicate keys, lone surrogates), what is no
JSON at all (`NaN`) and what harms a reader further down (NUL characters, deep nesting) is
refused with a reason instead of guessed.
"""
# ruff: noqa: TRY003 - a reason is all that NotStrictJson consists of

import json
import math
from itertools import chain
from typing import NoReturn

SAFE_INTEGER = 2**53
"""Up to here, readers that keep every number as an IEEE 754 double agree on integers."""


class NotStrictJson(ValueError):
    """Bytes that are not one strict JSON document."""

    def __init__(self, reason: str) -> None:
        """Keep the reason: a clause that follows its subject, such as "is not UTF-8"."""
        super().__init__(reason)
        self.reason = reason


def decode(data: bytes, *, max_depth: int = 64, safe_integers: bool) -> object:
    """Decode one document; NotStrictJson says what is wrong and where.

    `safe_integers` refuses integers beyond ±2^53. `max_depth` counts arrays and objects
    from the outermost inwards. The size is the caller's to bound.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise NotStrictJson(f"is not UTF-8 (byte {error.start})") from None
    if text.startswith("\ufeff"):
        raise NotStrictJson("begins with a byte order mark")
    if not text.strip():
        raise NotStrictJson("is empty")
    value = _parse(text, _SAFE if safe_integers else _ANY)
    _check_depth(value, max_depth)
    if "\\u" in text:  # without an escape, valid UTF-8 text has neither surrogates nor NUL
        _check_strings(value)
    return value


def _parse(text: str, decoder: json.JSONDecoder) -> object:
    try:
        value: object = decoder.decode(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        raise NotStrictJson(f"is not JSON: {error.msg} ({place})") from None
    except RecursionError:
        raise NotStrictJson("is nested too deeply") from None
    return value


def _check_depth(value: object, max_depth: int) -> None:
    level = [value] if isinstance(value, dict | list) else []
    depth = 0
    while level:
        depth += 1
        if depth > max_depth:
            raise NotStrictJson(f"is nested more than {max_depth} levels deep")
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, dict | list)
        ]


def _check_strings(value: object) -> None:
    if isinstance(value, dict):
        for each in chain(value.keys(), value.values()):
            _check_strings(each)
    elif isinstance(value, list):
        for each in value:
            _check_strings(each)
    elif isinstance(value, str):
        if "\0" in value:
            raise NotStrictJson("has a NUL character in a string")
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise NotStrictJson("has half a surrogate pair in a string")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise NotStrictJson(f"has the key {json.dumps(key)} twice in one object")
            seen.add(key)
    return found


def _constant(name: str) -> NoReturn:
    raise NotStrictJson(f"has {name}, which is not a JSON number")


def _float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise NotStrictJson(f"has the number {digits[:40]}, which is too large")
    return value


def _integer(digits: str) -> int:
    try:
        return int(digits)
    except ValueError:  # more digits than `sys.get_int_max_str_digits` allows
        raise NotStrictJson(f"has an integer of {len(digits)} digits") from None


def _safe_integer(digits: str) -> int:
    value = _integer(digits)
    if abs(value) > SAFE_INTEGER:
        raise NotStrictJson(
            f"has the integer {digits[:40]}, beyond ±2^53; write it as a string"
        )
    return value


def _decoder(*, safe_integers: bool) -> json.JSONDecoder:
    return json.JSONDecoder(
        object_pairs_hook=_object,
        parse_constant=_constant,
        parse_float=_float,
        parse_int=_safe_integer if safe_integers else _integer,
    )


_SAFE = _decoder(safe_integers=True)
_ANY = _decoder(safe_integers=False)
