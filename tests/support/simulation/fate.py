"""What goes wrong in a simulated world, and when."""

from dataclasses import dataclass

YEARS_MS = 10 * 365 * 24 * 3600 * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """When the daemon is killed: at boundaries by their number, or by chance."""

    crashes: frozenset[int] = frozenset()
    at_random: int = 0
    """How many more times at most, at boundaries drawn by chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """How likely everything else goes wrong while the turbulence lasts; not, by default."""

    until: int = 0
    """The number of boundaries for which the turbulence lasts."""
    store_breaks: float = 0
    """A write fails, and with it the connection to the store."""
    unclear: float = 0.5
    """Share of those whose write became durable nevertheless."""
    unreadable: float = 0
    """A read fails."""
    answer_lost: float = 0
    """The broker does not hear an answer."""
    step_fails: float = 0
    step_hangs: float = 0
    afterlife: float = 0
    """What was under way when the daemon was killed still happens."""
    stops: float = 0
    """The daemon is asked to stop, by boundary."""
    clock_jumps: float = 0
    """By boundary."""
    pauses: float = 0
    """The daemon is stopped for a while, by boundary. Only where there are others."""
    slow_s: float = 0.001
    """The longest time that a commit takes."""


CALM = Faults()
ROUGH = Faults(
    until=500,
    store_breaks=0.004,
    unreadable=0.02,
    answer_lost=0.1,
    step_fails=0.08,
    step_hangs=0.02,
    afterlife=0.5,
    stops=0.002,
    clock_jumps=0.01,
    slow_s=0.5,
)
