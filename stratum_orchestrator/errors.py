"""What can go wrong while events are taken in and runs are carried to their ends.

OrchestratorError
├── Refused         the event will never be acceptable; its verdict says why
├── NoRoom          the event opens more runs than may begin now; try again later
├── CredentialsDenied       a step does not get what it wants leased, now or later
├── CredentialsUnavailable  nobody knows now whether it does; try again later
├── BadReference    a node's `read` or `write` names what this event does not have
├── UnknownRun      there is no such run
├── Denied          the policies do not let an operator do that
├── BadGrant        a grant cannot be used, or nothing can be told about it
└── Impossible      the run is not where that could be done
"""


class OrchestratorError(Exception):
    """Base of what this package raises."""


class Refused(OrchestratorError):
    """The event will never be acceptable: do not try again."""

    def __init__(self, code: str, reason: str) -> None:
        """Keep the stable code of the verdict, and the reason with its remedy."""
        super().__init__(reason)
        self.code = code
        self.reason = reason


class NoRoom(OrchestratorError):
    """As many runs are under way as may be."""

    def __init__(self, runs: int, capacity: int) -> None:
        super().__init__(
            f"no room for {runs} more runs among the {capacity} that may be under way;"
            " raise `runs.capacity` if this lasts"
        )


class CredentialsDenied(OrchestratorError):
    """What a step wants leased is refused, and would be again."""


class CredentialsUnavailable(OrchestratorError):
    """Whoever lends cannot be asked now: sealed, away, or too slow."""


class BadReference(OrchestratorError):
    """A path that a node wants to touch cannot be told from the event."""

    def __init__(self, reference: str, why: str) -> None:
        super().__init__(f"`{reference}` {why}")
        self.reference = reference


class UnknownRun(OrchestratorError):
    """There is no such run."""

    def __init__(self, run: str) -> None:
        super().__init__(f"no run begins with {run}")
        self.run = run


class UnknownPipeline(OrchestratorError):
    """There is no such pipeline."""

    def __init__(self, pipeline: str) -> None:
        super().__init__(f"there is no pipeline {pipeline}")
        self.pipeline = pipeline


class Denied(OrchestratorError):
    """The policies do not let an operator do that."""

    def __init__(self, action: str, pipeline: str, why: str) -> None:
        super().__init__(f"{action} of {pipeline}: {why}")


class BadGrant(OrchestratorError):
    """A grant cannot be used, or nothing can be told about it."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Ending(OrchestratorError):
    """The daemon ends; whether something was done first is on record, or not."""

    def __init__(self) -> None:
        super().__init__("this daemon is ending, and may not have done it any more")


class Impossible(OrchestratorError):
    """The run is not where that could be done."""

    def __init__(self, code: str, why: str, remedy: str) -> None:
        """Keep a short stable word for programs, and what to do instead."""
        super().__init__(why)
        self.code = code
        self.remedy = remedy
