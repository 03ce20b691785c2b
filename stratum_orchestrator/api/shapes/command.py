"""What commands take and give."""

from typing import Annotated

from msgspec import Meta

from stratum_orchestrator.api.shapes.ground import RunId, Shape


class Wish(Shape, frozen=True):
    """Why an operator wants it; it goes into the journal."""

    reason: Annotated[str, Meta(min_length=1, max_length=500, pattern=r"\S")]


class Approval(Shape, frozen=True):
    """What somebody says who approves; it goes into the journal."""

    reason: Annotated[str, Meta(max_length=500)] = ""


class RetryWish(Wish, frozen=True):
    """Likewise; `again`: also when the run completed."""

    again: bool = False


class ActivationWish(Wish, frozen=True):
    """Likewise; `wanted` is a tag or a digest."""

    wanted: Annotated[str, Meta(min_length=1, max_length=200)]


class Obeyed(Shape, frozen=True):
    """The run that it is about, or that it made."""

    run: RunId
    detail: str
