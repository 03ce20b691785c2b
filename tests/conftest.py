"""What every test shares: the event loop they run on, and their order."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is no fault of what is tested.
settings.register_profile(
    "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("patient")

pytest_plugins = ["support.vigil"]

_ORDER = ("unit", "contract", "simulation", "acceptance", "crash")
_ROOT = Path(__file__).parent


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Cheap folders first; within those that kill, the longest files first.

    So failures show early, and no core is left alone with a long file at the end. Everything
    else stays as it was shuffled.
    """
    allowed: dict[Path, float] = {}
    for item in items:
        marker = item.get_closest_marker("timeout")
        most = float(marker.args[0]) if marker and marker.args else 0.0
        allowed[item.path] = max(most, allowed.get(item.path, 0.0))
    items.sort(key=lambda item: _rank(item, allowed[item.path]))


def _rank(item: pytest.Item, allowed_s: float) -> tuple[int, float]:
    folder = item.path.relative_to(_ROOT).parts[0]
    cost = _ORDER.index(folder) if folder in _ORDER else len(_ORDER)
    return cost, -allowed_s if folder == "crash" else 0.0
