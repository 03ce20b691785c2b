"""Which containment this machine has, and why not more."""

import pytest

from stratum_graph.definitions import landlock
from stratum_orchestrator.execution import bubblewrap

PATH = ("/usr/local/bin", "/usr/bin", "/bin")
_, NO_BUBBLEWRAP = bubblewrap.find(PATH)
NO_LANDLOCK = "" if landlock.abi() else "this kernel has no Landlock"

needs_landlock = pytest.mark.skipif(bool(NO_LANDLOCK), reason=NO_LANDLOCK or "it is there")
needs_bubblewrap = pytest.mark.skipif(
    bool(NO_BUBBLEWRAP), reason=NO_BUBBLEWRAP or "it is there"
)
FENCED = [
    pytest.param("landlock", marks=needs_landlock),
    pytest.param("bubblewrap", marks=needs_bubblewrap),
]
"""Levels for which what is not declared is out of reach."""
