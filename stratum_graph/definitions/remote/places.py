"""What the settings say about where scripts may come from."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What a `source.auth` names: a secret, and the hosts that it is shown to."""

    name: str
    hosts: tuple[str, ...]
    """Names, with a port if need be."""
    user: str = ""
    """User, or the id of an access key."""
    secret_file: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where scripts may come from."""

    hosts: frozenset[str] = frozenset()
    """Those that may be asked though they are on this machine or in a private network."""
    credentials: tuple[Credential, ...] = ()
    ca: str = ""
    """File with the certificates to believe; empty is the system's."""
    kept: Path | None = None
    """Content store with what was fetched before, beside the one that a load uses."""
    is_closed: bool = False
    """Whether nothing is fetched: whatever is used lies there already."""


NOWHERE = Places()
"""Nothing is listed: only the internet is left."""
