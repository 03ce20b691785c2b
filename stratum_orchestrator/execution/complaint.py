"""The one sentence of stderr that says what went wrong."""

import json
import re
from pathlib import PurePosixPath

_LONGEST = 600
_NOISE = "RUST_BACKTRACE"
_REPORT = re.compile(r"^Error: .*$", re.MULTILINE)
_MESSAGE = re.compile(r"^ +[x\u00d7] (?P<text>.+(?:\n +[|│] .+)*)", re.MULTILINE)
_PLACE = re.compile(r"^ +[,╭][-─]\[(?P<file>.+):(?P<line>\d+):(?P<column>\d+)\]", re.MULTILINE)
_LABEL = re.compile(r"[`╰├][-─]+[─┤]? (?P<text>.+)$", re.MULTILINE)
_MISSING = re.compile(r"Command `(?P<program>[^`]+)` not found")
_PATHS = "`execution.path`, and in `execution.execute` where that is not the system's"
_HELP = re.compile(r"^ +help: (?P<text>.+(?:\n {8}.+)*)", re.MULTILINE)


def complaint(stderr: str) -> str:
    """Return what the script, Nushell or a program said last, on one line; may be empty.

    Preferred is what the script itself gave to `stratum fail`, then Nushell's last error
    report (format of `--error-style plain`), then the last line.
    """
    lines = [line for line in stderr.splitlines() if line.strip() and _NOISE not in line]
    for line in reversed(lines):
        if said := _said(line):
            return _one_line(said)
    reports = [match.start() for match in _REPORT.finditer(stderr)]
    if reports and (found := _reported(stderr[reports[-1] :])):
        return _one_line(found)
    return _one_line(lines[-1]) if lines else ""


def _said(line: str) -> str | None:
    """Return the message of a line that `stratum fail` wrote."""
    if not line.startswith('{"stratum":"fail"'):
        return None
    try:
        value = json.loads(line)
    except ValueError:
        return None
    message = value.get("message") if isinstance(value, dict) else None
    return message if isinstance(message, str) else None


def _reported(report: str) -> str | None:
    message = _MESSAGE.search(report)
    if message is None:
        return None
    parts = [re.sub(r"\n +[|│] ", " ", message["text"])]
    if label := _LABEL.search(report):
        parts.append(f": {label['text']}")
    if place := _PLACE.search(report):
        parts.append(f" ({PurePosixPath(place['file']).name}, line {place['line']})")
    if missing := _MISSING.search(report):
        parts.append(f"; `{missing['program']}` has to lie in a folder of {_PATHS}")
    elif remedy := _HELP.search(report):
        parts.append(f"; {remedy['text']}")
    return "".join(parts)


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
