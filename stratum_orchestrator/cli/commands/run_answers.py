"""`stratum run approve` and `stratum run reject`: what people answer."""

from typing import BinaryIO, Unpack
from urllib.parse import quote

import click

from stratum_orchestrator.cli.decree import (
    Followed,
    following,
    reason,
    tell_and_follow,
)
from stratum_orchestrator.cli.names import NODE, RUN
from stratum_orchestrator.cli.options import Face, faced

_LONGEST = 1000


def _read(_ctx: click.Context, _param: click.Parameter, file: BinaryIO | None) -> str:
    if file is None:
        return ""
    with file:
        token = file.read(_LONGEST).decode("latin-1").strip()
    if not (token.isascii() and token.isprintable() and len(token.split()) == 1):
        raise click.BadParameter(f"{file.name} holds no token")  # noqa: TRY003
    return token


_as_yourself = click.option(
    "--token",
    type=click.File("rb"),
    metavar="FILE",
    callback=_read,
    help="The file with your token; - reads it.  [default: the home's, which is `operator`]",
)


@click.command()
@click.argument("run_id", metavar="ID", type=RUN)
@click.argument("node", type=NODE)
@click.option("--reason", default="", help="Why, if you want to say; it goes into the audit.")
@_as_yourself
@following
@faced
def approve(
    face: Face, run_id: str, node: str, reason: str, token: str, **far: Unpack[Followed]
) -> None:
    """Say yes to what is asked about NODE of run ID: it begins when enough people do.

    You have to be in one of the groups that are asked, and the policies have to permit it.
    `stratum run show ID` shows who is asked, `stratum runs --attention` what waits for people.
    """
    path = f"{run_id}/checkpoints/{quote(node, safe='')}/approve"
    raise SystemExit(tell_and_follow(face, path, {"reason": reason}, token, **far))


@click.command()
@click.argument("run_id", metavar="ID", type=RUN)
@click.argument("node", type=NODE)
@reason
@_as_yourself
@following
@faced
def reject(
    face: Face, run_id: str, node: str, reason: str, token: str, **far: Unpack[Followed]
) -> None:
    """Say no to what is asked about NODE of run ID: what the run did is undone.

    One person is enough, however many have approved.
    """
    path = f"{run_id}/checkpoints/{quote(node, safe='')}/reject"
    raise SystemExit(tell_and_follow(face, path, {"reason": reason}, token, **far))
