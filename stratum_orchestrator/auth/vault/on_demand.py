"""The OpenBao of a laptop, started when the first step asks for something."""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import anyio
from anyio.abc import TaskGroup

from stratum_orchestrator.auth.errors import AuthError
from stratum_orchestrator.auth.vault.dev import DevBroker, openbao_dev
from stratum_orchestrator.errors import CredentialsUnavailable
from stratum_orchestrator.ports import Claim, Grant


class OnDemand:
    """Enter it to be able to start the server; leaving ends the server."""

    provider = DevBroker.provider
    trouble = ""

    def __init__(self, folder: Path, values_file: Path | None) -> None:
        self._folder = folder
        self._values_file = values_file
        self._inner: DevBroker | None = None
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
            if self._inner is None:
                await self._tasks.start(self._serve)
            assert self._inner is not None  # noqa: S101 - set before it says that it started
            return self._inner

    async def _serve(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        try:
            async with openbao_dev(self._folder, self._values_file) as broker:
                self._inner = broker
                task_status.started()
                await anyio.sleep_forever()
        except AuthError as error:
            raise CredentialsUnavailable(str(error)) from None
