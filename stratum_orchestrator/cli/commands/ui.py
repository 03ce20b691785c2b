"""`stratum ui`."""

import webbrowser

import click

from stratum_orchestrator.cli.client import Daemon
from stratum_orchestrator.cli.options import Face, faced


@click.command()
@click.option("--open", "opens", is_flag=True, help="Also open it in the browser.")
@faced
def ui(face: Face, *, opens: bool) -> None:
    """Print the address of the page, with the token that lets you in.

    The page takes the token out of the address and keeps it for as long as its tab lives.
    """
    daemon = Daemon.at(face.home)
    link = daemon.page
    if face.screen.for_people:
        face.screen.line(link)
    else:
        face.screen.value({"url": link})
    if opens:
        webbrowser.open(link)
