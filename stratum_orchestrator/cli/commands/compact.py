"""`stratum compact`: give the disk back what an embedded store does not need any more."""

from dataclasses import asdict
from typing import TYPE_CHECKING

import anyio
import click

from stratum_orchestrator import config
from stratum_orchestrator.cli.exits import Exit, Stop
from stratum_orchestrator.cli.ink import Span
from stratum_orchestrator.cli.options import Face, faced
from stratum_orchestrator.crashpoints import wanted
from stratum_state.errors import StateError, StoreInUse

if TYPE_CHECKING:
    from stratum_state.surreal import Compacted

_MIB = 1 << 20


@click.command()
@faced
def compact(face: Face) -> None:
    """Copy the embedded store without what was overwritten or forgotten; the daemon is down."""
    from stratum_orchestrator.boot import daemon

    try:
        done = anyio.run(_compact, face)
    except Stop as stop:
        stop.show()
        daemon.leave(stop.exit_code)
    if face.screen.for_people:
        sizes = f"{done.before / _MIB:.1f} MiB before, {done.after / _MIB:.1f} MiB now"
        face.screen.line(Span(f"{done.records} records kept: {sizes}"))
    else:
        face.screen.value(asdict(done))
    daemon.leave(Exit.OK)


async def _compact(face: Face) -> "Compacted":
    from stratum_orchestrator import storage
    from stratum_orchestrator.cli.commands.gc import InUse, NoStore, StoreAway
    from stratum_orchestrator.cli.workspace import read_settings
    from stratum_orchestrator.home import Home
    from stratum_state.surreal import compact as compact_store, has_store

    settings = await read_settings(face)
    home = Home(face.home)
    if settings.surrealdb.url or not has_store(home.database):
        raise NoStore(home.database)
    place = settings.surrealdb
    url = storage.database_url(settings, home)
    try:
        return await compact_store(
            url,
            namespace=place.namespace,
            database=place.database,
            passed=wanted(config.environment()).passed,
        )
    except StoreInUse as why:
        raise InUse(why) from None
    except StateError as why:
        raise StoreAway(why) from None
