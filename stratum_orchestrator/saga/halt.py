"""Why a run stops going forward. Without a cause, a cancellation is the daemon's own end."""

import anyio


class Halt:
    """One for each run: the scope of its way forward, and the cause that closed it."""

    def __init__(self) -> None:
        self.cause: str | None = None
        self._scope = anyio.CancelScope()

    def begin(self) -> anyio.CancelScope:
        """The scope in which the run goes forward from now on."""
        self._scope = anyio.CancelScope()
        if self.cause is not None:
            self._scope.cancel()
        return self._scope

    def because(self, cause: str) -> None:
        """Stop everything that is going forward; the first cause stays."""
        if self.cause is None:
            self.cause = cause
        self._scope.cancel()
