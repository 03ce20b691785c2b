"""What somebody may have meant who named what is not there."""

from collections.abc import Iterable
from difflib import get_close_matches

_SHOWN = 3
_LISTED = 8


def meant(given: str, known: Iterable[str]) -> str:
    """A remedy: the nearest of the known names, or some of them; empty when there are none."""
    names = sorted(set(known))
    if near := get_close_matches(given, names, n=_SHOWN):
        return f"did you mean {' or '.join(near)}?"
    more = f", and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"there is {', '.join(names[:_LISTED])}{more}" if names else ""
