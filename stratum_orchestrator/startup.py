"""Starting up: steps in a fixed order, each named, timed and hard."""

import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter
from typing import TypeVar

import anyio

from platform_nats.errors import (
    NotAuthorized,
    ServerInUse,
    TransportError,
)
from stratum_graph.diagnostics import Diagnostic
from stratum_graph.errors import GraphError
from stratum_orchestrator.api.http import AddressTaken
from stratum_orchestrator.auth.errors import AuthError, BadPolicies
from stratum_orchestrator.config import BadConfig
from stratum_orchestrator.crashpoints import UnknownCrashPoint
from stratum_orchestrator.errors import CredentialsDenied
from stratum_orchestrator.execution.errors import ExecutionError
from stratum_orchestrator.home import HomeIncomplete
from stratum_orchestrator.mischief import BadMischief
from stratum_state.errors import (
    BadAddress,
    DiskFailed,
    Fenced,
    NewerSchema,
    NotLetIn,
    StateError,
    StoreInUse,
    Unavailable,
)

log = logging.getLogger(__name__)

T = TypeVar("T")
_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 2.0

DATA, UNAVAILABLE, SOFTWARE, IO, IN_USE, PERMISSION, CONFIG = 65, 69, 70, 74, 75, 77, 78
"""Exit codes of sysexits.h."""

_CODES: Sequence[tuple[type[Exception], int]] = (
    (BadConfig, CONFIG),
    (UnknownCrashPoint, CONFIG),
    (BadMischief, CONFIG),
    (HomeIncomplete, CONFIG),
    (StoreInUse, IN_USE),
    (ServerInUse, IN_USE),
    (AddressTaken, IN_USE),
    (Fenced, IN_USE),
    (BadAddress, CONFIG),
    (NotLetIn, PERMISSION),
    (NewerSchema, CONFIG),
    (DiskFailed, IO),
    (Unavailable, UNAVAILABLE),
    (StateError, IO),
    (NotAuthorized, PERMISSION),
    (TransportError, UNAVAILABLE),
    (BadPolicies, DATA),
    (AuthError, CONFIG),
    (CredentialsDenied, PERMISSION),
    (GraphError, DATA),
    (ExecutionError, UNAVAILABLE),
    (PermissionError, PERMISSION),
    (OSError, IO),
)


class BadDefinitions(GraphError):
    """The definitions cannot become a graph; each finding with its place."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        count = len(diagnostics)
        lines = "\n".join(f"  {each}" for each in diagnostics)
        super().__init__(f"{count} error{'s' * (count > 1)} in the definitions\n{lines}")
        self.diagnostics = tuple(diagnostics)


class StartFailed(Exception):
    """A step of the start failed: which one, why, and the exit code."""

    def __init__(self, step: str, cause: Exception) -> None:
        super().__init__(f"cannot start, {step} failed: {cause}")
        self.step = step
        self.code = code_of(cause)


def code_of(cause: BaseException) -> int:
    """The exit code for what ended the daemon."""
    if isinstance(cause, StartFailed):
        return cause.code
    return next((code for kind, code in _CODES if isinstance(cause, kind)), SOFTWARE)


@contextmanager
def step(name: str) -> Iterator[None]:
    """One step of the start: logged with its time, or StartFailed with its name and cause."""
    began = perf_counter()
    try:
        yield
    except StartFailed:
        raise
    except Exception as cause:
        known = any(isinstance(cause, kind) for kind, _ in _CODES)
        if not known:
            log.exception("step of the start met a fault", extra={"step": name})
        raise StartFailed(name, cause) from cause
    took_ms = round((perf_counter() - began) * 1000)
    log.info("step of the start done", extra={"step": name, "took_ms": took_ms})


async def patiently(attempt: Callable[[], Awaitable[T]], within_s: float) -> T:
    """What the attempt gives, made again while the store is away, for so many seconds.

    The parts of a deployment start together, in no order. Raises what the last attempt raised.
    """
    give_up = anyio.current_time() + within_s
    pause = _FIRST_PAUSE_S
    while True:
        try:
            return await attempt()
        except Unavailable as away:
            if isinstance(away, DiskFailed) or anyio.current_time() + pause > give_up:
                raise
            if pause == _FIRST_PAUSE_S:
                extra = {"why": str(away), "at_most_s": within_s}
                log.warning("waiting for the store", extra=extra)
        await anyio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_S)


def first(group: BaseExceptionGroup[Exception]) -> Exception:
    """The leaf that came first; the others are its consequences."""
    leaf = group.exceptions[0]
    return first(leaf) if isinstance(leaf, BaseExceptionGroup) else leaf
