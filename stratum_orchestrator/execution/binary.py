"""Finding a Nushell that is new enough."""

# ruff: noqa: TRY003 - NushellMissing wraps the places that were tried

import os
import re
import shutil
import subprocess
from pathlib import Path

from stratum_orchestrator.execution.errors import NushellMissing, NushellTooOld
from stratum_orchestrator.execution.settings import ExecutionSettings

OLDEST = (0, 114)
"""The first minor version with `pipefail` on: below it, failures in pipelines are lost."""
_ANSWER_S = 20


def find(settings: ExecutionSettings) -> str:
    """Return the absolute path of the binary; blocks for as long as `nu --version` takes.

    Looks at the configured path, then below `node_modules` of the project folder (the binary
    itself: what npm puts on the PATH is a Node.js program around it), then on PATH.
    Raises NushellMissing or NushellTooOld, both with the remedy.
    """
    if settings.nu is not None:
        return _checked(settings.nu, looked=f"configured: {settings.nu}")
    modules = settings.project.absolute() / "node_modules" / "@nushell"
    path = os.pathsep.join(settings.path)
    on_path = shutil.which("nu", path=path)
    for candidate in (*sorted(modules.glob("*/bin/nu")), *([Path(on_path)] if on_path else [])):
        return _checked(candidate, looked=str(candidate))
    raise NushellMissing(f"looked in {modules} and on PATH {path}")


def _checked(binary: Path, looked: str) -> str:
    try:
        answer = subprocess.run(  # noqa: S603 - the operator names the binary
            [binary.absolute(), "--version"],
            env={},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_ANSWER_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NushellMissing(f"{looked}: {error}") from None
    version = answer.stdout.decode(errors="replace").strip()
    numbers = re.match(r"(\d+)\.(\d+)", version)
    if numbers is None or tuple(map(int, numbers.groups())) < OLDEST:
        raise NushellTooOld(str(binary), version, ".".join(map(str, OLDEST)))
    return str(binary.resolve())
