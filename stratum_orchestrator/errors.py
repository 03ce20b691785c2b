"""What can go wrong while events are taken in and runs are carried to their ends.

OrchestratorError
├── Refused         the event will never be acceptable; its verdict says why
└── BadReference    a node's `read` or `write` names what this event does not have
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


class BadReference(OrchestratorError):
    """A path that a node wants to touch cannot be told from the event."""

    def __init__(self, reference: str, why: str) -> None:
        super().__init__(f"`{reference}` {why}")
        self.reference = reference
