"""Nushell scripts, checked by Nushell itself without running them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL
from typing import NamedTuple

import anyio
import msgspec
from msgspec import Struct

from stratum_graph.definitions.content import ContentStore
from stratum_graph.diagnostics import Diagnostic
from stratum_graph.model import Definition

_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/nonexistent"}
_PROBLEMS = "20"
"""How many Nushell reports for a script."""
_DEADLINE_S = 20
_AT_ONCE = 2


class _Span(Struct, frozen=True):
    start: int
    end: int


class _Finding(Struct):
    """One line of `nu --ide-check`: a problem when `type` is `diagnostic`, else a hint."""

    type: str
    message: str = ""
    severity: str = ""
    span: _Span = _Span(0, 0)


class _Script(NamedTuple):
    tree: str
    path: str
    std_lib: bool
    shown: str


@dataclass(frozen=True, slots=True)
class Nushell:
    """What parses the scripts, as it will be called to run them."""

    program: Path
    modules: Path
    """Folder of the modules that every script can `use`."""


async def check_scripts(
    definitions: Sequence[Definition], *, content: ContentStore, nu: Nushell
) -> tuple[Diagnostic, ...]:
    """Have `nu` parse every script that the definitions name; return what it complains of."""
    found: list[Diagnostic] = []
    limiter = anyio.CapacityLimiter(_AT_ONCE)

    async def check(script: _Script) -> None:
        async with limiter:
            found.extend(await _check(script, content, nu))

    async with anyio.create_task_group() as tasks:
        for script in sorted(set(_scripts(definitions))):
            tasks.start_soon(check, script)
    return tuple(sorted(set(found), key=lambda each: (each.file, each.line, each.column)))


def _scripts(definitions: Sequence[Definition]) -> Iterator[_Script]:
    for each in definitions:
        node = each.node
        named = [node.handler.script, *([node.compensate.script] if node.compensate else [])]
        for path in named:
            shown = (Path(each.file).parent / path).as_posix()
            yield _Script(each.tree, path, node.handler.std_lib, shown)


async def _check(script: _Script, content: ContentStore, nu: Nushell) -> list[Diagnostic]:
    folder = await anyio.to_thread.run_sync(content.tree, script.tree)
    text = await anyio.Path(folder / script.path).read_bytes()
    library = [] if script.std_lib else ["--no-std-lib"]
    flags = ["--no-config-file", *library, "--include-path", str(nu.modules)]
    try:
        with anyio.fail_after(_DEADLINE_S):
            answer = await anyio.run_process(
                [str(nu.program), *flags, "--ide-check", _PROBLEMS, script.path],
                stdin=DEVNULL,
                stderr=DEVNULL,
                check=False,
                cwd=folder,
                env=_ENVIRONMENT,
            )
    except TimeoutError:
        return [Diagnostic(file=script.shown, message=f"is not parsed within {_DEADLINE_S} s")]
    # The exit status is always zero: only the lines tell.
    return [
        _diagnostic(finding, script.shown, text)
        for finding in map(_finding, answer.stdout.splitlines())
        if finding.type == "diagnostic"
    ]


def _finding(line: bytes) -> _Finding:
    try:
        return msgspec.json.decode(line, type=_Finding)
    except msgspec.DecodeError:
        return _Finding(type="unknown")


def _diagnostic(finding: _Finding, shown: str, text: bytes) -> Diagnostic:
    before = text[: finding.span.start].decode(errors="replace")
    return Diagnostic(
        file=shown,
        line=before.count("\n") + 1,
        column=len(before) - (before.rfind("\n") + 1) + 1,
        message=finding.message,
        severity="warning" if finding.severity.lower() == "warning" else "error",
    )
