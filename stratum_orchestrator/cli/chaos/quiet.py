"""Waiting until everything has come to its end."""

from collections.abc import Iterable
from dataclasses import dataclass

import anyio
from anyio import to_thread
from msgspec import Struct

from stratum_orchestrator.cli.chaos.lives import Household
from stratum_orchestrator.cli.client import Daemon, Refusal
from stratum_orchestrator.client.answers import Verdict

_POLL_S = 0.1
_VERDICT_S = 20.0


class Live(Struct, frozen=True):
    """How many runs are under way."""

    live_runs: int


@dataclass(frozen=True, slots=True)
class Rest:
    """Whether it came to rest in time, and what kept it from that."""

    settled: bool
    why: str = ""


async def until_quiet(household: Household, sequences: Iterable[int], within_s: float) -> Rest:
    """Wait until every event has a verdict and no run is under way."""
    daemon = Daemon.at(household.home)
    waiting_for = "the first verdict"
    with anyio.move_on_after(within_s):
        for sequence in sequences:
            waiting_for = f"the verdict on event {sequence}"
            while not await _has_verdict(daemon, sequence):  # noqa: ASYNC110 - asked over HTTP
                await anyio.sleep(_POLL_S)
        while live := await _live(daemon):
            waiting_for = f"{live} runs"
            await anyio.sleep(_POLL_S)
        return Rest(settled=True)
    return Rest(settled=False, why=f"waited {within_s:g} s for {waiting_for}")


async def _has_verdict(daemon: Daemon, sequence: int) -> bool:
    def ask() -> bool:
        try:
            daemon.ask(f"/api/v1/verdicts/{sequence}", Verdict, wait_s=_VERDICT_S)
        except Refusal:
            return False
        return True

    return await to_thread.run_sync(ask, abandon_on_cancel=True)


async def _live(daemon: Daemon) -> int:
    def ask() -> int:
        return daemon.ask("/api/v1/status", Live)[0].live_runs

    return await to_thread.run_sync(ask, abandon_on_cancel=True)
