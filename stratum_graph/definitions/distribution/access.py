"""How a registry is reached. Apart from the transport, which takes long to import."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How a registry is reached."""

    user: str = ""
    password: str = field(default="", repr=False)
    ca: str = ""
    """File with the certificates to believe; empty is the system's."""
    plain_http: bool = False
    """Also to machines other than this one."""
    answer_s: float = 30
    """How long it may be silent."""
    body_s: float = 120
    """How long one answer may take in all."""
    whole_s: float = 0
    """How long one question may take with all its tries; 0 is as long as they can take."""
