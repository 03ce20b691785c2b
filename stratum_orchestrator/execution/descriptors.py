"""How many descriptors this process may have, and how many steps that is enough for."""

import resource

from stratum_orchestrator.execution.errors import TooFewDescriptors

OWN = 256
"""For the broker, the database, the API and whatever libraries open."""
EACH = 8
"""For one step: both ends of three pipes, what watches them, and the process."""


def most_steps(wanted: int, limit: int) -> int:
    """How many of the wanted processes can run at a time; TooFewDescriptors for none."""
    enough_for = (limit - OWN) // EACH
    if limit != resource.RLIM_INFINITY and enough_for < 1:
        raise TooFewDescriptors(limit, OWN + EACH)
    return wanted if limit == resource.RLIM_INFINITY else min(wanted, enough_for)


def raise_limit() -> int:
    """Take as many descriptors as we may have; how many that is.

    Steps are not concerned: each gets the limit of its own node.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
