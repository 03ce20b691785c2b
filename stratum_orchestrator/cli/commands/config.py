"""`stratum config`."""

import anyio
import click
import msgspec

from stratum_orchestrator import config as settings
from stratum_orchestrator.cli.findings import tell
from stratum_orchestrator.cli.ink import Span, compact
from stratum_orchestrator.cli.options import Face, faced


@click.group()
def config() -> None:
    """Look at the configuration: `stratum.ncl`, the environment, and the defaults."""


@config.command()
@click.option("--origin", is_flag=True, help="Tell where each value comes from.")
@faced
def show(face: Face, *, origin: bool) -> None:
    """Show every setting in effect. There are no secrets among them: those are in files."""
    found = anyio.run(_load, face)
    values = {
        name: msgspec.to_builtins(settings.value_of(found.settings, name))
        for name in settings.fields()
    }
    if not face.screen.for_people:
        told = {
            name: {"value": value, "origin": found.origins[name]} if origin else value
            for name, value in values.items()
        }
        face.screen.value(told)
        return
    heads = ("setting", "value", *(("origin",) if origin else ()))
    face.screen.table(
        heads,
        [
            [
                Span(name, "strong"),
                Span(compact(value), "dim" if found.origins[name] == "default" else ""),
                *((Span(found.origins[name], "dim"),) if origin else ()),
            ]
            for name, value in values.items()
        ],
    )


async def _load(face: Face) -> settings.Configuration:
    from stratum_orchestrator.cli.workspace import BadSettings

    try:
        return await settings.load(face.folder.absolute(), settings.environment(), {})
    except settings.BadConfig as bad:
        tell(face.screen, bad.diagnostics)
        raise BadSettings(len(bad.diagnostics)) from None
