"""Evaluated values, decoded strictly: what the model lacks is refused and never ignored."""

from collections.abc import Mapping
from typing import NamedTuple, TypeVar

import msgspec
from msgspec import Struct

from stratum_graph.definitions import descriptor, source_text
from stratum_graph.definitions.descriptor import Descriptor
from stratum_graph.diagnostics import Diagnostic
from stratum_graph.model import ActionNode, Principal

NOT_SUPPORTED_YET: Mapping[str, object] = {
    "for_each": None,
    "on_failure": "compensate",
    "concurrency": None,
}
"""Fields that the contract has and the engine lacks, and the value that asks for nothing."""

Shape = TypeVar("Shape", bound=Struct)


class Shaped(NamedTuple):
    """A node, and its scripts that no path names, by part; their paths are still empty."""

    node: ActionNode
    scripts: Mapping[str, Descriptor]


def nodes(
    value: object, file: str, text: str
) -> tuple[tuple[Shaped, ...], tuple[Diagnostic, ...]]:
    """Decode what a definition's file came to: nothing, a node or a list of nodes."""
    found: list[Shaped] = []
    problems: list[Diagnostic] = []
    for each in _items(value):
        refused = [
            field for field, idle in NOT_SUPPORTED_YET.items() if _asks(each, field, idle)
        ]
        problems += [_unsupported(field, file, text) for field in refused]
        known = {key: inner for key, inner in each.items() if key not in NOT_SUPPORTED_YET}
        try:
            plain, scripts = descriptor.take_out(known)
        except msgspec.ValidationError as error:
            problems.append(_misfit(file, error))
            continue
        node = _decode(plain, ActionNode, file)
        if isinstance(node, Diagnostic):
            problems.append(node)
        elif not refused:
            found.append(Shaped(node, scripts))
    return tuple(found), tuple(problems)


def principals(
    value: object, file: str
) -> tuple[tuple[Principal, ...], tuple[Diagnostic, ...]]:
    """Decode what a principals file came to."""
    decoded = [_decode(each, Principal, file) for each in _items(value)]
    return (
        tuple(each for each in decoded if isinstance(each, Principal)),
        tuple(each for each in decoded if isinstance(each, Diagnostic)),
    )


def _items(value: object) -> list[dict[str, object]]:
    if value is None:
        return []
    return value if isinstance(value, list) else [msgspec.convert(value, dict[str, object])]


def _asks(node: Mapping[str, object], field: str, idle: object) -> bool:
    return field in node and node[field] not in (idle, [], None)


def _decode(value: object, shape: type[Shape], file: str) -> Shape | Diagnostic:
    try:
        decoded: Shape = msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        return _misfit(file, error)
    return decoded


def _misfit(file: str, error: msgspec.ValidationError) -> Diagnostic:
    return Diagnostic(
        file=file,
        message=f"does not export what its contract asks for: {error}",
        hint="a field that is `not_exported` counts as missing",
    )


def _unsupported(field: str, file: str, text: str) -> Diagnostic:
    place = source_text.place_of_field(text, field) or source_text.Place(1, 1)
    return Diagnostic(
        file=file,
        line=place.line,
        column=place.column,
        message=f"`{field}` is not supported yet",
        hint="leave it out",
    )
