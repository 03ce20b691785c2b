"""What is wrong with a definition, said so that its author can mend it."""

from collections.abc import Callable
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

Severity = Literal["error", "warning"]


class Diagnostic(Struct, frozen=True, kw_only=True):
    """One finding: the place, the message and the remedy."""

    file: str
    line: int = 1
    column: int = 1
    message: str
    hint: str = ""
    severity: Severity = "error"
    there: str = ""
    """Another file that the message names."""

    def placed(self, name: Callable[[str], str]) -> "Diagnostic":
        """The finding with each file as somebody else calls it."""
        there = name(self.there) if self.there else ""
        message = (
            self.message.replace(f"{self.there}:", f"{there}:", 1) if there else self.message
        )
        return replace(self, file=name(self.file), message=message, there=there)

    def __str__(self) -> str:
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.file}:{self.line}:{self.column}: {self.message}{hint}"
