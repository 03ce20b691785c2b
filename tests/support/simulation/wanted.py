"""What the environment asks of the simulation."""

import os

_ENVIRONMENT = os.environ  # noqa: TID251 - the settings of the tests, not of the product

RUNS = int(_ENVIRONMENT.get("STRATUM_SIM_RUNS", "300"))
"""How many rough histories to play."""
FROM = int(_ENVIRONMENT.get("STRATUM_SIM_FROM", "0"))
"""The first of their seeds."""
SEED = _ENVIRONMENT.get("STRATUM_SEED", "")
"""The one history to play again, and to tell."""
IS_LONG = "STRATUM_SIM_RUNS" in _ENVIRONMENT
