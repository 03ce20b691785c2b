"""`stratum versions`, `stratum activate` and `stratum rollback`: the bundle in force."""

from collections.abc import Mapping

import click

from stratum_orchestrator.cli.client import Daemon
from stratum_orchestrator.cli.decree import reason as because
from stratum_orchestrator.cli.ink import Span
from stratum_orchestrator.cli.marks import sign
from stratum_orchestrator.cli.options import Face, faced
from stratum_orchestrator.client.answers import Activation, Activations, Versions

_PATH = "/api/v1"
_PATIENCE_S = 600.0  # a registry may be slow, and a graph large


@click.command()
@click.option("--history", is_flag=True, help="Every activation instead: who, when and why.")
@faced
def versions(face: Face, *, history: bool) -> None:
    """List the bundles that are, were or could be in force, and which live runs hold them."""
    if history:
        _history(face)
        return
    found, raw = Daemon.at(face.home).ask(f"{_PATH}/versions", Versions)
    if not face.screen.for_people:
        face.screen.values(raw["versions"] if isinstance(raw, dict) else [])
        return
    face.screen.table(
        ("", "digest", "activated", "by", "live runs", "signer"),
        [
            [
                sign("ok", unicode=face.screen.unicode) if each.active else Span(" "),
                Span(each.digest, "strong" if each.active else ""),
                Span(face.screen.when(each.activated) if each.activated else "never"),
                Span(each.by),
                Span(str(each.live_runs) + _named(each.runs, each.live_runs)),
                Span(each.signer or ("none" if each.activated else ""), "dim"),
            ]
            for each in found.versions
        ],
    )
    if not found.versions:
        face.screen.note("no bundle was in force yet: definitions.source names where they are")


@click.command()
@click.argument("wanted", metavar="TAG|DIGEST")
@because
@faced
def activate(face: Face, wanted: str, reason: str) -> None:
    """Bring a bundle of the configured source into force, on all instances.

    It is verified and compiled first. New runs begin with it; live runs keep theirs to the end.
    """
    _have_done(face, "activate", {"wanted": wanted, "reason": reason})


@click.command()
@because
@faced
def rollback(face: Face, reason: str) -> None:
    """Bring the bundle that was in force before back."""
    _have_done(face, "rollback", {"reason": reason})


def _have_done(face: Face, verb: str, told: Mapping[str, object]) -> None:
    daemon = Daemon.at(face.home)
    found, raw = daemon.command(f"{_PATH}/{verb}", told, Activation, wait_s=_PATIENCE_S)
    if not face.screen.for_people:
        face.screen.value(raw)
        return
    mark = sign("ok", unicode=face.screen.unicode)
    face.screen.line(mark, Span(f" {found.digest}", "strong"), Span(f" {found.kind}"))
    face.screen.fields({"before": Span(found.previous or "nothing", "dim")})


def _history(face: Face) -> None:
    found, raw = Daemon.at(face.home).ask(f"{_PATH}/activations", Activations)
    if not face.screen.for_people:
        face.screen.values(raw["activations"] if isinstance(raw, dict) else [])
        return
    face.screen.table(
        ("at", "what", "digest", "by", "reason"),
        [
            [
                Span(face.screen.when(each.at)),
                Span(each.kind),
                Span(each.digest, "strong"),
                Span(each.by),
                Span(each.reason),
            ]
            for each in found.activations
        ],
    )


def _named(runs: tuple[str, ...], count: int) -> str:
    more = ", …" if count > len(runs) else ""
    return f" ({', '.join(runs)}{more})" if runs else ""
