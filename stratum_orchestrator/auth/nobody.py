"""The provider that lends nothing, and says what would."""

from collections.abc import Mapping

from stratum_orchestrator.errors import CredentialsDenied
from stratum_orchestrator.ports import Claim, Grant


class NoBroker:
    """Refuses every claim."""

    provider = "none"
    login: str | None = None

    def __init__(self, remedy: str) -> None:
        self._remedy = remedy

    async def grant(self, claim: Claim) -> Grant:
        message = f"`{claim.node}` declares credentials: {self._remedy}"
        raise CredentialsDenied(message)

    async def read(self, claim: Claim, grant: Grant) -> Mapping[str, str]:
        del claim, grant
        raise CredentialsDenied(self._remedy)

    async def revoke(self, accessor: str) -> None:
        """Of another provider's time: nobody here can end it."""
        del accessor
        raise CredentialsDenied(self._remedy)
