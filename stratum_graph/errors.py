"""What can go wrong with definitions apart from what their authors can mend.

GraphError
├── EvaluationFailed   the evaluator itself does not work
├── UnknownContent     the content store lacks what a digest names
├── DigestMismatch     stored bytes are not those that their digest names
├── UnsafePath         a file would be kept outside its folder
├── BadReference       a source of definitions is named in no known way
└── DistributionError  a published bundle cannot be had
    ├── Untrusted            it fails a check: it never loads
    ├── NotPublished         nothing is there under that name
    ├── RegistryDenied       the registry does not let us
    └── RegistryUnavailable  the registry does not answer: try again later

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


class BadReference(GraphError):
    """A source is named in a way that means nothing."""

    def __init__(self, text: str, why: str) -> None:
        super().__init__(
            f"`{text}` names no source: {why}; write `dir:PATH`, `oci-layout:PATH:TAG`, "
            "`oci://REGISTRY/REPOSITORY:TAG` or `…@sha256:DIGEST`"
        )


class DistributionError(GraphError):
    """A bundle cannot be had from where it should be."""


class Untrusted(DistributionError):
    """A bundle fails a check, so nothing of it is used."""

    def __init__(self, what: str, check: str, why: str) -> None:
        """`check` is a few stable words; `why` says what was found."""
        super().__init__(f"{what} is refused by the check of its {check}: {why}")
        self.check = check
        self.why = why


class NotPublished(DistributionError):
    """There is no such tag, manifest or blob."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is not there: publish it, or name another tag or digest")


class RegistryDenied(DistributionError):
    """The registry refuses us."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"{what} is denied ({why}): see registry.user and its password file")


class RegistryUnavailable(DistributionError):
    """The registry is away, or does not answer in time."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"{what} cannot be had now: {why}")
