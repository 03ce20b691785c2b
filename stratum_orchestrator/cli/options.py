"""The options that every command takes, before or behind its name."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import click

from stratum_orchestrator.cli.home import find
from stratum_orchestrator.cli.screen import Screen

P = ParamSpec("P")
R = TypeVar("R")
_KEY = "stratum."


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """What a command knows of whoever called it."""

    home: Path
    screen: Screen

    @property
    def folder(self) -> Path:
        """The working folder to which the home belongs: where definitions are looked for."""
        return self.home.parent


def _remember(ctx: click.Context, param: click.Parameter, value: object) -> None:
    # the same option may stand before and behind the command: the later one on the line wins
    name = _KEY + (param.name or "")
    given = ctx.get_parameter_source(param.name or "") is click.core.ParameterSource.COMMANDLINE
    if given or name not in ctx.meta:
        ctx.meta[name] = value


_SHARED = (
    click.option(
        "--home",
        type=click.Path(file_okay=False, path_type=Path),
        envvar="STRATUM_HOME",
        expose_value=False,
        callback=_remember,
        help="The daemon's folder.  [default: the nearest .stratum]",
    ),
    click.option(
        "--output",
        "-o",
        type=click.Choice(["table", "json", "jsonl"]),
        default="table",
        expose_value=False,
        callback=_remember,
        help="For people, or for programs.",
    ),
    click.option(
        "--no-color",
        is_flag=True,
        expose_value=False,
        callback=_remember,
        help="No colors, whatever stdout is.",
    ),
    click.option(
        "--time",
        type=click.Choice(["relative", "utc", "local", "unix"]),
        expose_value=False,
        callback=_remember,
        help="How times are told.  [default: relative on a terminal, else utc]",
    ),
)


def shared(command: Callable[P, R]) -> Callable[P, R]:
    """Give a command the options that all have."""
    for option in reversed(_SHARED):
        command = option(command)
    return command


def faced(command: Callable[Concatenate[Face, P], R]) -> Callable[P, R]:
    """Give a command the shared options, and their values as its first argument."""

    @wraps(command)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        return command(_face(click.get_current_context()), *args, **kwargs)

    return shared(called)


def _face(ctx: click.Context) -> Face:
    def told(name: str) -> object:
        return ctx.meta[_KEY + name]

    given = told("home")
    return Face(
        home=find(given if isinstance(given, Path) else None, Path.cwd()),
        screen=Screen.of_stdout(
            output=told("output"),  # type: ignore[arg-type]
            times=told("time"),  # type: ignore[arg-type]
            color=not (told("no_color") or _wants_no_color()),
        ),
    )


def _wants_no_color() -> bool:
    # any text at all asks for it (no-color.org); click takes only what looks like a flag
    return bool(os.environ.get("NO_COLOR"))  # noqa: TID251 - a convention of terminals
