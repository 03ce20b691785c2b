"""Something that is done to its end, whatever becomes of whoever waits for it."""

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import anyio
from anyio.abc import TaskGroup

from stratum_orchestrator.errors import Ending

T = TypeVar("T")


class Errand(Generic[T]):
    """A server may cancel whoever asked, in the middle of a write; the errand goes on."""

    def __init__(self, do: Callable[[], Awaitable[T]]) -> None:
        self._do = do
        self._over = anyio.Event()
        self._gave: list[T] = []
        self._error: Exception | None = None

    async def run(self, tasks: TaskGroup) -> T:
        """Do it as one of the tasks; what it gives or raises. Ending: they are cancelled."""
        if tasks.cancel_scope.cancel_called:
            raise Ending
        tasks.start_soon(self._run)
        await self._over.wait()
        if self._error is not None:
            raise self._error
        if not self._gave:
            raise Ending
        return self._gave[0]

    async def _run(self) -> None:
        try:
            self._gave.append(await self._do())
        except Exception as error:  # noqa: BLE001 - it belongs to whoever waits
            self._error = error
        finally:
            self._over.set()
