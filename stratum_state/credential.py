"""What a process was lent: a receipt without any value. Times are Unix milliseconds."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal, Self

from stratum_state.errors import IllegalMove

Purpose = Literal["do", "undo"]


class CredentialStatus(StrEnum):
    """Where one lease is."""

    REQUESTED = "requested"
    ISSUED = "issued"
    REVOKED = "revoked"
    EXPIRED = "expired"
    VOID = "void"


CREDENTIAL_MOVES: Mapping[CredentialStatus, frozenset[CredentialStatus]] = {
    CredentialStatus.REQUESTED: frozenset({CredentialStatus.ISSUED, CredentialStatus.VOID}),
    CredentialStatus.ISSUED: frozenset({CredentialStatus.REVOKED, CredentialStatus.EXPIRED}),
    CredentialStatus.REVOKED: frozenset(),
    CredentialStatus.EXPIRED: frozenset(),
    CredentialStatus.VOID: frozenset(),
}
CREDENTIAL_BEGINNINGS = frozenset({CredentialStatus.REQUESTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialLease:
    """What one process of a run was lent, by whom, and when that ended."""

    run: str
    node: str
    stage: int
    attempt: int
    purpose: Purpose
    """Whether the process does the step or undoes it."""
    names: tuple[str, ...]
    """Of the credentials, as the node declares them."""
    provider: str
    lasts: int
    """For how long it was asked for, in milliseconds."""
    status: CredentialStatus = CredentialStatus.REQUESTED
    requested: int
    login: str | None = None
    """The accessor of the daemon's login: what was given under it ends with it."""
    accessor: str | None = None
    """By which it can be ended, and nothing else."""
    policy: str | None = None
    """What the provider calls the rights that it gave."""
    issued: int | None = None
    expires: int | None = None
    """When it ends by itself."""
    ended: int | None = None
    detail: str | None = None
    """Why nothing came of it, or how it ended other than in the course of its step."""

    def to(self, status: CredentialStatus, **facts: object) -> Self:
        """The lease after a legal move, with the facts that come with it; else IllegalMove."""
        if status not in CREDENTIAL_MOVES[self.status]:
            what = f"credential {self.run}/{self.node}"
            raise IllegalMove(what, self.status, status)
        return replace(self, status=status, **facts)  # type: ignore[arg-type]

    @property
    def is_over(self) -> bool:
        """Whether nothing is left that somebody could use."""
        return not CREDENTIAL_MOVES[self.status]
