"""Chance that can be repeated: the seed is printed, and taken from STRATUM_SEED if set."""

import os
import random


def seeded() -> random.Random:
    """A generator whose seed the output of a failed test shows."""
    given = os.environ.get("STRATUM_SEED")  # noqa: TID251 - tests have no configuration
    seed = int(given) if given else random.randrange(2**32)  # noqa: S311
    print(f"STRATUM_SEED={seed}")  # noqa: T201
    return random.Random(seed)  # noqa: S311
