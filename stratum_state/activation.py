"""Activations: which bundle of definitions is in force, who decided it, when and why."""

from dataclasses import dataclass
from enum import StrEnum

from stratum_state import newest_first


class ActivationKind(StrEnum):
    """How a bundle came into force."""

    CONFIGURED = "configured"
    """The settings name it, and nobody had activated anything of that source."""
    ACTIVATED = "activated"
    ROLLED_BACK = "rolled-back"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivationRecord:
    """One change of what is in force. The latest one of a source counts."""

    id: str
    source: str
    """As the settings name it."""
    digest: str
    """Of the bundle's manifest."""
    previous: str
    """Digest of what was in force before; empty at first."""
    generation: str
    """Digest of the graph that it compiles to."""
    signer: str
    """Public NKey of who signed it; empty where the digest was trusted."""
    kind: ActivationKind
    by: str
    reason: str
    authorization: str
    """Canonical JSON text: decision, policy ids, policy-set digest."""
    at: int


def activation_id(at: int, digest: str) -> str:
    """The activation's id: newest first."""
    return f"{newest_first.mark(at)}{digest.removeprefix('sha256:')[:12]}"
