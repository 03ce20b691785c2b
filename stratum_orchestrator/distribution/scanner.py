"""gitleaks, where it is installed: it knows more kinds of secrets than our own rules."""

import json
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from subprocess import DEVNULL, PIPE
from tempfile import TemporaryDirectory

import anyio

from stratum_graph.diagnostics import Diagnostic
from stratum_orchestrator.distribution.leaks import ALLOWED

_WITHIN_S = 120
_FOUND = 7
_PUBLIC_KEY = re.compile(r"\bU[A-Z2-7]{55}\b")
_HINT = f"if it is none, write `{ALLOWED}` beside it"


class ScanFailed(Exception):
    """The scanner did not work: whatever it did not see, nobody has seen."""

    def __init__(self, program: str, why: str) -> None:
        super().__init__(f"{program} failed: {why}")


def find() -> str | None:
    """The program: beside our own interpreter, or on the PATH."""
    beside = Path(sys.executable).with_name("gitleaks")
    return str(beside) if beside.is_file() else shutil.which("gitleaks")


async def scan(program: str, files: Mapping[str, bytes]) -> tuple[Diagnostic, ...]:
    """What it finds in the files; the findings never repeat a secret. Raises ScanFailed."""
    with TemporaryDirectory(prefix="stratum-scan-") as scratch:
        folder, report = Path(scratch) / "files", Path(scratch) / "report.json"
        await anyio.to_thread.run_sync(_lay_out, folder, files)
        flags = [
            "--no-banner",
            "--redact",
            "--report-format",
            "json",
            "--exit-code",
            str(_FOUND),
        ]
        try:
            with anyio.fail_after(_WITHIN_S):
                ended = await anyio.run_process(
                    [program, "dir", str(folder), *flags, "--report-path", str(report)],
                    stdin=DEVNULL,
                    stdout=DEVNULL,
                    stderr=PIPE,
                    check=False,
                    env={"HOME": scratch, "PATH": "/usr/bin:/bin"},
                )
        except (OSError, TimeoutError) as error:
            raise ScanFailed(program, str(error) or f"no end within {_WITHIN_S} s") from None
        if ended.returncode not in {0, _FOUND}:
            raise ScanFailed(program, ended.stderr.decode(errors="replace")[-500:])
        return tuple(_findings(report.read_bytes(), folder, files))


def _lay_out(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def _findings(report: bytes, folder: Path, files: Mapping[str, bytes]) -> list[Diagnostic]:
    found = []
    for each in json.loads(report or b"[]") or []:
        name = Path(each["File"]).relative_to(folder).as_posix()
        line = int(each["StartLine"])
        lines = files[name].decode(errors="replace").splitlines()
        said = "".join(lines[line - 1 : line])
        is_public = each["RuleID"] == "generic-api-key" and _PUBLIC_KEY.search(said)
        if ALLOWED not in said and not is_public:
            message = f"looks like a secret to gitleaks ({each['RuleID']})"
            found.append(Diagnostic(file=name, line=line, message=message, hint=_HINT))
    return found
