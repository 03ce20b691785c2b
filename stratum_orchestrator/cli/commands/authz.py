"""`stratum authz`: what the policies say, and why."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypedDict, Unpack

import anyio
import click

from stratum_orchestrator.auth.errors import BadPolicies
from stratum_orchestrator.cli import payload
from stratum_orchestrator.cli.client import Daemon
from stratum_orchestrator.cli.exits import Exit
from stratum_orchestrator.cli.findings import tell
from stratum_orchestrator.cli.ink import Span, Style
from stratum_orchestrator.cli.marks import sign
from stratum_orchestrator.cli.options import Face, faced


class Wanted(TypedDict):
    """The arguments."""

    principal: str
    action: str
    resource: str


class Asked(NamedTuple):
    """Who wants what of what."""

    principal: str
    action: str
    resource: str
    context: Mapping[str, str]
    grant: str


@click.group()
def authz() -> None:
    """Ask the policies."""


@authz.command()
@click.argument("principal")
@click.argument("action")
@click.argument("resource")
@click.option("--context", "-c", multiple=True, metavar="KEY=VALUE", help="What else is known.")
@click.option("--grant", default="", metavar="TEXT|@FILE", help="That an agent presents.")
@click.option("--daemon", is_flag=True, help="Ask the daemon that runs, not the files.")
@faced
def explain(
    face: Face, context: tuple[str, ...], grant: str, *, daemon: bool, **wanted: Unpack[Wanted]
) -> None:
    """Say whether PRINCIPAL may do ACTION to RESOURCE, a pipeline or `daemon`, and why.

    Ends with exit code 4 when the answer is no.
    """
    said = dict(_pair(each) for each in context)
    asked = Asked(**wanted, context=said, grant=payload.text(grant) if grant else "")
    told = _online(face, asked) if daemon else anyio.run(_offline, face, asked)
    if face.screen.for_people:
        _tell(face, told)
    else:
        face.screen.value(told)
    if not told["allowed"]:
        raise SystemExit(Exit.REFUSED)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        why = f"{text!r} is not KEY=VALUE"
        raise click.BadParameter(why, param_hint="--context")
    return name, value


def _online(face: Face, asked: Asked) -> Mapping[str, Any]:
    query = {**asked.context, "principal": asked.principal, "action": asked.action}
    query |= {"resource": asked.resource, **({"grant": asked.grant} if asked.grant else {})}
    told, _ = Daemon.at(face.home).ask("/api/v1/authz", dict[str, Any], query)
    return told


async def _offline(face: Face, asked: Asked) -> Mapping[str, Any]:
    from stratum_orchestrator.auth.explanation import (
        context_of,
        explain as explained,
        pipeline_named,
        principal_named,
    )
    from stratum_orchestrator.cli.commands.explain import NoPolicies
    from stratum_orchestrator.cli.people import telling
    from stratum_orchestrator.cli.workspace import graph_of, workspace
    from stratum_orchestrator.saga.delegation import Asker, Matter
    from stratum_orchestrator.saga.rules import Rules

    async with workspace(face) as place:
        generation = await graph_of(face, place)
        with telling():
            people, problems = await place.principals()
            tell(face.screen, problems)
            asker = Asker(principal=principal_named(asked.principal, people), grant=asked.grant)
            about = context_of(asked.context, people)
        try:
            authorizer = place.authorizer(generation)
        except BadPolicies as bad:
            tell(face.screen, bad.diagnostics)
            raise NoPolicies(place) from None
        matter = Matter(
            action=asked.action,
            pipeline=pipeline_named(asked.resource),
            now_ms=time.time_ns() // 1_000_000,
            about=about,
        )
        rules = Rules(
            generation=generation, principals=people, authorizer=authorizer, grants=place.grants
        )
        return explained(rules, authorizer, asker, matter).view()


def _tell(face: Face, told: Mapping[str, Any]) -> None:
    screen, allowed = face.screen, told["allowed"]
    screen.line(
        sign("ok" if allowed else "fail", unicode=screen.unicode),
        Span(" allowed: " if allowed else " denied: ", "good" if allowed else "bad"),
        Span(told["reason"]),
        Span(f"  policies {told['policy_set']}", "dim"),
    )
    for part in told["asked"]:
        screen.lines([[], [Span(part["principal"], "strong"), Span(" is asked about:")]])
        _tell_policies(face, part["policies"])


def _tell_policies(face: Face, policies: Sequence[Mapping[str, Any]]) -> None:
    for each in sorted(policies, key=lambda x: (not (x["applies"] or x["error"]), x["policy"])):
        applies = "applies" if each["applies"] else "does not apply"
        how = each["error"] or applies
        stops = each["error"] or (each["applies"] and each["effect"] == "forbid")
        style: Style = "bad" if stops else "good" if each["applies"] else "dim"
        face.screen.line(
            Span(f"  {each['effect']} ", "dim"),
            Span(each["policy"], "strong" if each["applies"] else "dim"),
            Span(f"  {how}", style),
            Span(f"  {each['place']}", "dim"),
        )
        if each["applies"]:
            face.screen.lines([[Span(f"      {x}", "dim")] for x in each["text"].splitlines()])
