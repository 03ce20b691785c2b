"""How long to wait before trying again."""

from stratum_graph.model import Retry
from stratum_orchestrator.ports import Rng


def pause_s(retry: Retry, failures: int, rng: Rng) -> float:
    """Seconds before the next attempt after so many failures: exponential, capped, jittered.

    The jitter takes away up to its share, so that the cap holds.
    """
    delay = min(retry.delay * retry.factor ** (failures - 1), retry.max_delay)
    return delay * (1 - retry.jitter * rng.random())
