"""A copy of a project in a place of its own: its daemon never meets the original's."""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from stratum_orchestrator import config
from stratum_orchestrator.config import Settings
from stratum_orchestrator.home import NAME

_PREFIX = "STRATUM_"
_OWN = (
    *("surrealdb.", "http.", "instance.", "log."),
    *("nats.url", "nats.port", "nats.seed_file", "nats.duplicate_window"),
    *("definitions.", "policies."),
)
"""Settings that say where the original and its servers are."""


def copy_project(project: Path, settings: Settings, into: Path) -> Mapping[str, str]:
    """Copy what the definitions and policies consist of; the environment of its daemons.

    Keys, principals and data stay behind: the copy has a developer of its own.
    """
    wanted: dict[str, object] = {
        "http.port": 0,
        "log.format": "json",
        "definitions.folders": _copied(project, settings.definitions.folders, into),
    }
    for field in ("definitions.library", "policies.folder"):
        if named := str(config.value_of(settings, field)):
            wanted[field] = _copied(project, [named], into)[0]
    beside = project / "node_modules"
    if beside.is_dir():
        (into / beside.name).symlink_to(beside.resolve())
    return _variables(settings, wanted)


def home_of(project: Path) -> Path:
    """The home of a copied project."""
    return project / NAME


def _copied(project: Path, folders: Iterable[str], into: Path) -> list[str]:
    found = []
    for number, named in enumerate(folders):
        original = project / named
        copy = into / f"{number}-{original.name}"
        if original.is_dir():
            shutil.copytree(original, copy, symlinks=False)
        found.append(str(copy))
    return found


def _variables(settings: Settings, wanted: Mapping[str, object]) -> Mapping[str, str]:
    standard = Settings()
    kept = {
        field: value
        for field in config.fields()
        if not field.startswith(_OWN)
        and (value := config.value_of(settings, field)) != config.value_of(standard, field)
    }
    chosen = {
        config.variable(field): _text(value) for field, value in {**kept, **wanted}.items()
    }
    inherited = {
        name: value
        for name, value in config.environment().items()
        if not name.startswith(_PREFIX)
    }
    return {**inherited, **chosen}


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
