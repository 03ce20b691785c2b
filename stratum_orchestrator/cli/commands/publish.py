"""`stratum publish`: checked, built, pushed, signed and accounted for."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import anyio
import click

from stratum_graph.definitions.distribution import provenance, pull, signature, verify
from stratum_graph.definitions.distribution.bundle import Subject
from stratum_graph.definitions.distribution.provenance import Circumstances
from stratum_graph.definitions.distribution.reference import Reference
from stratum_graph.definitions.distribution.shelf import Shelf
from stratum_orchestrator.cli.ink import Span
from stratum_orchestrator.cli.marks import sign
from stratum_orchestrator.cli.names import DEFAULT_KEY
from stratum_orchestrator.cli.options import Face, faced
from stratum_orchestrator.release import version

if TYPE_CHECKING:
    from platform_nats.nkey import UserKey
    from stratum_orchestrator.cli.gate import Checks, Passed
    from stratum_orchestrator.distribution.supply import Supply

_NOBODY = (
    "without principals: whoever pulls it keeps their own "
    "(definitions.principals names a file to publish)"
)


class Order(NamedTuple):
    """What is to be published, and how."""

    place: str
    key: "UserKey | None"
    checks: "Checks"
    dry_run: bool


@click.command()
@click.argument("place", metavar="[REFERENCE]", default="")
@click.option("--key", default=DEFAULT_KEY, show_default=True, help="Key that signs.")
@click.option("--unsigned", is_flag=True, help="Sign nothing: it is of use by digest only.")
@click.option("--test", "cases", is_flag=True, help="Play the cases of all nodes first.")
@click.option("--require-scanner", is_flag=True, help="Refuse to go on without gitleaks.")
@click.option("--dry-run", is_flag=True, help="Check everything and publish nothing.")
@faced
def publish(  # noqa: PLR0913 - one parameter for each option
    face: Face,
    place: str,
    key: str,
    *,
    unsigned: bool,
    cases: bool,
    require_scanner: bool,
    dry_run: bool,
) -> None:
    """Publish the project's definitions, library, policies and principals as one bundle.

    REFERENCE is `oci://REGISTRY/REPOSITORY:TAG` or `oci-layout:PATH:TAG`; without one it is
    the configured source. The same files always make the same digest. Principals are those of
    the file that definitions.principals names, never those that a home made for itself.
    """
    from stratum_orchestrator.cli import keyring
    from stratum_orchestrator.cli.gate import Checks

    signing = None if unsigned or dry_run else keyring.read(keyring.locate(face.home, key))
    checks = Checks(cases=cases, scanner=require_scanner)
    told = anyio.run(_publish, face, Order(place, signing, checks, dry_run))
    if not face.screen.for_people:
        face.screen.value(told)
        return
    verb = "would be published" if dry_run else "published"
    mark = sign("ok", unicode=face.screen.unicode)
    face.screen.line(mark, Span(f" {told['digest']} {verb}", "strong"))
    face.screen.fields({name: Span(str(value)) for name, value in told.items() if value})
    if not told["principals"]:
        face.screen.note(_NOBODY)


async def _publish(face: Face, order: Order) -> dict[str, object]:
    from stratum_orchestrator.cli import depot, gate
    from stratum_orchestrator.cli.workspace import workspace

    async with workspace(face) as place:
        supply = depot.supply(face, place)
        reference = depot.reference(supply, order.place)
        passed = await gate.pass_through(face, place, order.checks)
        if not order.dry_run:
            with depot.told():
                await anyio.to_thread.run_sync(_push, supply, reference, passed, order.key)
    return {
        "reference": str(reference),
        "digest": passed.parcel.digest,
        "generation": passed.generation,
        "principals": passed.principals or None,
        "files": passed.files,
        "bytes": passed.size,
        "signer": order.key.public if order.key else None,
        **{f"check {name}": how for name, how in passed.checks.items()},
    }


def _push(
    supply: "Supply", reference: Reference, passed: "Passed", key: "UserKey | None"
) -> None:
    """The tag last: whoever follows it finds everything there already."""
    shelf = supply.shelf(reference)
    shelf.put(passed.parcel)
    if key is not None:
        _attest(shelf, supply.repository(reference), passed, key)
    if reference.tag:
        shelf.put(passed.parcel, reference.tag)


def _attest(shelf: Shelf, repository: str, passed: "Passed", key: "UserKey") -> None:
    from stratum_orchestrator.cli import depot

    subject = Subject.of(passed.parcel)
    listing = verify.examine(passed.parcel.manifest, passed.parcel.digest)
    mine = depot.trust_in({key.public}, repository)
    # The same bundle may be published again, and after more checks.
    known = pull.accounted_by(shelf, listing, mine)
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    if known is None or known.checks != passed.checks:
        made = Circumstances(version=version(), created=now, checks=passed.checks)
        shelf.put(provenance.attest(listing, repository, key, made))
    if pull.signed_by(shelf, subject, mine) is None:
        shelf.put(signature.sign(subject, repository, key, now))
