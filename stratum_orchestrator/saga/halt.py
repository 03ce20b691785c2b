"""Why a run stops going forward. Without a cause, a cancellation is the daemon's own end."""

import anyio


class Halt:
    """One for each run: the scope of its way forward, and the cause that closed it."""

    def __init__(self) -> None:
        self.scope = anyio.CancelScope()
        self.cause: str | None = None

    def because(self, cause: str) -> None:
        """Stop everything that is going forward; the first cause stays."""
        if self.cause is None:
            self.cause = cause
        self.scope.cancel()
