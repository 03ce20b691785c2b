"""Evaluates Nickel files under a contract: a value or a diagnostic for each of them."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import anyio
import msgspec

from stratum_graph.definitions import author, workers
from stratum_graph.definitions.messages import Sources, diagnose, field_names
from stratum_graph.definitions.snapshot import Files
from stratum_graph.definitions.workers import EvaluationLimits, Failed, Stopped
from stratum_graph.diagnostics import Diagnostic

Contract = Literal["node", "offer", "principals", "config"]
"""`offer` is for a file that others import: it may be a node, and may be anything else."""

_CONTRACTS: Mapping[Contract, tuple[str, str]] = {
    "node": ("node.ncl", "({file}) | contract.Nodes"),
    "offer": ("node.ncl", "contract.offered ({file})"),
    "principals": ("principals.ncl", "({file}) | contract.Principals"),
    "config": ("config.ncl", "({file}) | contract.Config"),
}
"""File of the library that holds the contract, and how it is applied."""
_DEADLINE_S = 30
JAIL = "stratum-evaluation-"
"""What the names of temporary folders begin with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Everything that an evaluation may read."""

    files: Files
    """By paths that are made of letters, digits, `.`, `_`, `-` and `/`."""
    library: Files
    roots: tuple[str, ...] = ("",)
    """Prefixes of paths below which imports are looked up, after the file's own folder."""
    overrides: Mapping[str, object] = field(default_factory=dict)
    """Dotted field to value: put over what the file says. Never name one by data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """What a file came to."""

    value: object = None
    diagnostics: tuple[Diagnostic, ...] = ()
    settled: bool = True
    """Whether the same bytes would come to the same."""


async def evaluate(
    material: Material,
    contracts: Mapping[str, Contract],
    limits: EvaluationLimits | None = None,
) -> Mapping[str, Evaluated]:
    """Evaluate each named file of `material` under its contract.

    Raises EvaluationFailed when no worker starts. A bad file never does that.
    """
    if not contracts:
        return {}
    async with _jail(material) as jail:
        job = workers.Job(
            units={name: _unit(name, contracts[name], material) for name in contracts},
            jail=jail,
            paths=[jail / "lib", *(jail / "src" / root for root in material.roots)],
            limits=limits or EvaluationLimits(),
        )
        outcomes = await workers.evaluate(job)
    # Once for each contract: looking through the library's text takes milliseconds.
    sources = {each: _sources(material, each, jail) for each in set(contracts.values())}
    return {
        name: _judge(name, outcomes[name], sources[contract])
        for name, contract in contracts.items()
    }


def _judge(name: str, outcome: object, sources: Sources) -> Evaluated:
    match outcome:
        case Failed(error):
            return Evaluated(diagnostics=(diagnose(error, name, sources),))
        case Stopped(why, settled):
            problem = Diagnostic(
                file=name, message=why, hint="a definition is data that is quickly computed"
            )
            return Evaluated(diagnostics=(problem,), settled=settled)
        case _:
            return Evaluated(value=outcome)


def _unit(name: str, contract: Contract, material: Material) -> str:
    """Write the expression for one file: only names that were checked become Nickel text."""
    library, applied = _CONTRACTS[contract]
    file = f'import "src/{name}"'
    if material.overrides:
        changes = ", ".join(
            f'{path} | force = (import "overrides.json")."{path}"'
            for path in material.overrides
        )
        file = f"({file}) & {{ {changes} }}"
    return f'let contract = import "lib/{library}" in {applied.format(file=file)}'


def _sources(material: Material, contract: Contract, jail: Path) -> Sources:
    library, _ = _CONTRACTS[contract]
    return Sources(
        texts=material.files,
        folder=f"{jail}/src/",
        fields=field_names(material.library[library].decode()),
        importable=frozenset({*material.files, "stratum.ncl"}),
    )


@asynccontextmanager
async def _jail(material: Material) -> AsyncIterator[Path]:
    """Lay the material out in a folder of its own, for as long as it is needed."""
    jail = await anyio.to_thread.run_sync(_lay_out, material)
    try:
        yield jail
    finally:
        with anyio.move_on_after(_DEADLINE_S, shield=True):
            await anyio.to_thread.run_sync(shutil.rmtree, jail)


def clear_jails() -> int:
    """Remove what evaluations of killed processes left; how much that is."""
    return author.clear(Path(tempfile.gettempdir()), JAIL)


def _lay_out(material: Material) -> Path:
    jail = Path(tempfile.mkdtemp(prefix=f"{JAIL}{author.tag()}-")).resolve()
    for folder, files in (("lib", material.library), ("src", material.files)):
        (jail / folder).mkdir()
        for parent in {name.rpartition("/")[0] for name in files}:
            (jail / folder / parent).mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (jail / folder / name).write_bytes(content)
    (jail / "overrides.json").write_bytes(msgspec.json.encode(material.overrides))
    return jail
