"""A provider in memory that can be sealed, deny, and lose answers."""

from collections.abc import Mapping

import anyio.lowlevel

from stratum_orchestrator.errors import CredentialsDenied, CredentialsUnavailable
from stratum_orchestrator.ports import Claim, Grant


class ScriptedBroker:
    """Knows what is alive, so that tests can see what was left behind."""

    provider = "vault"

    def __init__(self, login: str | None = "login-1") -> None:
        self.login = login
        self.alive: dict[str, str] = {}
        """Accessor to the node that has it."""
        self.granted: list[Claim] = []
        self.revoked: list[str] = []
        self.is_sealed = False
        self.is_forgetful = False
        """Whether it does not take back what it gave."""
        self.denies = ""
        self.caps_at_s: float | None = None

    async def grant(self, claim: Claim) -> Grant:
        await self._answer()
        if self.denies == claim.node:
            message = f"unknown role {claim.node}"
            raise CredentialsDenied(message)
        self.granted.append(claim)
        accessor = f"accessor-{len(self.granted)}"
        self.alive[accessor] = claim.node
        lasts_s = claim.lasts_s if self.caps_at_s is None else self.caps_at_s
        return Grant(accessor=accessor, policy="role", lasts_s=lasts_s, key="t0ken")

    async def read(self, claim: Claim, grant: Grant) -> Mapping[str, str]:
        await self._answer()
        if grant.accessor not in self.alive:
            message = "permission denied"
            raise CredentialsDenied(message)
        return {each.env: f"value of {each.name}" for each in claim.credentials}

    async def revoke(self, accessor: str) -> None:
        await self._answer()
        if self.is_forgetful:
            message = "too slow"
            raise CredentialsUnavailable(message)
        self.revoked.append(accessor)
        self.alive.pop(accessor, None)
        if accessor.startswith("login-"):
            self.alive.clear()

    async def _answer(self) -> None:
        await anyio.lowlevel.checkpoint()
        if self.is_sealed:
            message = "sealed"
            raise CredentialsUnavailable(message)
