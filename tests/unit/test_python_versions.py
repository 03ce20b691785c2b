"""What differs between the versions of Python that the product runs on."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("platform_nats", "stratum_graph", "stratum_orchestrator", "stratum_state")


def test_nothing_new_is_raised_among_groups() -> None:
    """Until 3.11.4, what `except*` raises comes out in a group, which nobody expects."""
    files = [file for each in PACKAGES for file in (ROOT / each).rglob("*.py")]

    assert files
    assert [f"{file}:{line}" for file in files for line in raised_anew(file)] == []


def raised_anew(file: Path) -> Iterator[int]:
    """The lines below an `except*` that raise something other than what came."""
    for statement in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(statement, ast.TryStar):
            for handler in statement.handlers:
                for each in ast.walk(handler):
                    if isinstance(each, ast.Raise) and each.exc is not None:
                        yield each.lineno
