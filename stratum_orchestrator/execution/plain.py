"""Text of a process made harmless: no terminal sequences, no control characters."""

import re

_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]"  # CSI, colors among them
    r"|[\]PX^_].*?(?:\x07|\x1b\\|$)"  # OSC, DCS and other strings
    r"|[ -/]*[0-~])",  # the short ones
    re.DOTALL,
)
_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"
    "\u200e\u200f\u202a-\u202e\u2066-\u2069"  # turn the reading direction around
    "\ufeff]"
)
_LONGEST_EXCERPT = 80


def plain(data: bytes) -> str:
    """Decode as UTF-8, faults replaced, and drop what would steer a terminal."""
    text = data.decode(errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROLS.sub("", _ESCAPES.sub("", text))


def excerpt(text: str, most: int = _LONGEST_EXCERPT) -> str:
    """Return the beginning on one line, in quotes."""
    line = " ".join(plain(text.encode(errors="replace")).split())
    return f'"{line}"' if len(line) <= most else f'"{line[:most]}…"'
