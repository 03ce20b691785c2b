"""What can go wrong with policies.

AuthError
├── BadPolicies       the set does not load; every fault, with its file and line
└── UnusableContext   a decision was asked for with a context that the schema does not know
"""

from collections.abc import Sequence

from stratum_graph.diagnostics import Diagnostic


class AuthError(Exception):
    """Authorization cannot be decided as asked."""


class BadPolicies(AuthError):
    """A set of policies that does not load."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        super().__init__("\n".join(map(str, diagnostics)))
        self.diagnostics = tuple(diagnostics)


class UnusableContext(AuthError):
    """A declared key of the context has a value of the wrong kind."""

    def __init__(self, key: str, wanted: str, given: object) -> None:
        super().__init__(
            f"context `{key}` must be of type {wanted}, not {type(given).__name__}"
        )
        self.key = key
