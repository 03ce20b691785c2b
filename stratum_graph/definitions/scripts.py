"""Nushell scripts, checked by Nushell itself without running them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL
from typing import NamedTuple

import anyio
import msgspec
from msgspec import Struct

from stratum_graph.definitions.content import ContentStore, Tree
from stratum_graph.diagnostics import Diagnostic
from stratum_graph.model import Definition

_ENVIRONMENT: Mapping[str, str] = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "HOME": "/nonexistent",
}
_PROBLEMS = "20"
"""How many Nushell reports for a script."""
_DEADLINE_S = 20
_AT_ONCE = 2
_FEW, _MANY = 3, 100
"""So few are parsed one by one at once; so many by one process, to find out which are bad."""
_LIST = "STRATUM_SCRIPTS"
_WHICH_ARE_BAD = (
    f"$env.{_LIST} | lines | where {{|each| not (nu-check $each) }} | to json --raw"
)


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
    """What a complaint depends on."""

    tree: str
    path: str
    std_lib: bool


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
    return await ScriptChecker(content, nu).check(definitions)


class ScriptChecker:
    """Has scripts parsed again and again; those that did not change are not parsed again."""

    def __init__(self, content: ContentStore, nu: Nushell) -> None:
        self._content = content
        self._nu = nu
        self._known: dict[_Script, Sequence[Diagnostic]] = {}
        self._limiter = anyio.CapacityLimiter(_AT_ONCE)

    async def check(self, definitions: Sequence[Definition]) -> tuple[Diagnostic, ...]:
        """What `nu` complains of in the scripts that the definitions name."""
        named = dict.fromkeys(script for each in definitions for script in _scripts(each))
        self._known = {each: self._known[each] for each in named if each in self._known}
        await self._learn([each for each in named if each not in self._known])
        found = {
            msgspec.structs.replace(problem, file=_shown(each, script))
            for each in definitions
            for script in _scripts(each)
            for problem in self._known[script]
        }
        return tuple(sorted(found, key=lambda each: (each.file, each.line, each.column)))

    async def check_files(self, files: Tree) -> tuple[Diagnostic, ...]:
        """What `nu` complains of in all scripts among the files, whoever names them or not."""
        tree = await anyio.to_thread.run_sync(self._content.put_tree, files)
        names = [each for each in sorted(files) if each.endswith(".nu")]
        scripts = [_Script(tree=tree, path=each, std_lib=True) for each in names]
        await self._learn(scripts)
        return tuple(
            msgspec.structs.replace(problem, file=script.path)
            for script in scripts
            for problem in self._known[script]
        )

    async def _learn(self, scripts: Sequence[_Script]) -> None:
        suspects = scripts
        if len(scripts) > _FEW:
            bad = await self._suspects(scripts)
            self._known |= {each: () for each in scripts if each not in bad}
            suspects = [each for each in scripts if each in bad]
        async with anyio.create_task_group() as tasks:
            for each in suspects:
                tasks.start_soon(self._ask, each)

    async def _suspects(self, scripts: Sequence[_Script]) -> set[_Script]:
        """Those with something wrong, by parsing many in one process: that is much faster."""
        found: set[_Script] = set()

        async def sift(batch: Sequence[_Script]) -> None:
            async with self._limiter:
                found.update(await _sift(batch, self._content, self._nu))

        async with anyio.create_task_group() as tasks:
            for std_lib in (False, True):
                alike = [each for each in scripts if each.std_lib == std_lib]
                for start in range(0, len(alike), _MANY):
                    tasks.start_soon(sift, alike[start : start + _MANY])
        return found

    async def _ask(self, script: _Script) -> None:
        async with self._limiter:
            self._known[script] = await _check(script, self._content, self._nu)


def _scripts(definition: Definition) -> Iterator[_Script]:
    node = definition.node
    named = [node.handler.script, *([node.compensate.script] if node.compensate else [])]
    for path in named:
        yield _Script(definition.tree, path, node.handler.std_lib)


def _shown(definition: Definition, script: _Script) -> str:
    return (Path(definition.file).parent / script.path).as_posix()


async def _sift(
    scripts: Sequence[_Script], content: ContentStore, nu: Nushell
) -> Iterable[_Script]:
    """Those that may be bad; all of them when it cannot be told."""
    places = await anyio.to_thread.run_sync(
        lambda: {str(content.tree(each.tree) / each.path): each for each in scripts}
    )
    flags = ["--commands", _WHICH_ARE_BAD]
    try:
        named = {_LIST: "\n".join(places)}
        said = await _nushell(nu, flags, std_lib=scripts[0].std_lib, environment=named)
        return [places[bad] for bad in msgspec.json.decode(said or b"", type=list[str])]
    except (OSError, msgspec.DecodeError, KeyError):
        return scripts


async def _check(script: _Script, content: ContentStore, nu: Nushell) -> list[Diagnostic]:
    folder = await anyio.to_thread.run_sync(content.tree, script.tree)
    text = await anyio.Path(folder / script.path).read_bytes()
    flags = ["--ide-check", _PROBLEMS, script.path]
    said = await _nushell(nu, flags, std_lib=script.std_lib, folder=folder)
    if said is None:
        return [Diagnostic(file="", message=f"is not parsed within {_DEADLINE_S} s")]
    # The exit status is always zero: only the lines tell.
    return [
        _diagnostic(finding, text)
        for finding in map(_finding, said.splitlines())
        if finding.type == "diagnostic"
    ]


async def _nushell(
    nu: Nushell,
    flags: Sequence[str],
    *,
    std_lib: bool,
    folder: Path = Path("/"),
    environment: Mapping[str, str] = _ENVIRONMENT,
) -> bytes | None:
    """What it says; None when it takes too long."""
    library = [] if std_lib else ["--no-std-lib"]
    shared = ["--no-config-file", *library, "--include-path", str(nu.modules)]
    with anyio.move_on_after(_DEADLINE_S):
        answer = await anyio.run_process(
            [str(nu.program), *shared, *flags],
            stdin=DEVNULL,
            stderr=DEVNULL,
            check=False,
            cwd=folder,
            env={**_ENVIRONMENT, **environment},
        )
        return answer.stdout
    return None


def _finding(line: bytes) -> _Finding:
    try:
        return msgspec.json.decode(line, type=_Finding)
    except msgspec.DecodeError:
        return _Finding(type="unknown")


def _diagnostic(finding: _Finding, text: bytes) -> Diagnostic:
    before = text[: finding.span.start].decode(errors="replace")
    return Diagnostic(
        file="",
        line=before.count("\n") + 1,
        column=len(before) - (before.rfind("\n") + 1) + 1,
        message=finding.message,
        severity="warning" if finding.severity.lower() == "warning" else "error",
    )
