"""The page of the state machines."""

from pathlib import Path

from stratum_state import states

PAGE = Path(__file__).parents[3] / "docs" / "states.md"


def test_the_page_of_states_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == states.page(), "run scripts/generate-docs"
