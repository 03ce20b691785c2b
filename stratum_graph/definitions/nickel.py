"""Evaluates Nickel files under a contract: a value or a diagnostic for each of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec

from stratum_graph.definitions import jail, workers
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
    async with jail.laid_out(_files(material)) as place:
        job = workers.Job(
            units={name: _unit(name, contracts[name], material) for name in contracts},
            jail=place,
            paths=[place / "lib", *(place / "src" / root for root in material.roots)],
            limits=limits or EvaluationLimits(),
        )
        outcomes = await workers.evaluate(job)
    # Once for each contract: looking through the library's text takes milliseconds.
    sources = {each: _sources(material, each, place) for each in set(contracts.values())}
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


def _files(material: Material) -> Files:
    return {
        **{f"lib/{name}": content for name, content in material.library.items()},
        **{f"src/{name}": content for name, content in material.files.items()},
        "overrides.json": msgspec.json.encode(material.overrides),
    }


def _sources(material: Material, contract: Contract, place: Path) -> Sources:
    library, _ = _CONTRACTS[contract]
    return Sources(
        texts=material.files,
        folder=f"{place}/src/",
        fields=field_names(material.library[library].decode()),
        importable=frozenset({*material.files, "stratum.ncl"}),
    )
