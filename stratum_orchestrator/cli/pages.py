"""Lists that come in pages, gathered up to a limit."""

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
_PAGE = 200


def gather(
    page: Callable[[str | None, int], tuple[list[T], str | None]], limit: int
) -> list[T]:
    """The first `limit` items; `page` gives those behind a cursor, and the next cursor."""
    found: list[T] = []
    after: str | None = None
    while len(found) < limit:
        items, after = page(after, min(_PAGE, limit - len(found)))
        found += items
        if after is None:
            break
    return found
