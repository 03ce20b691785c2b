"""`stratum tokens`: who may use the HTTP API, and as whom."""

from typing import TYPE_CHECKING

import click

from stratum_orchestrator.cli.ink import Span, Style
from stratum_orchestrator.cli.lifetime import Lifetime
from stratum_orchestrator.cli.options import Face, faced

if TYPE_CHECKING:
    from stratum_orchestrator.auth import tokens as kept


@click.group()
def tokens() -> None:
    """Make, list and revoke API tokens. Each acts as one principal; only hashes are kept."""


@tokens.command()
@click.argument("name")
@click.option("--principal", required=True, help="As whom it acts: a name.")
@click.option(
    "--expires",
    "lives_s",
    type=Lifetime(),
    metavar="DURATION",
    help="How long it is good, such as 30d.  [default: until it is revoked]",
)
@faced
def add(face: Face, name: str, principal: str, lives_s: float | None) -> None:
    """Make a token NAME and print it: it is not shown again."""
    from stratum_orchestrator.auth import tokens as kept
    from stratum_orchestrator.cli.people import now_ms, people_of, telling

    people = people_of(face)
    who = people.of(principal)
    with telling():
        made, text = kept.add(people.access.tokens, name, who.name, now_ms(), lives_s)
    if face.screen.for_people:
        face.screen.line(Span(text, "strong"))
        face.screen.note(
            f"acts as {who.name}; keep it like a password, it is not shown again. "
            "Send it as 'Authorization: Bearer …'"
        )
    else:
        face.screen.value({**_told(made), "token": text})


@tokens.command(name="list")
@faced
def list_tokens(face: Face) -> None:
    """List the tokens, without their texts."""
    from stratum_orchestrator.cli.people import moment, people_of, telling

    people = people_of(face)
    with telling():
        found = people.access.tokens.read().tokens
    if not face.screen.for_people:
        face.screen.values([_told(each) for each in found])
        return
    rows = [
        [
            Span(each.name, "strong"),
            Span(each.principal),
            Span(face.screen.when(moment(each.created)), "dim"),
            Span(moment(each.expires) if each.expires else "-", _style(each)),
        ]
        for each in found
    ]
    face.screen.table(("token", "principal", "made", "expires"), rows)
    if not rows:
        face.screen.note("none but the home's own; `stratum tokens add NAME` makes one")


@tokens.command()
@click.argument("name")
@faced
def revoke(face: Face, name: str) -> None:
    """Let the token NAME be nobody's, from the next request on."""
    from stratum_orchestrator.auth import tokens as kept
    from stratum_orchestrator.cli.people import people_of, telling

    people = people_of(face)
    with telling():
        gone = kept.revoke(people.access.tokens, name)
    if face.screen.for_people:
        face.screen.line(f"revoked {gone.name}, which acted as {gone.principal}")
    else:
        face.screen.value(_told(gone))


def _style(token: "kept.Token") -> Style:
    from stratum_orchestrator.cli.people import now_ms

    return "bad" if token.is_over(now_ms()) else "dim"


def _told(token: "kept.Token") -> dict[str, object]:
    from stratum_orchestrator.cli.people import moment

    return {
        "name": token.name,
        "principal": token.principal,
        "created": moment(token.created),
        "expires": moment(token.expires) if token.expires else None,
        "sha256": token.sha256,
    }
