"""`stratum gc`: forget what is old, without a daemon."""

import time
from pathlib import Path
from typing import NamedTuple

import anyio
import click

from stratum_graph.definitions.attic import Attic
from stratum_graph.definitions.content import ContentStore
from stratum_orchestrator import config
from stratum_orchestrator.cli.exits import Exit, Stop
from stratum_orchestrator.cli.ink import Span
from stratum_orchestrator.cli.options import Face, faced
from stratum_orchestrator.clock import WallClock
from stratum_orchestrator.crashpoints import wanted
from stratum_orchestrator.retention import Content, Retention
from stratum_orchestrator.saga.plans import Plans
from stratum_state.errors import StateError, StoreInUse

_DAY_S = 86_400
_MANY = 10_000_000
_MIB = 1 << 20


class InUse(Stop):
    """A daemon has the store."""

    def __init__(self, why: StoreInUse) -> None:
        super().__init__(
            str(why),
            remedy="the daemon itself collects what is older than `retention.age`",
            code=Exit.IN_USE,
        )


class NoStore(Stop):
    """There is nothing to collect from."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"there is no store in {folder}", code=Exit.NOT_FOUND)


class StoreAway(Stop):
    """The store cannot be opened or written."""

    def __init__(self, why: StateError) -> None:
        super().__init__(str(why), remedy="see `stratum doctor`", code=Exit.UNAVAILABLE)


class Found(NamedTuple):
    """How much went, or would go."""

    runs: int
    verdicts: int
    journal: int
    decisions: int
    content: int
    """Plans and trees of scripts that are needed no more."""
    bytes: int
    """Of the content."""


@click.command()
@click.option(
    "--older-than",
    "days",
    type=click.FloatRange(min=0),
    metavar="DAYS",
    help="Days since the end of a run; what `retention.age` says otherwise.",
)
@click.option("--dry-run", is_flag=True, help="Only say how much it would be.")
@faced
def gc(face: Face, days: float | None, *, dry_run: bool) -> None:
    """Forget runs that ended long ago, their verdicts, decisions, journals and content.

    Works with the daemon down; a running one collects by itself.
    """
    from stratum_orchestrator.boot import daemon

    try:
        found = anyio.run(_collect, face, days, dry_run)
    except Stop as stop:
        stop.show()
        daemon.leave(stop.exit_code)
    if face.screen.for_people:
        verb = "would be forgotten" if dry_run else "forgotten"
        face.screen.line(
            Span(f"{found.runs} runs, {found.verdicts} verdicts, "),
            Span(f"{found.decisions} decisions and {found.journal} journal entries {verb}"),
        )
        size = f"{found.content} files of content, {found.bytes / _MIB:.1f} MiB, "
        face.screen.line(Span(size + ("would be removed" if dry_run else "removed")))
    else:
        face.screen.value({**found._asdict(), "dry_run": dry_run})
    daemon.leave(Exit.OK)


async def _collect(face: Face, days: float | None, dry_run: bool) -> Found:  # noqa: FBT001
    from stratum_orchestrator import storage
    from stratum_orchestrator.cli.workspace import read_settings
    from stratum_orchestrator.home import Home
    from stratum_state.surreal import has_store

    settings = await read_settings(face)
    home = Home(face.home)
    if not settings.surrealdb.url and not has_store(home.database):
        raise NoStore(home.database)
    age_s = settings.retention.age if days is None else days * _DAY_S
    try:
        passed = wanted(config.environment()).passed
        async with storage.opening(settings, home, passed=passed) as store:
            shared = settings.definitions.content
            kept = ContentStore(home.project / shared if shared else home.content)
            content = Content(disused=Attic(kept), store=store, trees_of=Plans(kept).trees)
            if dry_run:
                before_ms = time.time_ns() // 1_000_000 - round(age_s * 1000)
                found = await store.collect(before_ms, _MANY, dry_run=True)
                return Found(*found, *await content.collect(before_ms, dry_run=True))
            gone = await Retention(store, WallClock(), age_s).collect()
            return Found(*gone, *await content.collect())
    except StoreInUse as why:
        raise InUse(why) from None
    except StateError as why:
        raise StoreAway(why) from None
