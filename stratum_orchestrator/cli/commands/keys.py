"""`stratum keys`: make, show, change and revoke keys."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from stratum_graph.model import FurtherKey
from stratum_orchestrator.cli.ink import Span
from stratum_orchestrator.cli.lifetime import Lifetime
from stratum_orchestrator.cli.names import DEFAULT_KEY
from stratum_orchestrator.cli.options import Face, faced


@click.group()
def keys() -> None:
    """Make, show, change and revoke keys. A key file holds a seed: as secret as a password."""


@keys.command()
@click.argument("name", default=DEFAULT_KEY)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where the seed goes.  [default: keys/NAME.nk in the home]",
)
@click.option("--show-seed", is_flag=True, help="Print the seed too. Mind who looks.")
@faced
def new(face: Face, name: str, out: Path | None, *, show_seed: bool) -> None:
    """Make a key NAME; its seed goes to a file, its public key is printed."""
    from platform_nats.nkey import UserKey
    from stratum_orchestrator.cli import keyring

    file = out or keyring.locate(face.home, name)
    key = UserKey.generate()
    keyring.write(file, key)
    told = {"name": file.stem, "public": key.public, "file": str(file)}
    if show_seed:
        told["seed"] = key.seed()
    if not face.screen.for_people:
        face.screen.value(told)
        return
    face.screen.fields(dict(told))
    face.screen.note(
        f"let it publish: stratum principals add {file.stem} --key {key.public} "
        "--group publishers"
    )


@keys.command()
@click.argument("file", default=DEFAULT_KEY)
@click.option("--show-seed", is_flag=True, help="Print the seed too. Mind who looks.")
@faced
def show(face: Face, file: str, *, show_seed: bool) -> None:
    """Show the public key of FILE, a path or a name in the home's `keys` folder."""
    from stratum_orchestrator.cli import keyring

    place = keyring.locate(face.home, file)
    key = keyring.read(place)
    told = {"name": place.stem, "public": key.public, "file": str(place)}
    if show_seed:
        told["seed"] = key.seed()
    if face.screen.for_people:
        face.screen.fields({name: Span(value) for name, value in told.items()})
    else:
        face.screen.value(told)


@keys.command()
@click.argument("name")
@click.option(
    "--overlap",
    "overlap_s",
    type=Lifetime(),
    default="7d",
    show_default=True,
    metavar="DURATION",
    help="How long the former key counts, too.",
)
@faced
def rotate(face: Face, name: str, overlap_s: float) -> None:
    """Give the principal NAME a new key; for a while the former one counts, too.

    The new seed is in keys/NAME.nk of the home, the former one beside it under its public key.
    """
    from platform_nats.nkey import UserKey
    from stratum_orchestrator.auth.roster import Change
    from stratum_orchestrator.cli import keyring
    from stratum_orchestrator.cli.people import change, people_of, telling

    people = people_of(face)
    who = people.of(name)
    file, fresh = keyring.locate(face.home, who.name), UserKey.generate()
    coming = file.with_name(f"{who.name}.next{keyring.SUFFIX}")
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=overlap_s)
    former = FurtherKey(key=who.key, not_after=until)
    keyring.write(coming, fresh)
    with telling():
        change(face, people, Change(name=who.name, key=fresh.public, keys=(*who.keys, former)))
    if file.exists():
        file.rename(file.with_name(f"{who.key}{keyring.SUFFIX}"))
    coming.rename(file)
    told = {"name": who.name, "public": fresh.public, "file": str(file)}
    told |= {"former": who.key, "former_until": until.isoformat().replace("+00:00", "Z")}
    _tell(face, told)


@keys.command()
@click.argument("public", metavar="U…")
@faced
def revoke(face: Face, public: str) -> None:
    """Let the key U… never count again, whenever it signed; its connections end.

    Rotate first where it is a principal's only key.
    """
    from stratum_orchestrator.auth.roster import Change
    from stratum_orchestrator.cli.people import NoPrincipal, change, people_of, telling

    people = people_of(face)
    who = people.by_key.get(public)
    if who is None:
        raise NoPrincipal(public, [each.key for each in people.everybody])
    left = tuple(each for each in who.keys if each.key != public)
    with telling():
        gone = tuple(dict.fromkeys((*who.revoked, public)))
        change(face, people, Change(name=who.name, keys=left, revoked=gone))
    told = {"name": who.name, "revoked": public}
    if public == who.key:
        face.screen.note(f"{who.name} has no other key: `stratum keys rotate {who.name}`")
    _tell(face, told)


def _tell(face: Face, told: Mapping[str, str]) -> None:
    if face.screen.for_people:
        face.screen.fields(dict(told))
    else:
        face.screen.value(told)
