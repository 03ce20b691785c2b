"""Whether whatever one schema allows is accepted by another: proved, or said where not.

What cannot be proved counts as a misfit: a consumer may refuse nothing that its producer may
give. A keyword that nothing is known about is kept by a producer that has the very same one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import cast

import msgspec

from stratum_graph import bounds
from stratum_graph.model import JsonSchema
from stratum_graph.schemas import compile_schema

_NOTES = frozenset({"$schema", "title", "description", "examples", "default"})
_CHOICES = ("anyOf", "oneOf")
_COMBINED = frozenset({*_CHOICES, "allOf"})
_OF_OBJECTS = frozenset({"properties", "patternProperties", "additionalProperties", "required"})
_OF_LISTS = frozenset({"prefixItems", "items"})
_KNOWN = bounds.KEYWORDS | _COMBINED | _OF_OBJECTS | _OF_LISTS | {"const", "enum"}
_NOTHING: JsonSchema = {"not": {}}
_SHOWN = 20
_MOST = 50_000
"""Pairs of schemas in one proof: honest ones have some hundreds."""
_ELSE = "*"
"""How a path names the fields that no schema names."""

_Found = tuple[tuple[str, str], ...]
"""Path below the value, and what does not fit there."""


def misfits(produced: JsonSchema, consumed: JsonSchema, *, path: str) -> tuple[str, ...]:
    """Why a value of `produced` may not be one of `consumed`; empty when it always is."""
    found = _Proof().misfits(produced, consumed)
    return tuple(dict.fromkeys(f"{path}{below}: {why}" for below, why in found))[:_SHOWN]


class _Proof:
    """One attempt; each pair of schemas is looked at once."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], _Found] = {}
        self._made: dict[tuple[object, ...], object] = {}
        self._kept: list[object] = []
        """So that no identity is used twice."""

    def misfits(self, produced: object, consumed: object) -> _Found:
        pair = id(produced), id(consumed)
        if pair not in self._known:
            if len(self._known) == _MOST:
                return (("", "the schemas have too many alternatives to prove anything"),)
            self._kept += [produced, consumed]
            found = self._look(self._plain(produced), self._plain(consumed))
            self._known[pair] = found[:_SHOWN]
        return self._known[pair]

    def _look(self, given: JsonSchema, wanted: JsonSchema) -> _Found:
        if not wanted or given == _NOTHING or self._same(given, wanted):
            return ()
        if wanted == _NOTHING:
            return (("", "the consumer accepts nothing here"),)
        if (values := _fixed(given)) is not None:
            return tuple(_each_value(values, given, wanted))
        for choice in _CHOICES:
            if choice in wanted and self._same(given.get(choice), wanted[choice]):
                return self.misfits(given, self._without(wanted, choice))
            if choice in given:
                return self._alternatives(given, choice, wanted)
        if "allOf" in given:
            return self._conjuncts(given, wanted)
        return tuple(self._demands(given, wanted))

    def _once(self, make: Callable[..., object], *of: object) -> JsonSchema:
        """The same object for the same ones, so that pairs are found again."""
        key = (make, *map(id, of))
        if key not in self._made:
            self._kept += of
            self._made[key] = make(*of)
        return cast("JsonSchema", self._made[key])

    def _plain(self, schema: object) -> JsonSchema:
        return self._once(_plain, schema)

    def _without(self, schema: JsonSchema, keyword: str) -> JsonSchema:
        return self._once(_without, schema, keyword)

    def _same(self, one: object, other: object) -> bool:
        """Whether they are the same JSON: for Python, 1 and true are equal."""
        return self._once(_text, one) == self._once(_text, other)

    def _alternatives(self, given: JsonSchema, choice: str, wanted: JsonSchema) -> _Found:
        """Each alternative has to fit, by itself or by what all of them keep."""
        rest = self._without(given, choice)
        common = self.misfits(rest, wanted) if rest else (("", ""),)
        if not common:
            return ()
        each = [self._merged(rest, inner, wanted) for inner in _list(given, choice)]
        return tuple(found for group in each for found in group)

    def _merged(self, rest: JsonSchema, inner: object, wanted: JsonSchema) -> _Found:
        plain = self._plain(inner)
        apart = not (rest.keys() & plain.keys()) and not _entangled(rest, plain)
        both = self._once(_together, rest, plain) if rest and apart else inner
        return self.misfits(both, wanted)

    def _conjuncts(self, given: JsonSchema, wanted: JsonSchema) -> _Found:
        """One of them that fits is enough: a value keeps them all."""
        parts = [self._without(given, "allOf"), *_list(given, "allOf")]
        tried = [self.misfits(each, wanted) for each in parts]
        return min(tried, key=len)

    def _demands(self, given: JsonSchema, wanted: JsonSchema) -> Iterator[tuple[str, str]]:
        for each in _list(wanted, "allOf"):
            yield from self.misfits(given, each)
        for choice in _CHOICES:
            yield from self._choice(given, choice, wanted)
        if (allowed := _fixed(wanted)) is not None:
            yield "", f"the consumer allows only {allowed}"
        else:
            yield from (("", why) for why in bounds.unkept(given, wanted))
        yield from self._unknown(given, wanted)
        come = bounds.types(given)
        if "object" in come and wanted.keys() & _OF_OBJECTS:
            yield from self._fields(given, wanted)
        if "array" in come and wanted.keys() & _OF_LISTS:
            yield from self._items(given, wanted)

    def _unknown(self, given: JsonSchema, wanted: JsonSchema) -> Iterator[tuple[str, str]]:
        for keyword in sorted(wanted.keys() - _KNOWN):
            if not self._same(given.get(keyword), wanted[keyword]):
                yield "", f"the producer does not keep {keyword}: only the same one would do"

    def _choice(
        self, given: JsonSchema, choice: str, wanted: JsonSchema
    ) -> Iterator[tuple[str, str]]:
        inner = _list(wanted, choice)
        fits = not inner or any(not self.misfits(given, each) for each in inner)
        if choice == "oneOf" and len(inner) > 1:
            yield "", "that exactly one of the consumer's alternatives fits is not to be proved"
        elif not fits:
            yield "", "fits none of the consumer's alternatives"

    def _fields(self, given: JsonSchema, wanted: JsonSchema) -> Iterator[tuple[str, str]]:
        promised = _names(given)
        for name in sorted(_names(wanted) - promised):
            yield f".{name}", "the consumer requires it, the producer may leave it out"
        theirs, ours = _record(wanted, "properties"), _record(given, "properties")
        further = [*_record(given, "patternProperties").values(), _else(given)]
        others = [*_record(wanted, "patternProperties").values(), _else(wanted)]
        for name in [*ours, *(theirs.keys() - ours.keys())]:
            # A pattern may match the name or not: what every pattern asks for is kept then.
            come = [ours[name]] if name in ours else further
            asked = [*([theirs[name]] if name in theirs else others), *others[:-1]]
            for each in come:
                for demand in asked:
                    unknown = name not in theirs and self._plain(demand) == _NOTHING
                    yield from self._field(name, each, demand, unknown=unknown)
        for each in further:
            for demand in others:
                if self._plain(demand) == _NOTHING and self._plain(each) != _NOTHING:
                    yield "", "the producer may add fields, the consumer allows none"
                else:
                    yield from _below(f".{_ELSE}", self.misfits(each, demand))

    def _field(
        self, name: str, given: object, wanted: object, *, unknown: bool
    ) -> Iterator[tuple[str, str]]:
        found = self.misfits(given, wanted)
        if found and unknown:
            yield f".{name}", "the consumer does not know this field"
        else:
            yield from _below(f".{name}", found)

    def _items(self, given: JsonSchema, wanted: JsonSchema) -> Iterator[tuple[str, str]]:
        first, asked = _list(given, "prefixItems"), _list(wanted, "prefixItems")
        most = given.get("maxItems")
        length = max(len(first), len(asked))
        bound = most if isinstance(most, int) else length + 1
        for at in range(min(length, bound)):
            each = first[at] if at < len(first) else given.get("items", {})
            demand = asked[at] if at < len(asked) else wanted.get("items", {})
            yield from _below(f"[{at}]", self.misfits(each, demand))
        if bound > length:
            yield from _below(
                "[]", self.misfits(given.get("items", {}), wanted.get("items", {}))
            )


def _each_value(
    values: Sequence[object], given: JsonSchema, wanted: JsonSchema
) -> Iterator[tuple[str, str]]:
    """Values that are all known are tried, as far as the producer allows them itself."""
    own, theirs = compile_schema(given), compile_schema(wanted)
    for value in values:
        if not own.problems(value):
            for problem in theirs.problems(value, name=""):
                below, _, why = problem.partition(": ")
                yield below, why


def _text(schema: object) -> bytes:
    return msgspec.json.encode(schema, order="deterministic")


def _plain(schema: object) -> JsonSchema:
    """The schema without what is only said about it; true and false written out."""
    if isinstance(schema, Mapping):
        if not schema.keys() & _NOTES:
            return schema
        return {name: each for name, each in schema.items() if name not in _NOTES}
    return {} if schema is True else _NOTHING


def _fixed(schema: JsonSchema) -> Sequence[object] | None:
    """All values that there can be, when they are listed."""
    if "const" in schema:
        return [schema["const"]]
    return cast("Sequence[object] | None", schema.get("enum"))


def _entangled(one: JsonSchema, other: JsonSchema) -> bool:
    """Whether put together they would mean something else than each by itself."""
    both = one.keys(), other.keys()
    structured = any(
        all(keys & group for keys in both) for group in (_OF_OBJECTS - {"required"}, _OF_LISTS)
    )
    return structured or any(keys & _COMBINED for keys in both)


def _together(one: JsonSchema, other: JsonSchema) -> JsonSchema:
    return {**one, **other}


def _without(schema: JsonSchema, keyword: str) -> JsonSchema:
    return {name: each for name, each in schema.items() if name != keyword}


def _list(schema: JsonSchema, keyword: str) -> Sequence[object]:
    return cast("Sequence[object]", schema.get(keyword, ()))


def _record(schema: JsonSchema, keyword: str) -> Mapping[str, object]:
    return cast("Mapping[str, object]", schema.get(keyword, {}))


def _names(schema: JsonSchema) -> frozenset[str]:
    return frozenset(cast("Sequence[str]", schema.get("required", ())))


def _else(schema: JsonSchema) -> object:
    return schema.get("additionalProperties", True)


def _below(step: str, found: _Found) -> Iterator[tuple[str, str]]:
    return ((f"{step}{path}", why) for path, why in found)
