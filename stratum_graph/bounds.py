"""What a schema's plain keywords promise: types, and bounds of numbers, texts and sizes."""

from collections.abc import Iterable, Iterator, Mapping
from typing import cast

from stratum_graph.model import JsonSchema

_TYPES = frozenset({"null", "boolean", "number", "string", "array", "object"})
_AT_LEAST = {"minLength": "string", "minItems": "array", "minProperties": "object"}
_AT_MOST = {"maxLength": "string", "maxItems": "array", "maxProperties": "object"}
_ALIKE = {"pattern": "string", "format": "string"}
_NUMBERS = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "multipleOf")

KEYWORDS = frozenset({"type", "uniqueItems", *_AT_LEAST, *_AT_MOST, *_ALIKE, *_NUMBERS})


def types(schema: JsonSchema) -> frozenset[str]:
    """The types that a value may have; a whole number is `integer`, if no other may come."""
    named = cast("str | Iterable[str]", schema.get("type", _TYPES))
    return frozenset([named] if isinstance(named, str) else named)


def unkept(given: JsonSchema, wanted: JsonSchema) -> Iterator[str]:
    """Keywords of `wanted` that a value of `given` may break, as they are told."""
    come = types(given)
    for keyword, value in wanted.items():
        if keyword not in KEYWORDS or given.get(keyword) == value:
            continue
        if keyword == "type":
            yield from _type(come, types(wanted), given)
        elif not _keeps(keyword, value, given, come):
            yield f"the producer does not keep {keyword} {value}"


def _type(come: frozenset[str], may: frozenset[str], given: JsonSchema) -> Iterator[str]:
    lacking = {each for each in come - may if not (each == "integer" and "number" in may)}
    if lacking:
        said = " or ".join(sorted(come)) if "type" in given else "anything"
        yield f"the producer gives {said}, the consumer wants {' or '.join(sorted(may))}"


def _keeps(keyword: str, value: object, given: JsonSchema, come: frozenset[str]) -> bool:
    if keyword in _NUMBERS:
        numeric = bool(come & {"number", "integer"})
        return not numeric or _keeps_number(keyword, value, given, come)
    if keyword == "uniqueItems":
        return value is False or "array" not in come or _at_most(given, "maxItems", 1)
    concerned = {**_AT_LEAST, **_AT_MOST, **_ALIKE}[keyword]
    if concerned not in come:
        return True
    if keyword in _AT_LEAST:
        return _at_least(given, keyword, value)
    return keyword in _AT_MOST and _at_most(given, keyword, value)


def _keeps_number(keyword: str, value: object, given: JsonSchema, come: frozenset[str]) -> bool:
    match keyword:
        case "minimum":
            return _at_least(given, "minimum", value) or _at_least(
                given, "exclusiveMinimum", value
            )
        case "exclusiveMinimum":
            return _at_least(given, "exclusiveMinimum", value) or _above(
                given, "minimum", value
            )
        case "maximum":
            return _at_most(given, "maximum", value) or _at_most(
                given, "exclusiveMaximum", value
            )
        case "exclusiveMaximum":
            return _at_most(given, "exclusiveMaximum", value) or _above(
                given, "maximum", value, -1
            )
        case _:
            whole = "number" not in come
            step = given.get("multipleOf", 1 if whole else None)
            if not isinstance(step, int) or not isinstance(value, int):
                return False
            return value > 0 and step % value == 0


def _at_least(given: JsonSchema, keyword: str, least: object) -> bool:
    found = _number(given, keyword)
    return found is not None and isinstance(least, int | float) and found >= least


def _at_most(given: JsonSchema, keyword: str, most: object) -> bool:
    found = _number(given, keyword)
    return found is not None and isinstance(most, int | float) and found <= most


def _above(given: JsonSchema, keyword: str, bound: object, sign: int = 1) -> bool:
    found = _number(given, keyword)
    return (
        found is not None
        and isinstance(bound, int | float)
        and (found > bound if sign > 0 else found < bound)
    )


def _number(given: Mapping[str, object], keyword: str) -> int | float | None:
    found = given.get(keyword)
    return found if isinstance(found, int | float) else None
