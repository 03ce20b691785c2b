"""What can go wrong with definitions apart from what their authors can mend.

GraphError
├── EvaluationFailed   the evaluator itself does not work
├── UnknownContent     the content store lacks what a digest names
├── DigestMismatch     stored bytes are not those that their digest names
└── UnsafePath         a file would be kept outside its folder

What an author can mend is never raised: it is a `Diagnostic`.
"""


class GraphError(Exception):
    """Base of everything that this package raises."""


class EvaluationFailed(GraphError):
    """The evaluator does not work, whatever the file."""

    def __init__(self, why: str) -> None:
        super().__init__(f"definitions cannot be evaluated: {why}")


class UnknownContent(GraphError):
    """Nothing is stored under this digest."""

    def __init__(self, digest: str) -> None:
        super().__init__(f"no content is stored under {digest}: load its definitions again")
        self.digest = digest


class DigestMismatch(GraphError):
    """Bytes were altered since they were stored."""

    def __init__(self, expected: str, found: str, place: str) -> None:
        super().__init__(
            f"{place} should have the digest {expected} and has {found}: "
            "it was altered or damaged; remove it and load the definitions again"
        )
        self.expected = expected
        self.found = found


class UnsafePath(GraphError):
    """A path does not stay below its folder."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path!r} is not a relative path below a folder")
