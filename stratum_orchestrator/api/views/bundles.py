"""Bundles of definitions, and what brought them into force."""

from stratum_orchestrator.api.desk import Change, Version
from stratum_orchestrator.api.views.ground import View, decoded, iso
from stratum_state.activation import ActivationRecord


def version(found: Version) -> View:
    """A bundle that is or was in force."""
    return {
        "digest": found.digest,
        "generation": found.generation,
        "signer": found.signer or None,
        "activated": iso(found.activated),
        "by": found.by,
        "active": found.is_active,
        "cached": found.is_cached,
        "live_runs": found.live_runs,
        "runs": list(found.runs),
    }


def change(found: Change) -> View:
    """One file that differs between two bundles."""
    return {
        "change": found.kind,
        "file": found.file,
        "lines": list(found.lines),
        "cut": found.is_cut,
    }


def activation(record: ActivationRecord) -> View:
    """One change of the bundle in force."""
    return {
        "id": record.id,
        "source": record.source,
        "digest": record.digest,
        "previous": record.previous or None,
        "generation": record.generation,
        "signer": record.signer or None,
        "kind": record.kind.value,
        "by": record.by,
        "reason": record.reason,
        "authorization": decoded(record.authorization),
        "at": iso(record.at),
    }
