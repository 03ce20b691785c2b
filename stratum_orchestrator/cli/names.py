"""What arguments name: runs, pipelines, nodes and keys, which shells complete.

Completion asks the daemon, for a moment only: whoever presses the tab key does not wait.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

import click
from click.shell_completion import CompletionItem

from stratum_orchestrator.cli.exits import Stop
from stratum_orchestrator.cli.home import find

DEFAULT_KEY = "developer"
"""Whose key signs where nobody says so."""
_RUN_ID = re.compile(r"[0-9a-f]{1,25}")
_PATIENCE_S = 0.4
_SHOWN = 50


class _Named(click.ParamType[str]):
    """A text that shells complete with what the daemon knows."""

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        del param, ctx
        return str(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        del param
        given = ctx.meta.get("stratum.home")
        home = find(given if isinstance(given, Path) else None, Path.cwd())
        try:
            found = list(self.known(home, ctx))
        except Stop:
            return []
        return [
            CompletionItem(name, help=help_)
            for name, help_ in found
            if name.startswith(incomplete)
        ]

    def known(self, home: Path, ctx: click.Context) -> Iterable[tuple[str, str]]:
        """Each name with a word about it; Stop when nobody can say."""
        raise NotImplementedError


class RunName(_Named):
    """A run's id, or a unique beginning."""

    name = "run"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        # it becomes a part of a path; the daemon says what is no id
        return quote(super().convert(value, param, ctx).strip().lower(), safe="") or "-"

    def known(self, home: Path, ctx: click.Context) -> Iterable[tuple[str, str]]:
        del ctx
        from stratum_orchestrator.cli.client import Daemon  # noqa: PLC0415 - not for help
        from stratum_orchestrator.client.answers import Runs  # noqa: PLC0415

        daemon = Daemon.at(home, patience_s=_PATIENCE_S)
        found, _ = daemon.ask("/api/v1/runs", Runs, {"limit": _SHOWN})
        return [(run.id, f"{run.pipeline} {run.status}") for run in found.runs]


class PipelineName(_Named):
    """A pipeline."""

    name = "pipeline"

    def known(self, home: Path, ctx: click.Context) -> Iterable[tuple[str, str]]:
        del ctx
        from stratum_orchestrator.cli.client import Daemon  # noqa: PLC0415
        from stratum_orchestrator.client.answers import Pipelines  # noqa: PLC0415

        daemon = Daemon.at(home, patience_s=_PATIENCE_S)
        found, _ = daemon.ask("/api/v1/pipelines", Pipelines)
        return [(each.name, " ".join(each.subjects)) for each in found.pipelines]


class NodeName(_Named):
    """A node of the run that is named before it."""

    name = "node"

    def known(self, home: Path, ctx: click.Context) -> Iterable[tuple[str, str]]:
        from stratum_orchestrator.cli.client import Daemon  # noqa: PLC0415
        from stratum_orchestrator.client.answers import Run  # noqa: PLC0415

        run_id = str(ctx.params.get("run_id") or "")
        if not _RUN_ID.fullmatch(run_id):
            return []
        daemon = Daemon.at(home, patience_s=_PATIENCE_S)
        run, _ = daemon.ask(f"/api/v1/runs/{run_id}", Run)
        return [(node, f"stage {at + 1}") for at, of in enumerate(run.stages) for node in of]


class KeyName(_Named):
    """A key in the home, or the path of a key file."""

    name = "key"

    def known(self, home: Path, ctx: click.Context) -> Iterable[tuple[str, str]]:
        del ctx
        return [(each.stem, "") for each in sorted((home / "keys").glob("*.nk"))]


RUN, PIPELINE, NODE, KEY = RunName(), PipelineName(), NodeName(), KeyName()
