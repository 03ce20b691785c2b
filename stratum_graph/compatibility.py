"""Does everything that one schema lets through fit another? Proved for the library's keywords.

The check is one-sided: what it reports would really break a consumer; keywords that it does
not know are taken to fit.
"""

from collections.abc import Mapping
from typing import cast

from stratum_graph.model import JsonSchema
from stratum_graph.schemas import compile_schema

_BOUNDS = {
    "minimum": 1,
    "minLength": 1,
    "minItems": 1,
    "maximum": -1,
    "maxLength": -1,
    "maxItems": -1,
}


def misfits(produced: JsonSchema, consumed: JsonSchema, *, path: str) -> tuple[str, ...]:
    """Why a value of `produced` may not be one of `consumed`; empty when it always is."""
    if not consumed or produced == consumed:
        return ()
    if alternatives := _list(produced, "anyOf"):
        each = [misfits(inner, consumed, path=path) for inner in alternatives]
        return tuple(found for group in each for found in group)
    if alternatives := _list(consumed, "anyOf"):
        fits = any(not misfits(produced, inner, path=path) for inner in alternatives)
        return () if fits else (f"{path}: fits none of the consumer's alternatives",)
    return (*_values(produced, consumed, path), *_shape(produced, consumed, path))


def _values(produced: JsonSchema, consumed: JsonSchema, path: str) -> tuple[str, ...]:
    if (given := _fixed(produced)) is not None:
        validator = compile_schema(consumed)
        problems = [validator.problems(value, name=path) for value in given]
        return tuple(problem for group in problems for problem in group)
    found: list[str] = []
    if (allowed := _fixed(consumed)) is not None:
        found.append(f"{path}: the consumer allows only {allowed}")
    elif not _type_fits(produced, consumed):
        found.append(
            f"{path}: the producer gives {produced.get('type', 'anything')}, "
            f"the consumer wants {consumed['type']}"
        )
    for keyword, sign in _BOUNDS.items():
        if _looser(produced.get(keyword), consumed.get(keyword), sign):
            found.append(f"{path}: the producer does not keep {keyword} {consumed[keyword]}")
    pattern = consumed.get("pattern")
    if pattern is not None and produced.get("pattern") != pattern:
        found.append(f"{path}: the producer does not keep the pattern {pattern}")
    return tuple(found)


def _shape(produced: JsonSchema, consumed: JsonSchema, path: str) -> tuple[str, ...]:
    found: list[str] = []
    given, wanted = _properties(produced), _properties(consumed)
    promised = produced.get("required") or []
    found += [
        f"{path}.{name}: the consumer requires it, the producer may leave it out"
        for name in cast("list[str]", consumed.get("required") or [])
        if name not in cast("list[str]", promised)
    ]
    for name, inner in given.items():
        if name in wanted:
            found += misfits(inner, wanted[name], path=f"{path}.{name}")
        elif consumed.get("additionalProperties") is False:
            found.append(f"{path}.{name}: the consumer does not know this field")
    closed = consumed.get("additionalProperties") is False
    if (
        closed
        and produced.get("type") == "object"
        and produced.get("additionalProperties", True)
    ):
        found.append(f"{path}: the producer may add fields, the consumer allows none")
    items, wanted_items = produced.get("items"), consumed.get("items")
    if isinstance(wanted_items, Mapping) and produced.get("type") == "array":
        inner = items if isinstance(items, Mapping) else {}
        found += misfits(inner, wanted_items, path=f"{path}[]")
    return tuple(found)


def _type_fits(produced: JsonSchema, consumed: JsonSchema) -> bool:
    wanted = consumed.get("type")
    return (
        wanted is None
        or produced.get("type") == wanted
        or (produced.get("type") == "integer" and wanted == "number")
    )


def _fixed(schema: JsonSchema) -> list[object] | None:
    if "const" in schema:
        return [schema["const"]]
    return cast("list[object] | None", schema.get("enum"))


def _looser(given: object, wanted: object, sign: int) -> bool:
    if not isinstance(wanted, int | float):
        return False
    return not isinstance(given, int | float) or (given - wanted) * sign < 0


def _properties(schema: JsonSchema) -> Mapping[str, JsonSchema]:
    return cast("Mapping[str, JsonSchema]", schema.get("properties") or {})


def _list(schema: JsonSchema, key: str) -> list[JsonSchema]:
    return cast("list[JsonSchema]", schema.get(key) or [])
