"""`stratum grants`: what users let agents do on their behalf."""

from secrets import token_hex
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from stratum_orchestrator.cli import payload
from stratum_orchestrator.cli.exits import Exit, Stop
from stratum_orchestrator.cli.ink import Span
from stratum_orchestrator.cli.lifetime import Lifetime
from stratum_orchestrator.cli.names import DEFAULT_KEY
from stratum_orchestrator.cli.options import Face, faced
from stratum_orchestrator.errors import BadGrant

if TYPE_CHECKING:
    from stratum_orchestrator.saga.grant import Signed


class Useless(Stop):
    """The grant is none."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the grant cannot be used: {why}", code=Exit.REFUSED)


class Scope(TypedDict):
    """What it covers."""

    actions: tuple[str, ...]
    pipelines: tuple[str, ...]
    subjects: tuple[str, ...]


@click.group()
def grants() -> None:
    """Sign, store and revoke grants: an agent may then do on a user's behalf what both may."""


@grants.command(name="sign")
@click.option("--to", "agent", required=True, metavar="NAME|KEY", help="The agent.")
@click.option("--action", "actions", multiple=True, default=["trigger"], show_default=True)
@click.option("--pipeline", "pipelines", multiple=True, help="By name.  [default: all]")
@click.option("--subject", "subjects", multiple=True, help="A pattern.  [default: all]")
@click.option(
    "--expires",
    "lives_s",
    type=Lifetime(),
    default="24h",
    show_default=True,
    metavar="DURATION",
    help="At most 30d.",
)
@click.option(
    "--as",
    "who",
    metavar="NAME|KEYFILE",
    default=DEFAULT_KEY,
    show_default=True,
    help="Whose key signs it.",
)
@faced
def sign_grant(
    face: Face, agent: str, who: str, lives_s: float, **scope: Unpack[Scope]
) -> None:
    """Sign a grant and print it. The agent sends it along, or somebody stores it."""
    from stratum_orchestrator.cli import keyring
    from stratum_orchestrator.cli.people import moment, now_ms, people_of
    from stratum_orchestrator.saga.grant import ANY, MAX_LIFE_MS, Grant, Signed, sign

    people = people_of(face)
    key = keyring.read(keyring.locate(face.home, who))
    now = now_ms()
    if lives_s * 1000 > MAX_LIFE_MS:
        longest = "a grant lasts at most 30d"
        raise click.BadParameter(longest, param_hint="--expires")
    grant = Grant(
        id=token_hex(8),
        audience=people.audience,
        user=key.public,
        agent=people.of(agent).key,
        actions=scope["actions"],
        pipelines=scope["pipelines"] or (ANY,),
        subjects=scope["subjects"] or (">",),
        not_before=now,
        expires=now + round(lives_s * 1000),
    )
    text = sign(grant, key)
    if face.screen.for_people:
        face.screen.line(text)
        face.screen.note(f"grant {grant.id}, good until {moment(grant.expires)}")
    else:
        face.screen.value(_told(Signed(grant, text)) | {"text": text})


@grants.command()
@click.argument("grant", metavar="TEXT|@FILE|-")
@faced
def add(face: Face, grant: str) -> None:
    """Store a grant, so that its agent need not send it along."""
    from stratum_orchestrator.auth import grants as kept
    from stratum_orchestrator.cli.people import people_of, telling

    people = people_of(face)
    signed = _opened(grant, people.audience)
    with telling():
        kept.add(people.access.grants, signed)
    _tell(face, signed)


@grants.command()
@click.argument("grant", metavar="TEXT|@FILE|-")
@faced
def show(face: Face, grant: str) -> None:
    """Verify a grant and say what it lets whom do."""
    from stratum_orchestrator.cli.people import people_of

    _tell(face, _opened(grant, people_of(face).audience))


@grants.command(name="list")
@faced
def list_grants(face: Face) -> None:
    """List what is stored, and what was revoked."""
    from stratum_orchestrator.cli.people import moment, now_ms, people_of, telling

    people = people_of(face)
    with telling():
        known = people.access.grants.read()
    try:
        stored = people.grants.all()
    except BadGrant as bad:
        raise Useless(bad.why) from None
    if not face.screen.for_people:
        revoked = [
            {"id": each.id, "revoked": moment(each.at), "reason": each.reason}
            for each in known.revoked
        ]
        face.screen.values([*map(_told, stored), *revoked])
        return

    def name(key: str) -> str:
        who = people.by_key.get(key)
        return who.name if who else key

    now = now_ms()
    rows = [
        [
            Span(grant.id, "strong"),
            Span(name(grant.user)),
            Span(name(grant.agent)),
            Span(", ".join(grant.actions)),
            Span(", ".join(grant.pipelines)),
            Span(moment(grant.expires), "bad" if grant.untimely(now) else "dim"),
        ]
        for grant in (each.grant for each in stored)
    ]
    rows += [
        [Span(x.id), Span("-"), Span("-"), Span(x.reason), Span("-"), Span("revoked", "bad")]
        for x in known.revoked
    ]
    face.screen.table(("grant", "user", "agent", "actions", "pipelines", "expires"), rows)


@grants.command()
@click.argument("grant_id", metavar="ID")
@click.option("--reason", default="", help="Why, for the record.")
@faced
def revoke(face: Face, grant_id: str, reason: str) -> None:
    """Let the grant ID hold no more, stored or sent along. Its runs turn back."""
    from stratum_orchestrator.auth import grants as kept
    from stratum_orchestrator.cli.people import now_ms, people_of, telling

    people = people_of(face)
    with telling():
        kept.revoke(people.access.grants, grant_id, now_ms(), reason)
    if face.screen.for_people:
        face.screen.line(f"revoked {grant_id}; its runs turn back before their next stage")
    else:
        face.screen.value({"id": grant_id, "reason": reason})


def _opened(given: str, audience: str) -> "Signed":
    from stratum_orchestrator.saga.grant import open_grant

    try:
        return open_grant(payload.text(given), audience)
    except BadGrant as bad:
        raise Useless(bad.why) from None


def _tell(face: Face, signed: "Signed") -> None:
    if face.screen.for_people:
        face.screen.fields({name: str(value) for name, value in _told(signed).items()})
    else:
        face.screen.value(_told(signed))


def _told(signed: "Signed") -> dict[str, object]:
    from stratum_orchestrator.cli.people import moment

    grant = signed.grant
    return {
        "id": grant.id,
        "user": grant.user,
        "agent": grant.agent,
        "actions": list(grant.actions),
        "pipelines": list(grant.pipelines),
        "subjects": list(grant.subjects),
        "not_before": moment(grant.not_before),
        "expires": moment(grant.expires),
    }
