"""`stratum new`: the first version of something, which works."""

import re
from pathlib import Path

import click

from stratum_orchestrator.cli.exits import Exit, Stop
from stratum_orchestrator.cli.ink import Span
from stratum_orchestrator.cli.marks import sign
from stratum_orchestrator.cli.node_template import files
from stratum_orchestrator.cli.options import Face, faced

_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")


class BadName(Stop):
    """Something cannot be called that."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} cannot be a name",
            remedy="a small letter, then small letters, digits and dashes; at most 63",
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


@click.group()
def new() -> None:
    """Write the first version of something, which works."""


@new.command()
@click.argument("name")
@click.option("--pipeline", help="Whose event starts it.  [default: NAME]")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Below which it is written.  [default: nodes in the project]",
)
@faced
def node(face: Face, name: str, pipeline: str | None, folder: Path | None) -> None:
    """Write a node NAME: its declaration, both scripts, and a case that holds."""
    owner = pipeline or name
    for each in (name, owner):
        if not _NAME.fullmatch(each):
            raise BadName(each)
    place = (folder or face.folder / "nodes") / owner / name
    if place.exists():
        raise Exists(place)
    place.mkdir(parents=True)
    written = []
    for file, text in files(name, owner).items():
        (place / file).write_text(text, encoding="utf-8")
        written.append(str(place / file))
    if not face.screen.for_people:
        face.screen.value({"node": name, "pipeline": owner, "files": written})
        return
    for path in written:
        face.screen.line(sign("ok", unicode=face.screen.unicode), Span(f" {path}"))
    face.screen.note(f"try it: stratum node test {place}")
