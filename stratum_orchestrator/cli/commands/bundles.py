"""`stratum pull`, `stratum verify` and `stratum diff`: bundles, without a daemon."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import anyio
import click

from stratum_graph.definitions.distribution import pull as fetching
from stratum_graph.definitions.distribution.layout import Layout
from stratum_graph.definitions.distribution.pull import Verified
from stratum_graph.definitions.distribution.reference import Reference
from stratum_orchestrator.cli.exits import Exit
from stratum_orchestrator.cli.ink import Span
from stratum_orchestrator.cli.marks import sign
from stratum_orchestrator.cli.options import Face, faced
from stratum_orchestrator.distribution.difference import changes

if TYPE_CHECKING:
    from stratum_orchestrator.distribution.supply import Supply

_SIGNER = click.option(
    "--signer",
    "signers",
    multiple=True,
    metavar="KEY",
    help="Public key to trust instead of definitions.signers.",
)
_PROVENANCE = click.option(
    "--require-provenance",
    "accounted",
    is_flag=True,
    help="Refuse a bundle of which no trusted key says how it was made.",
)


@click.command()
@click.argument("place", metavar="[REFERENCE]", default="")
@_SIGNER
@_PROVENANCE
@click.option(
    "--to",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Image-layout directory to keep it in.  [default: the home's cache]",
)
@faced
def pull(
    face: Face, place: str, signers: tuple[str, ...], folder: Path | None, *, accounted: bool
) -> None:
    """Fetch a bundle, make every check, and keep it with its signature and provenance.

    REFERENCE is a tag or digest of the configured source, or a whole reference.
    """

    def keep(supply: "Supply", reference: Reference, found: Verified) -> None:
        if folder is None:
            supply.keep(found, reference)
            return
        whole, *proofs = found.parcels
        shelf = Layout(folder.absolute())
        for each in proofs:
            shelf.put(each)
        shelf.put(whole, reference.tag)

    _told(face, anyio.run(_fetched, face, place, Demand(signers, accounted), keep))


@click.command()
@click.argument("place", metavar="[REFERENCE]", default="")
@_SIGNER
@_PROVENANCE
@faced
def verify(face: Face, place: str, signers: tuple[str, ...], *, accounted: bool) -> None:
    """Make every check of a bundle and keep nothing; a failed one ends with exit code 4."""
    _told(face, anyio.run(_fetched, face, place, Demand(signers, accounted), None))


@click.command()
@click.argument("old")
@click.argument("new")
@_SIGNER
@click.option("--content", is_flag=True, help="Show the lines that differ, too.")
@faced
def diff(face: Face, old: str, new: str, signers: tuple[str, ...], *, content: bool) -> None:
    """Show which files differ between the bundles OLD and NEW; exit code 1 if any does."""
    before = anyio.run(_fetched, face, old, Demand(signers), None)
    after = anyio.run(_fetched, face, new, Demand(signers), None)
    found = list(changes(before.files, after.files))
    if face.screen.for_people:
        for each in found:
            face.screen.line(Span(f"{each.kind:8}", "strong"), Span(each.file))
            if content:
                face.screen.lines([Span(line)] for line in each.lines)
        if not found:
            face.screen.line(sign("ok", unicode=face.screen.unicode), Span(" nothing differs"))
    else:
        face.screen.values([{"change": each.kind, "file": each.file} for each in found])
    if found:
        raise SystemExit(Exit.FAILED)


Keep = Callable[["Supply", "Reference", "Verified"], None]


class Demand(NamedTuple):
    """What has to be proved beside what the settings say."""

    signers: tuple[str, ...]
    accounted: bool = False


async def _fetched(face: Face, given: str, demand: Demand, keep: Keep | None) -> Verified:
    from stratum_orchestrator.cli import depot
    from stratum_orchestrator.cli.workspace import workspace

    depot.public_keys(demand.signers)
    async with workspace(face) as place:
        supply = depot.supply(face, place)
        reference = depot.reference(supply, given)
        with depot.told():
            fetch = partial(_fetch, supply, reference, demand)
            found = await anyio.to_thread.run_sync(fetch)
            if keep is not None:
                await anyio.to_thread.run_sync(keep, supply, reference, found)
    return found


def _fetch(supply: "Supply", reference: Reference, demand: Demand) -> Verified:
    trust = supply.trust(reference, demand.signers)
    if demand.accounted:
        trust = replace(trust, provenance="required")
    return fetching.fetch(supply.shelf(reference), reference.wanted, trust, known=supply.cache)


def _told(face: Face, found: Verified) -> None:
    told: dict[str, object] = {
        "digest": found.digest,
        "signer": found.signed.signer if found.signed else None,
        "signed": found.signed.created if found.signed else None,
        "provenance": found.account._asdict() if found.account else None,
        "generation": found.listing.generation,
        "files": len(found.files),
        "bytes": sum(map(len, found.files.values())),
    }
    if not face.screen.for_people:
        face.screen.value(told)
        return
    mark = sign("ok", unicode=face.screen.unicode)
    face.screen.line(mark, Span(" every check passed", "good"))
    told["provenance"] = _accounted(found)
    face.screen.fields({name: Span(str(value)) for name, value in told.items() if value})


def _accounted(found: Verified) -> str:
    """How it was made, in one line, or why nobody says so."""
    account = found.account
    if account is None:
        return f"none: {found.unaccounted}"
    checks = ", ".join(f"{name} {how}" for name, how in account.checks.items())
    return f"{account.builder}, {account.created}, by {account.maker}; checks: {checks}"
