"""What can go wrong between a program and the daemon.

ApiError
├── Unreachable     nobody answers there: try again later
├── Refused         the daemon says no, why, and what helps
├── Garbled         the answer is not what this version expects
└── StillGoing      the time is up, and the run goes on
"""


class ApiError(Exception):
    """The root of these errors."""


class Unreachable(ApiError):
    """No daemon answers at the address."""

    def __init__(self, address: str, why: str) -> None:
        super().__init__(f"no daemon answers at {address}: {why}")
        self.address = address
        self.why = why


class Refused(ApiError):
    """The daemon answered with a problem (RFC 9457)."""

    def __init__(self, status: int, code: str, detail: str, remedy: str) -> None:
        said = detail or f"the daemon answered {status}"
        super().__init__(f"{said} ({remedy})" if remedy else said)
        self.status = status
        self.code = code
        """A stable word for programs, such as `unknown-run`."""
        self.detail = said
        self.remedy = remedy


class Garbled(ApiError):
    """What was answered cannot be read."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the daemon's answer cannot be read: {why}")
        self.why = why


class StillGoing(ApiError):
    """Whoever waited has waited long enough."""

    def __init__(self, run: str, within_s: float) -> None:
        super().__init__(f"run {run} has not ended within {within_s:g} s")
        self.run = run
