"""`stratum principals`: who may sign events and use the API."""

from typing import TYPE_CHECKING, TypedDict, Unpack

import click
from msgspec import structs

from stratum_graph.model import Principal
from stratum_orchestrator.cli.exits import Exit, Stop
from stratum_orchestrator.cli.ink import Span
from stratum_orchestrator.cli.options import Face, faced

if TYPE_CHECKING:
    from stratum_orchestrator.cli.people import People


class Said(TypedDict):
    """What is said of a new principal."""

    kind: str
    tenant: str
    groups: tuple[str, ...]
    subjects: tuple[str, ...]


class Known(Stop):
    """There is somebody of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"there is a principal `{name}` already",
            remedy="give the new one another name; `stratum keys rotate` changes keys",
            code=Exit.USAGE,
        )


@click.group()
def principals() -> None:
    """Say who may sign events and use the API.

    What is declared in principals.ncl is left as it is: changes are kept beside it, and win.
    A daemon notices them by itself.
    """


@principals.command()
@click.argument("name")
@click.option("--key", metavar="U…", help="Public NKey.  [default: a new key, kept at home]")
@click.option("--kind", type=click.Choice(["user", "agent"]), default="user", show_default=True)
@click.option("--tenant", default="default", show_default=True)
@click.option("--group", "groups", multiple=True, help="As policies name it; may be repeated.")
@click.option(
    "--subject",
    "subjects",
    multiple=True,
    help="What it may publish to.  [default: all events]",
)
@faced
def add(face: Face, name: str, key: str | None, **said: Unpack[Said]) -> None:
    """Let NAME be a principal."""
    from platform_nats.nkey import UserKey
    from stratum_orchestrator.auth.roster import Change
    from stratum_orchestrator.cli import keyring
    from stratum_orchestrator.cli.people import change, people_of, telling

    people = people_of(face)
    if any(each.name == name for each in people.everybody):
        raise Known(name)
    file = keyring.locate(face.home, name)
    made = None if key else UserKey.generate()
    public = key or (made.public if made else "")
    with telling():
        if made:
            keyring.write(file, made)
        change(face, people, Change(name=name, key=public, active=True, **said))
    _tell(face, people_of(face).of(name))
    if made:
        face.screen.note(f"its seed is in {file}")


@principals.command(name="list")
@faced
def list_principals(face: Face) -> None:
    """List everybody, as declared and as changed."""
    from stratum_orchestrator.cli.people import people_of

    people = people_of(face)
    if not face.screen.for_people:
        face.screen.values([_told(each, people) for each in people.everybody])
        return
    rows = [
        [
            Span(each.name, "strong"),
            Span(each.kind),
            Span("active" if each.active else "disabled", "" if each.active else "bad"),
            Span(", ".join(each.groups) or "-"),
            Span(str(1 + len(each.keys)), "dim"),
            Span(_where(each, people), "dim"),
            Span(each.key, "dim"),
        ]
        for each in people.everybody
    ]
    face.screen.table(("principal", "kind", "is", "groups", "keys", "from", "key"), rows)


@principals.command()
@click.argument("name")
@faced
def disable(face: Face, name: str) -> None:
    """Let NAME do nothing from now on: events, API, and what agents do on their behalf."""
    _switch(face, name, active=False)


@principals.command()
@click.argument("name")
@faced
def enable(face: Face, name: str) -> None:
    """Let NAME do again what policies permit."""
    _switch(face, name, active=True)


def _switch(face: Face, name: str, *, active: bool) -> None:
    from stratum_orchestrator.auth.roster import Change
    from stratum_orchestrator.cli.people import change, people_of, telling

    people = people_of(face)
    who = people.of(name)
    with telling():
        change(face, people, Change(name=who.name, active=active))
    _tell(face, structs.replace(who, active=active))


def _tell(face: Face, who: Principal) -> None:
    if face.screen.for_people:
        state = "active" if who.active else "disabled"
        face.screen.line(Span(who.name, "strong"), f"  {who.kind}, {state}  ", who.key)
    else:
        face.screen.value(_plain(who))


def _told(who: Principal, people: "People") -> dict[str, object]:
    return {**_plain(who), "from": _where(who, people)}


def _plain(who: Principal) -> dict[str, object]:
    return {
        "name": who.name,
        "key": who.key,
        "kind": who.kind,
        "tenant": who.tenant,
        "groups": list(who.groups),
        "active": who.active,
        "subjects": list(who.subjects),
        "keys": [
            {"key": each.key, "not_after": each.not_after and each.not_after.isoformat()}
            for each in who.keys
        ],
        "revoked": list(who.revoked),
    }


def _where(who: Principal, people: "People") -> str:
    changed = people.access.principals.read().of(who.name)
    if changed is None:
        return "declared"
    return "added" if changed.kind is not None else "declared, changed"
