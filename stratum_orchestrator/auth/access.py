"""The folder in which commands keep who has access: principals, tokens, grants."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from stratum_orchestrator.auth import grants, roster, tokens
from stratum_orchestrator.auth.register import Register


@dataclass(frozen=True, slots=True)
class Access:
    """Its registers. Instances that share the folder share what is in them."""

    principals: Register[roster.Roster]
    tokens: Register[tokens.Tokens]
    grants: Register[grants.Kept]

    @classmethod
    def at(cls, folder: Path) -> Self:
        return cls(
            principals=Register(folder / roster.FILE, roster.Roster),
            tokens=Register(folder / tokens.FILE, tokens.Tokens),
            grants=Register(folder / grants.FILE, grants.Kept),
        )
