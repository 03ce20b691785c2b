"""Types what a page says, as a reader would, and looks at what comes of it."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Self

import pytest

from support.daemon import REPOSITORY
from support.vigil import Vigil

STRATUM = REPOSITORY / ".venv" / "bin" / "stratum"
needs_setup = pytest.mark.skipif(
    not STRATUM.exists(), reason="scripts/setup was not called in this checkout"
)
_PART = re.compile(
    r"(?:^`(?P<file>[^`\n]+)`:\n\n)?^```(?P<kind>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_DIFFERS = (
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "UUID"),
    (re.compile(r"\bsha256:[0-9a-f]+"), "DIGEST"),
    (re.compile(r"\b[0-9a-f]{25}\b"), "RUN"),
    (re.compile(r"\b\d+\.\d+s\b"), "TIME"),
    (re.compile(r"#\d+\b"), "SEQUENCE"),
    (re.compile(r" {2,}"), " "),
)
_MARK = "the reader has the prompt back"


class Part(NamedTuple):
    """A block of a page: a file to write, commands to type, or what they print."""

    kind: str
    text: str
    file: str = ""


def parts(page: str) -> Iterator[Part]:
    """The blocks of a page, in its order."""
    for found in _PART.finditer(page):
        yield Part(found["kind"], found["text"], found["file"] or "")


def is_as_printed(shown: str, printed: str) -> bool:
    """Whether a page shows what was printed: ids, numbers and times may differ, `…` is any."""
    pattern = "".join(
        "(?:.*\n)*" if line.strip() == "…" else re.escape(line).replace("…", ".*") + "\n"
        for line in _same(shown).splitlines()
    )
    return re.fullmatch(pattern, _same(printed)) is not None


def _same(text: str) -> str:
    for pattern, word in _DIFFERS:
        text = pattern.sub(word, text)
    return text


def follow(page: str, terminal: "Terminal") -> list[tuple[str, str]]:
    """Type a page from top to bottom; what it shows and what was printed, where they differ."""
    differing: list[tuple[str, str]] = []
    printed = ""
    for part in parts(page):
        if part.kind == "sh":
            printed = terminal.type(part.text)
        elif not part.kind and not is_as_printed(part.text, printed):
            differing.append((part.text, printed))
    return differing


class Terminal:
    """A shell that keeps its folder and its variables from one block to the next."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._shell = subprocess.Popen(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail"],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
        )
        self._vigil = Vigil(folder)
        self._vigil.begin(self._shell.pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Press Ctrl-C and close it."""
        with self._shell:
            if self._shell.poll() is None:
                os.killpg(self._shell.pid, signal.SIGINT)
        self._vigil.end()

    def type(self, commands: str) -> str:
        """What they print; AssertionError when one of them fails."""
        self._enter(f"{{\n{commands}\n}} </dev/null\necho '{_MARK}'\n")
        printed: list[str] = []
        assert self._shell.stdout is not None
        for line in self._shell.stdout:
            said, mark, _ = line.partition(_MARK)
            printed += [said + "\n"] if mark and said else [] if mark else [line]
            if mark:
                self._vigil.hear_typed(commands, "".join(printed))
                return "".join(printed)
        raise AssertionError("".join((commands, *printed)))

    @classmethod
    def of_a_reader(cls, folder: Path) -> Self:
        """In a project, with the `stratum` of this checkout on the PATH, and little else."""
        path = os.environ["PATH"]  # noqa: TID251 - a reader has a PATH
        environment = {
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "PATH": f"{STRATUM.parent}:{path}",
        }
        return cls(folder, environment)

    def leave_running(self, command: str, log: str) -> None:
        """Type a command that keeps the terminal until Ctrl-C."""
        self._enter(f"{command.strip()} </dev/null >{log} 2>&1\n")

    def _enter(self, text: str) -> None:
        assert self._shell.stdin is not None
        self._shell.stdin.write(text)
        self._shell.stdin.flush()
