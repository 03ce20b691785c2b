"""What all shapes share."""

from typing import Annotated

from msgspec import Meta, Struct

Moment = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]
"""ISO 8601, UTC, with milliseconds."""


Json = Annotated[object, Meta(extra_json_schema={"description": "Any JSON."})]


RunId = Annotated[str, Meta(pattern="^[0-9a-f]{25}$")]


class Shape(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every key is always there; what is unknown is null."""


class Problem(Shape, frozen=True):
    """RFC 9457, with a stable word for programs and what to do."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    remedy: str
    instance: str | None
    """URN of this one occurrence, where the daemon's log tells more about it."""


class Open(Struct, frozen=True):
    """An object that says by itself what it holds."""
