"""`stratum explain`: what an event would do, and who says so."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import anyio
import click

from stratum_graph.model import Principal
from stratum_orchestrator import lenders, strict_json
from stratum_orchestrator.auth.errors import BadPolicies
from stratum_orchestrator.cli import payload
from stratum_orchestrator.cli.exits import Exit, Stop
from stratum_orchestrator.cli.findings import tell
from stratum_orchestrator.cli.ink import Span
from stratum_orchestrator.cli.marks import sign
from stratum_orchestrator.cli.names import DEFAULT_KEY
from stratum_orchestrator.cli.options import Face, faced

if TYPE_CHECKING:
    from stratum_graph.generation import Generation
    from stratum_orchestrator.auth.cedar import CedarAuthorizer
    from stratum_orchestrator.cli.workspace import Workspace
    from stratum_orchestrator.saga.rules import Judgement

_PUBLIC = 56  # characters of a public NKey


class Unlisted(Stop):
    """The key belongs to nobody who may sign events."""

    def __init__(self, public: str, place: "Workspace") -> None:
        super().__init__(
            f"{public} is nobody in {place.sources.principals}: its events are refused",
            remedy="list the key there with a name",
            code=Exit.REFUSED,
        )


class NoPolicies(Stop):
    """The policies do not load; the findings have been told."""

    def __init__(self, place: "Workspace") -> None:
        super().__init__(
            f"the policies in {place.sources.policies} do not load", code=Exit.CONFIG
        )


class Question(NamedTuple):
    """An event that nobody has published."""

    subject: str
    data: object
    who: str


@click.command()
@click.argument("subject")
@click.option(
    "--as",
    "who",
    metavar="NAME|KEY|KEYFILE",
    default=DEFAULT_KEY,
    show_default=True,
    help="Who would sign it: a principal, a public key, or a key of the home.",
)
@click.option("--data", "-d", help="JSON, @FILE or -; without it only the policies are asked.")
@faced
def explain(face: Face, subject: str, who: str, data: str | None) -> None:
    """Say which pipelines an event under SUBJECT opens, and which policies allow or forbid it.

    Ends with exit code 4 when none of them would be allowed.
    """
    from stratum_graph.generation import UNKNOWN

    given = UNKNOWN
    if data is not None:
        given = strict_json.decode(payload.read(data), safe_integers=True)
    principal, judgements = anyio.run(_judged, face, Question(subject, given, who))
    if face.screen.for_people:
        _tell(face, principal, judgements)
    else:
        face.screen.value(_view(subject, principal, judgements))
    if not any(each.allowed for each in judgements):
        raise SystemExit(Exit.REFUSED)


async def _judged(face: Face, question: Question) -> "tuple[Principal, tuple[Judgement, ...]]":
    from stratum_orchestrator.cli.commands.plan import opened
    from stratum_orchestrator.cli.workspace import graph_of, workspace
    from stratum_orchestrator.saga.rules import Rules, judge

    async with workspace(face) as place:
        generation = await graph_of(face, place)
        opened(generation, question.subject, question.data)
        people, problems = await place.principals()
        tell(face.screen, problems)
        principal = _principal(place, people, face.home, question.who)
        rules = Rules(
            generation=generation,
            principals=people,
            authorizer=_authorizer(face, place, generation),
            nothing_lent=lenders.missing(place.settings.credentials, dev=True),
            grants=place.grants,
        )
        now_ms = time.time_ns() // 1_000_000
        return principal, judge(rules, principal, question.subject, question.data, now_ms)


def _principal(
    place: "Workspace", people: Mapping[str, Principal], home: Path, who: str
) -> Principal:
    from stratum_orchestrator.cli import keyring

    named = [each for each in people.values() if who in {each.name, each.key}]
    if named:
        return named[0]
    if who.startswith("U") and len(who) == _PUBLIC:
        raise Unlisted(who, place)
    public = keyring.read(keyring.locate(home, who)).public
    if public not in people:
        raise Unlisted(public, place)
    return people[public]


def _authorizer(face: Face, place: "Workspace", generation: "Generation") -> "CedarAuthorizer":
    try:
        return place.authorizer(generation)
    except BadPolicies as bad:
        tell(face.screen, bad.diagnostics)
        raise NoPolicies(place) from None


def _tell(face: Face, principal: Principal, judgements: "tuple[Judgement, ...]") -> None:
    from stratum_orchestrator.cli import plan_picture

    screen = face.screen
    groups = f" in {', '.join(principal.groups)}" if principal.groups else ""
    screen.line(
        Span(f"{principal.kind} "),
        Span(principal.name, "strong"),
        Span(f"{groups}  ", "dim"),
        Span(principal.key, "dim"),
    )
    for each in judgements:
        screen.lines([[]])
        how = "ok" if each.allowed else "fail"
        decision = each.decision
        screen.line(
            sign(how, unicode=screen.unicode),
            Span(
                " allowed: " if each.allowed else " refused: ",
                "good" if each.allowed else "bad",
            ),
            Span(each.reason),
            Span(f"  policies {decision.policy_set}" if decision else "", "dim"),
        )
        screen.lines(plan_picture.picture(each.plan, unicode=screen.unicode))


def _view(
    subject: str, principal: Principal, judgements: "tuple[Judgement, ...]"
) -> dict[str, object]:
    from stratum_orchestrator.cli import plan_picture

    return {
        "subject": subject,
        "principal": {
            "key": principal.key,
            "name": principal.name,
            "kind": principal.kind,
            "groups": list(principal.groups),
        },
        "pipelines": [
            {
                "allowed": each.allowed,
                "code": each.code,
                "reason": each.reason,
                "policies": list(each.decision.policies) if each.decision else [],
                "policy_set": each.decision.policy_set if each.decision else None,
                "plan": plan_picture.view(each.plan),
            }
            for each in judgements
        ],
    }
