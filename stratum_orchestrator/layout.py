"""Where the parts of a project lie, and how its steps are run, as the settings say."""

import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from stratum_graph.definitions.remote.places import Credential, Places
from stratum_orchestrator import config
from stratum_orchestrator.config import Settings
from stratum_orchestrator.execution.settings import ExecutionSettings
from stratum_orchestrator.home import ACCESS, CONTENT, PRINCIPALS
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
        scripts=scripts(settings, project, home),
    )


def content(settings: Settings, project: Path, home: Path) -> Path:
    """The folder that keeps scripts and plans by digest."""
    chosen = settings.definitions.content
    return project / chosen if chosen else home / CONTENT


def scripts(settings: Settings, project: Path, home: Path) -> Places:
    """Where scripts that definitions name may come from."""
    chosen = settings.scripts
    return Places(
        hosts=frozenset(chosen.hosts),
        credentials=tuple(
            Credential(
                name=each.name,
                hosts=each.hosts,
                user=each.user,
                secret_file=project / each.secret_file,
            )
            for each in chosen.credentials
        ),
        ca=str(project / chosen.ca_file) if chosen.ca_file else "",
        kept=content(settings, project, home),
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
    for given in _secrets(settings):
        file = project / given
        if given and file.exists() and file.stat().st_mode & stat.S_IRWXO:
            yield file


def _secrets(settings: Settings) -> Iterator[str]:
    for name in config.fields():
        if name.endswith("_file") and not name.endswith(_PUBLIC):
            yield str(config.value_of(settings, name))
    yield from (each.secret_file for each in settings.scripts.credentials)
