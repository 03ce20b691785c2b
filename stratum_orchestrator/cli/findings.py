"""Findings about definitions, policies and settings as people read them."""

from collections.abc import Iterator, Sequence

import click

from stratum_graph.diagnostics import Diagnostic
from stratum_orchestrator.cli.ink import Line, Span, inked, plain
from stratum_orchestrator.cli.screen import Screen


def tell(screen: Screen, findings: Sequence[Diagnostic]) -> None:
    """Write findings to stderr, one or two lines each: place, message, remedy."""
    draw = inked if screen.color else plain
    for line in lines(findings):
        click.echo(draw(line), err=True)


def lines(findings: Sequence[Diagnostic]) -> Iterator[Line]:
    """Each finding as `file:line:column: error: message`, and its remedy below it."""
    for each in findings:
        yield [
            Span(f"{each.file}:{each.line}:{each.column}: ", "strong"),
            Span(f"{each.severity}: ", "bad" if each.severity == "error" else "warn"),
            Span(each.message),
        ]
        if each.hint:
            yield [Span(f"    {each.hint}", "dim")]
