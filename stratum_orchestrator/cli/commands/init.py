"""`stratum init`."""

import sys
from collections.abc import Sequence
from pathlib import Path

import anyio
import click

from stratum_graph.diagnostics import Diagnostic
from stratum_orchestrator import config
from stratum_orchestrator.cli import form
from stratum_orchestrator.cli.contract import Field, sections
from stratum_orchestrator.cli.exits import Exit, Stop
from stratum_orchestrator.cli.ink import Span, clean
from stratum_orchestrator.cli.marks import sign
from stratum_orchestrator.cli.meant import meant
from stratum_orchestrator.cli.options import Face, faced

_INTERRUPTED = 130
_NOWHERE = Path("/nonexistent")


class Exists(Stop):
    """A configuration is never written over."""

    def __init__(self, file: Path) -> None:
        super().__init__(
            f"{file} exists, and is not written over",
            remedy="change it, or move it away; `stratum config show` tells what is in effect",
            code=Exit.USAGE,
        )


class Unwritten(Stop):
    """The file cannot be written."""

    def __init__(self, file: Path, error: OSError) -> None:
        super().__init__(f"{file} cannot be written: {error.strerror}", code=Exit.IO)


class Unfit(Stop):
    """A value that the contract does not take."""

    def __init__(self, about: str, why: str) -> None:
        super().__init__(f"{about}: {why}", code=Exit.CONFIG)


@click.command()
@click.argument(
    "folder", type=click.Path(file_okay=False, exists=True, path_type=Path), default="."
)
@click.option("--yes", is_flag=True, help="Do not ask: take the defaults.")
@click.option("--all", "every", is_flag=True, help="Ask for every setting there is.")
@click.option(
    "--set", "said", multiple=True, metavar="SECTION.FIELD=VALUE", help="Answer beforehand."
)
@faced
def init(face: Face, folder: Path, said: tuple[str, ...], *, yes: bool, every: bool) -> None:
    """Write a commented stratum.ncl into FOLDER, from a few answers.

    An empty answer takes the default, `?` explains. Each answer is judged by the contract that
    judges the file. Nothing is written before all are given, and nothing is written over.
    """
    file = folder / config.FILE
    if file.exists() or file.is_symlink():
        raise Exists(file)
    fields = {field.dotted: field for each in sections().values() for field in each.fields}
    chosen = dict(_given(fields, each) for each in said)
    if not yes:
        _ask_all(fields, list(fields) if every else list(form.ASKED), chosen)
    text = form.written(sections(), chosen)
    _write(file, text)
    if not face.screen.for_people:
        face.screen.value({"file": str(file), "settings": chosen})
        return
    face.screen.line(sign("ok", unicode=face.screen.unicode), Span(f" {file}", "strong"))
    face.screen.note("next: stratum new node NAME, then stratum dev")
    if face.folder.absolute() != folder.absolute():
        face.screen.note(f"commands there use the home {face.home}, unless --home says else")


def _ask_all(fields: dict[str, Field], wanted: list[str], chosen: dict[str, object]) -> None:
    """Ask for what is wanted and not chosen yet, and for what the answers make worth asking."""
    asked: set[str] = set()
    while wanted:
        dotted = wanted.pop(0)
        if dotted in asked:
            continue
        asked.add(dotted)
        if dotted not in chosen:
            default = config.value_of(config.Settings(), dotted)
            value = _ask(fields[dotted], default)
            if value != (list(default) if isinstance(default, tuple) else default):
                chosen[dotted] = value
        wanted[:0] = form.further(dotted, chosen.get(dotted))


def _ask(field: Field, default: object) -> object:
    click.echo(f"\n{field.doc}", err=True)
    while True:
        text = _answer(field, form.shown(default))
        if text == "?":
            click.echo(f"  {field.kind}; default: {field.default}", err=True)
            continue
        value = form.parsed(field, text)
        problem = _problem(field, value)
        if not problem:
            return value
        click.echo(f"  {clean(problem)}", err=True)


def _answer(field: Field, default: str) -> str:
    try:
        answer = click.prompt(
            f"{field.dotted}", default=default, show_default=bool(default), err=True
        )
    except click.Abort:
        if sys.stdin.isatty():
            click.echo("\nnothing was written", err=True)
            raise click.exceptions.Exit(_INTERRUPTED) from None
        click.echo(err=True)
        message = "there are no more answers: say --yes to take the defaults"
        raise click.UsageError(message) from None
    return str(answer).strip()


def _given(fields: dict[str, Field], said: str) -> tuple[str, object]:
    dotted, equals, text = said.partition("=")
    if dotted not in fields or not equals:
        raise Unfit(dotted, f"is no setting; {meant(dotted, fields)}" if equals else "needs =")
    value = form.parsed(fields[dotted], text)
    if problem := _problem(fields[dotted], value):
        raise Unfit(dotted, problem)
    return dotted, value


def _problem(field: Field, value: object) -> str:
    """What the contract says against the value; empty when it takes it."""
    if isinstance(value, str) and not value.isprintable():
        return "it holds characters that cannot be printed"
    if field.words and value not in field.words:
        return f"{value!r} is none of them; {meant(str(value), field.words)}"
    try:
        anyio.run(config.load, _NOWHERE, {}, {field.dotted: value})
    except config.BadConfig as bad:
        return _said(bad.diagnostics)
    return ""


def _said(found: Sequence[Diagnostic]) -> str:
    return "; ".join(f"{x.message} {x.hint}".strip() for x in found)


def _write(file: Path, text: str) -> None:
    try:
        with file.open("x", encoding="utf-8") as new:
            new.write(text)
    except FileExistsError:
        raise Exists(file) from None
    except OSError as error:
        raise Unwritten(file, error) from None
    try:
        anyio.run(config.load, file.parent, {}, {})
    except config.BadConfig as bad:
        file.unlink()
        raise Unfit(str(file), _said(bad.diagnostics)) from None
