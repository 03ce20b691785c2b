"""JSON Schema, compiled once and checked in microseconds. The only importer of jsonschema_rs.

Patterns run on a linear-time regex engine, and no `$ref` ever leaves the schema itself.
"""

from functools import lru_cache
from typing import Never

import jsonschema_rs
import msgspec

from stratum_graph.model import JsonSchema

_SHOWN = 5  # problems named in one message


class SchemaInvalid(Exception):
    """The schema itself cannot be used."""


class Validator:
    """One compiled schema."""

    def __init__(self, schema: JsonSchema) -> None:
        """Compile; SchemaInvalid when it is not a usable JSON Schema (draft 2020-12)."""
        try:
            self._compiled = jsonschema_rs.Draft202012Validator(
                msgspec.to_builtins(schema),
                pattern_options=jsonschema_rs.RegexOptions(),
                retriever=_refuse,
                validate_formats=True,
            )
        except (
            jsonschema_rs.ValidationError,
            jsonschema_rs.ReferencingError,
            ValueError,
        ) as bad:
            raise SchemaInvalid(str(bad).splitlines()[0]) from None

    def problems(self, value: object, *, name: str = "value") -> tuple[str, ...]:
        """What is wrong with the value, each with its path below `name`; empty when it fits."""
        if self._compiled.is_valid(value):
            return ()
        found = self._compiled.iter_errors(value)
        return tuple(
            f"{_path(name, error.instance_path)}: {error.message}"
            for error, _ in zip(found, range(_SHOWN), strict=False)
        )


@lru_cache(maxsize=4096)
def _compiled(canonical: bytes) -> Validator:
    return Validator(msgspec.json.decode(canonical))


def compile_schema(schema: JsonSchema) -> Validator:
    """The validator of a schema, compiled once in a process; SchemaInvalid otherwise."""
    return _compiled(msgspec.json.encode(schema, order="deterministic"))


def _path(name: str, steps: list[str | int]) -> str:
    return name + "".join(
        f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps
    )


def _refuse(uri: str) -> Never:
    message = f"a schema may not refer to {uri}: only to itself"
    raise ValueError(message)
