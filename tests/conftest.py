"""What every test shares: the event loop they run on, and fast ones first."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is no fault of what is tested.
settings.register_profile(
    "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("patient")

_ORDER = ("unit", "contract", "simulation", "acceptance", "crash")
_ROOT = Path(__file__).parent


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the shuffled order within a folder, and the folders in order of their cost."""
    items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    folder = item.path.relative_to(_ROOT).parts[0]
    return _ORDER.index(folder) if folder in _ORDER else len(_ORDER)
