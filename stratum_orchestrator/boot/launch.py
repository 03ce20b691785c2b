"""What the command line asks for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One start of the daemon."""

    home: Path
    dev: bool
    """Make what is missing: keys, principals, and the shipped nodes if there are no others."""
    file: Path | None = None
    """Configuration file instead of the project's."""
    flags: Mapping[str, object] = field(default_factory=dict)
    """Dotted fields that win over everything."""
    errand: Callable[[], int] | None = None
    """What to do once, in a thread, when everything is ready."""
    once: bool = False
    """Stop after the errand."""
