"""The OpenBao of a laptop: started when the first step asks for something, and kept up."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import anyio
from anyio.abc import TaskGroup, TaskStatus

from stratum_orchestrator.auth.errors import AuthError
from stratum_orchestrator.auth.vault.dev import DevBroker, Supply, openbao_dev, supply
from stratum_orchestrator.errors import CredentialsDenied, CredentialsUnavailable
from stratum_orchestrator.ports import Claim, Grant

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_SOUND_S = 60.0  # one that lived that long has earned a quick start

log = logging.getLogger(__name__)


class OnDemand:
    """Enter it to be able to start the server; leaving ends the server.

    A server that ends by itself is started again, and made ready anew for each node that asks:
    what it had given ended with it. Whoever asks meanwhile is told that it is away.
    """

    provider = DevBroker.provider

    def __init__(self, folder: Path, values_file: Path | None) -> None:
        self._folder = folder
        self._values_file = values_file
        self._inner: DevBroker | None = None
        self._trouble = ""
        self._is_begun = False
        self._turn = anyio.Lock()
        self._tasks: TaskGroup

    async def __aenter__(self) -> Self:
        self._tasks = await anyio.create_task_group().__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        self._tasks.cancel_scope.cancel()
        return await self._tasks.__aexit__(kind, error, trace)

    @property
    def login(self) -> str | None:
        return self._inner.login if self._inner else None

    @property
    def trouble(self) -> str:
        """Why nothing can be lent now; empty when something can."""
        return self._trouble or (self._inner.trouble if self._inner else "")

    async def grant(self, claim: Claim) -> Grant:
        return await (await self._started()).grant(claim)

    async def read(self, claim: Claim, grant: Grant) -> Mapping[str, str]:
        return await (await self._started()).read(claim, grant)

    async def revoke(self, accessor: str) -> None:
        """What an earlier server gave ended with it."""
        if self._inner is not None:
            await self._inner.revoke(accessor)

    async def _started(self) -> DevBroker:
        async with self._turn:
            if not self._is_begun:
                await self._tasks.start(self._keep)
                self._is_begun = True
        if self._inner is None:
            raise CredentialsUnavailable(self._trouble)
        return self._inner

    async def _keep(self, *, task_status: TaskStatus[None]) -> None:
        """Serve until cancelled; one that ends is started again, less and less often."""
        try:
            values = supply(self._values_file)
            lived_s = await self._serve(values, task_status.started)
        except AuthError as error:
            raise CredentialsUnavailable(str(error)) from None
        pause_s = _FIRST_PAUSE_S
        while True:
            pause_s = _FIRST_PAUSE_S if lived_s > _SOUND_S else pause_s
            await anyio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            try:
                lived_s = await self._serve(values, self._recovered)
            except (AuthError, CredentialsDenied, OSError) as error:
                lived_s, self._trouble = 0.0, str(error)
                log.warning("openbao not started again", extra={"why": str(error)})

    async def _serve(self, values: Supply, told: Callable[[], None]) -> float:
        """Until the server ends by itself; how long it lived, in seconds."""
        began = anyio.current_time()
        async with openbao_dev(self._folder, values) as broker:
            self._inner, self._trouble = broker, ""
            told()
            code = await broker.ended()
            self._inner = None
            self._trouble = f"OpenBao has ended (exit code {code}) and is started again"
            log.warning("openbao ended", extra={"code": code, "log": str(self._folder)})
        return anyio.current_time() - began

    def _recovered(self) -> None:
        log.warning("openbao runs again", extra={"log": str(self._folder)})
