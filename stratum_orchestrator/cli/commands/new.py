"""`stratum new`: the first version of something, which works."""

import re
from collections.abc import Mapping
from pathlib import Path

import click

from stratum_orchestrator.cli.exits import Exit, Stop
from stratum_orchestrator.cli.ink import Span
from stratum_orchestrator.cli.marks import sign
from stratum_orchestrator.cli.node_template import files
from stratum_orchestrator.cli.options import Face, faced
from stratum_orchestrator.cli.template import Template, templates

_NAME = re.compile(r"(?=.{1,63}$)[a-z][a-z0-9]*(-[a-z0-9]+)*")
_PIPELINE = re.compile(
    r"(?=.{1,40}$)[a-z][a-z0-9]*(-[a-z0-9]+)*"
)  # its nodes' names begin with it


class BadName(Stop):
    """Something cannot be called that."""

    def __init__(self, name: str, longest: int) -> None:
        super().__init__(
            f"{name!r} cannot be a name",
            remedy=f"small letters and digits, in parts joined by dashes; at most {longest}",
            code=Exit.USAGE,
        )


class Exists(Stop):
    """What is there is never written over."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"{folder} exists, and is not written over",
            remedy="choose another name, or move it away",
            code=Exit.USAGE,
        )


class NoTemplate(Stop):
    """There is none of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"there is no template {name!r}",
            remedy=f"there are: {', '.join(templates())}",
            code=Exit.NOT_FOUND,
        )


_FOLDER = click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Below which it is written.  [default: nodes in the project]",
)


@click.group(invoke_without_command=True)
@click.option("--list", "listed", is_flag=True, help="List the templates of pipelines.")
@faced
def new(face: Face, *, listed: bool) -> None:
    """Write the first version of something, which works."""
    context = click.get_current_context()
    if listed:
        _list(face)
        context.exit()
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
        context.exit(Exit.USAGE)


@new.command()
@click.argument("name")
@click.option("--template", help="What it begins as; see --list.  [default: saga]")
@_FOLDER
@faced
def pipeline(face: Face, name: str, template: str | None, folder: Path | None) -> None:
    """Write a pipeline NAME: nodes with their scripts, and cases that hold."""
    if not _PIPELINE.fullmatch(name):
        raise BadName(name, 40)
    chosen = _template(template or "saga")
    place = (folder or face.folder / "nodes") / name
    written = _write(place, chosen.files(name))
    _tell(face, {"pipeline": name, "template": chosen.name}, written)
    face.screen.note(f"try it: stratum test {name}; each node: stratum node test {place}")


@new.command()
@click.argument("name")
@click.option("--pipeline", help="Whose event starts it.  [default: NAME]")
@_FOLDER
@faced
def node(face: Face, name: str, pipeline: str | None, folder: Path | None) -> None:
    """Write a node NAME: its declaration, both scripts, and a case that holds.

    It lies in a folder of its own name, within that of its pipeline if there is another one.
    """
    owner = pipeline or name
    for each in (name, owner):
        if not _NAME.fullmatch(each):
            raise BadName(each, 63)
    above = folder or face.folder / "nodes"
    place = above / name if owner == name else above / owner / name
    written = _write(place, files(name, owner))
    _tell(face, {"node": name, "pipeline": owner}, written)
    face.screen.note(f"try it: stratum node test {place}")


@new.command()
@click.argument("template")
@faced
def show(face: Face, template: str) -> None:
    """Print every file of a template, as it is for a pipeline of the same name."""
    chosen = _template(template)
    texts = chosen.files(chosen.name)
    if not face.screen.for_people:
        face.screen.value({"template": chosen.name, "about": chosen.about, "files": texts})
        return
    face.screen.line(Span(chosen.about, "strong"))
    for path, text in texts.items():
        face.screen.lines([[], [Span(f"── {path}", "head")]])
        face.screen.lines([Span(line)] for line in text.splitlines())


def _list(face: Face) -> None:
    known = templates().values()
    if face.screen.for_people:
        rows = [[Span(each.name, "strong"), Span(each.about)] for each in known]
        face.screen.table(["template", "what it is"], rows)
        face.screen.note("one of them: stratum new pipeline NAME --template TEMPLATE")
    else:
        face.screen.values([{"template": each.name, "about": each.about} for each in known])


def _template(name: str) -> Template:
    found = templates().get(name)
    if found is None:
        raise NoTemplate(name)
    return found


def _write(place: Path, texts: Mapping[str, str]) -> list[str]:
    """Write files into a folder that must not be there; their paths. Raises Exists."""
    if place.exists():
        raise Exists(place)
    for name, text in texts.items():
        file = place / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return [str(place / name) for name in texts]


def _tell(face: Face, what: Mapping[str, object], written: list[str]) -> None:
    if not face.screen.for_people:
        face.screen.value({**what, "files": written})
        return
    for path in written:
        face.screen.line(sign("ok", unicode=face.screen.unicode), Span(f" {path}"))
