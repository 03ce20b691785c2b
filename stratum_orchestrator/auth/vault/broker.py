"""The adapter behind the `CredentialBroker` port for Vault-compatible servers."""

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TypeVar

import anyio
from anyio import CapacityLimiter, to_thread

from stratum_orchestrator.auth.vault.client import Api
from stratum_orchestrator.auth.vault.login import Session, Way
from stratum_orchestrator.errors import CredentialsDenied, CredentialsUnavailable
from stratum_orchestrator.ports import Claim, Grant

log = logging.getLogger(__name__)

T = TypeVar("T")

ROLE = "stratum-node-"
"""What the token role of a node is called, before the node's name."""
_CALLS_AT_A_TIME = 8
_CLOSING_S = 5


class VaultBroker:
    """Gives each process a child of our login's token; open it with `vault_broker`."""

    provider = "vault"

    def __init__(self, api: Api, way: Way, *, role_prefix: str = ROLE) -> None:
        self._api = api
        self._prefix = role_prefix
        self._session = Session(api, way)
        self._threads = CapacityLimiter(_CALLS_AT_A_TIME)
        self.trouble = ""
        """Why our login could not be looked after, the last time."""

    @property
    def login(self) -> str | None:
        return self._session.accessor

    async def grant(self, claim: Claim) -> Grant:
        role = f"{self._prefix}{claim.node}"

        def mint() -> Grant:
            token = self._session.use(
                lambda login: self._api.mint(login, role, claim), claim.lasts_s
            )
            lasts_s = token.lease_duration
            return Grant(
                accessor=token.accessor, policy=role, lasts_s=lasts_s, key=token.client_token
            )

        return await self.apart(mint)

    async def read(self, claim: Claim, grant: Grant) -> Mapping[str, str]:
        def read() -> Mapping[str, str]:
            login = self._session.lasting(0).client_token
            return self._api.read(login, grant.key, claim)

        return await self.apart(read)

    async def revoke(self, accessor: str) -> None:
        await self.apart(
            lambda: self._session.use(lambda login: self._api.revoke(login, accessor))
        )

    async def look_after_login(self) -> None:
        """Keep it alive until cancelled."""
        while True:
            try:
                await self.apart(self._session.renew)
                self.trouble = ""
            except (CredentialsDenied, CredentialsUnavailable) as trouble:
                if not self.trouble:
                    log.warning("no login at the vault", extra={"why": str(trouble)})
                self.trouble = str(trouble)
            await anyio.sleep(self._session.renews_in_s)

    async def close(self) -> None:
        """End our login, and with it what may be left of what it gave."""
        with anyio.move_on_after(_CLOSING_S, shield=True):
            try:
                await self.apart(self._session.end)
            except (CredentialsDenied, CredentialsUnavailable) as trouble:
                log.warning("login left to its end", extra={"why": str(trouble)})

    async def apart(self, do: Callable[[], T]) -> T:
        """Do it in a thread; one that has begun is never given up, so no token gets lost."""
        return await to_thread.run_sync(do, limiter=self._threads)


@asynccontextmanager
async def vault_broker(
    api: Api, way: Way, *, role_prefix: str = ROLE
) -> AsyncIterator[VaultBroker]:
    """Logged in for as long as it is open; a server that is away is asked again later.

    Raises CredentialsDenied when the server is there and does not let us in.
    """
    broker = VaultBroker(api, way, role_prefix=role_prefix)
    try:
        await broker.apart(broker._session.renew)  # noqa: SLF001 - its other half
    except CredentialsUnavailable as trouble:
        broker.trouble = str(trouble)
        log.warning("the vault is away", extra={"why": str(trouble)})
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(broker.look_after_login)
        try:
            yield broker
        finally:
            tasks.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await broker.close()
