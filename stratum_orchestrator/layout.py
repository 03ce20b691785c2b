"""Where the parts of a project lie, and how its steps are run, as the settings say."""

import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from stratum_orchestrator import config
from stratum_orchestrator.config import Settings
from stratum_orchestrator.execution.settings import ExecutionSettings
from stratum_orchestrator.home import ACCESS, PRINCIPALS
from stratum_orchestrator.knowledge import Sources

_PUBLIC = ".ca_file"
"""The settings of files that are no secrets end so."""


def sources(settings: Settings, project: Path, home: Path) -> Sources:
    """Definitions, principals and policies; the shipped nodes where a project has none."""
    chosen, policies = settings.definitions, settings.policies.folder
    own = tuple(project / each for each in chosen.folders)
    has_own = any(folder.is_dir() for folder in own)
    return Sources(
        folders=own if has_own else (config.nodes(),),
        awaited=() if has_own else own,
        library=project / chosen.library if chosen.library else config.library(),
        principals=project / chosen.principals if chosen.principals else home / PRINCIPALS,
        policies=project / policies if policies else config.policies(),
        subjects=settings.nats.subjects,
        access=access(settings, project, home),
    )


def access(settings: Settings, project: Path, home: Path) -> Path:
    """The folder in which commands keep who has access."""
    chosen = settings.policies.access
    return project / chosen if chosen else home / ACCESS


class Resolver:
    """Where the parts lie at each moment. A project's own folders never give way to ours."""

    def __init__(self, look: Callable[[], Sources]) -> None:
        self._look = look
        self._own: Sources | None = None

    def __call__(self) -> Sources:
        """What there is now; folders that are gone are missed, and not replaced."""
        found = self._look()
        if not found.awaited:
            self._own = found
        return self._own or found


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


def open_secrets(settings: Settings, project: Path) -> Iterator[Path]:
    """Files with secrets that the settings name, and that everybody on the machine can read."""
    for name in config.fields():
        is_secret = name.endswith("_file") and not name.endswith(_PUBLIC)
        if is_secret and (given := config.value_of(settings, name)):
            file = project / str(given)
            if file.exists() and file.stat().st_mode & stat.S_IRWXO:
                yield file
