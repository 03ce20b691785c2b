"""Where the parts of a project lie, and how its steps are run, as the settings say."""

import sys
from pathlib import Path

from stratum_orchestrator import config
from stratum_orchestrator.config import Settings
from stratum_orchestrator.execution.settings import ExecutionSettings
from stratum_orchestrator.home import PRINCIPALS
from stratum_orchestrator.knowledge import Sources


def sources(settings: Settings, project: Path, home: Path) -> Sources:
    """Definitions, principals and policies; the shipped nodes where a project has none."""
    chosen, policies = settings.definitions, settings.policies.folder
    folders = tuple(project / each for each in chosen.folders)
    if not any(folder.is_dir() for folder in folders):
        folders = (config.nodes(),)
    return Sources(
        folders=folders,
        library=project / chosen.library if chosen.library else config.library(),
        principals=project / chosen.principals if chosen.principals else home / PRINCIPALS,
        policies=project / policies if policies else config.policies(),
        subjects=settings.nats.subjects,
    )


def execution(
    settings: Settings, project: Path, *, data: Path, scratch: Path, token: str
) -> ExecutionSettings:
    """How steps are run: with the programs of our own environment in front of the system's."""
    chosen = settings.execution
    beside = (project / "node_modules").is_dir()
    made = ExecutionSettings(
        data=data,
        scratch=scratch,
        token=token,
        nu=Path(chosen.nu) if chosen.nu else None,
        project=project if beside else config.root(),
        grace_s=chosen.grace,
        level=chosen.level,
        path=(str(Path(sys.executable).parent), *chosen.path),
        execute=(sys.prefix, sys.base_prefix, *chosen.execute),
    )
    return made.with_parallel(chosen.parallel) if chosen.parallel else made
