"""Reloads whenever something may have changed: told by the file system, or by a signal."""

import logging
import signal
from collections.abc import Callable

import anyio

from stratum_graph.definitions.watch import Places, Watch
from stratum_orchestrator.auth import roster
from stratum_orchestrator.knowledge import Sources
from stratum_orchestrator.reload.reloader import Reloader

log = logging.getLogger(__name__)

RESCAN_S = 10.0
"""How often to look without being told; what did not change is not read for it."""


async def watch(reloader: Reloader, resolve: Callable[[], Sources]) -> None:
    """Reload at every change of what the sources name, until cancelled."""
    with Watch() as eyes:
        while True:
            fresh = await anyio.to_thread.run_sync(eyes.cover, _places(resolve()))
            if fresh:
                await reloader.reload("watched from here on")
            told = await eyes.changed(RESCAN_S)
            await reloader.reload("files changed" if told else "looked again")


async def obey_signals(reloader: Reloader) -> None:
    """Reload at every SIGHUP, until cancelled."""
    with anyio.open_signal_receiver(signal.SIGHUP) as signals:
        async for number in signals:
            outcome = await reloader.reload(number.name)
            log.info("reload asked for", extra={"by": number.name, "outcome": outcome.kind})


def _places(sources: Sources) -> Places:
    folders = (*sources.folders, *sources.awaited, sources.library, sources.policies)
    return Places(folders, (sources.principals, sources.access / roster.FILE))
