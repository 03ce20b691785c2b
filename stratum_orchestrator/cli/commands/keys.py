"""`stratum keys`: make and show publisher keys."""

from pathlib import Path

import click

from platform_nats.nkey import UserKey
from stratum_orchestrator.cli import keyring
from stratum_orchestrator.cli.ink import Span
from stratum_orchestrator.cli.options import Face, faced


@click.group()
def keys() -> None:
    """Make and show publisher keys. A key file holds a seed: it is as secret as a password."""


@keys.command()
@click.argument("name", default=keyring.DEFAULT)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where the seed goes.  [default: keys/NAME.nk in the home]",
)
@click.option("--show-seed", is_flag=True, help="Print the seed too. Mind who looks.")
@faced
def new(face: Face, name: str, out: Path | None, *, show_seed: bool) -> None:
    """Make a key NAME; its seed goes to a file, its public key is printed."""
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
        f'let it publish by listing it in principals.ncl: {{ key = "{key.public}", '
        f'name = "{file.stem}", groups = ["publishers"] }}'
    )


@keys.command()
@click.argument("file", default=keyring.DEFAULT)
@click.option("--show-seed", is_flag=True, help="Print the seed too. Mind who looks.")
@faced
def show(face: Face, file: str, *, show_seed: bool) -> None:
    """Show the public key of FILE, a path or a name in the home's `keys` folder."""
    place = keyring.locate(face.home, file)
    key = keyring.read(place)
    told = {"name": place.stem, "public": key.public, "file": str(place)}
    if show_seed:
        told["seed"] = key.seed()
    if face.screen.for_people:
        face.screen.fields({name: Span(value) for name, value in told.items()})
    else:
        face.screen.value(told)
