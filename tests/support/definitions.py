"""Folders with definitions in them, and a source that loads them from there."""

from collections.abc import Mapping
from pathlib import Path

from stratum_graph.definitions.content import ContentStore
from stratum_graph.definitions.directory import DirectorySource
from stratum_graph.definitions.remote.fetcher import Fetcher
from stratum_graph.definitions.remote.places import NOWHERE, Places
from stratum_graph.definitions.workers import EvaluationLimits

REPOSITORY = Path(__file__).resolve().parents[2]
LIBRARY = REPOSITORY / "ncl"
LOW_LIMITS = EvaluationLimits(memory=256 << 20, cpu_s=1, quiet_s=10)
"""Enough for an honest file; a hostile one is soon at its end."""
SCRIPT = 'def main [] { "{}" }\n'


def node(name: str = "lint", more: str = "") -> str:
    """Write a small valid node, and more fields."""
    return f"""{{
  name = "{name}",
  trigger = {{ pipeline = "crate", subjects = ["events.crate.pushed"] }},
  handler.script = "run.nu",
  {more}
}}
"""


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """Put files below a folder, by relative path; return the folder."""
    for name, text in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return folder


def source(
    *folders: Path,
    store: Path,
    limits: EvaluationLimits | None = None,
    places: Places = NOWHERE,
    pause_s: float = 60,
) -> DirectorySource:
    """A source over these folders, with the shipped library."""
    content = ContentStore(store)
    fetcher = Fetcher(places, content, pause_s=pause_s)
    return DirectorySource(
        folders, library=LIBRARY, content=content, limits=limits, fetcher=fetcher
    )
