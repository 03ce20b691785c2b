"""Stdout becomes the step's outputs: exactly one JSON object, or it is refused.

Nothing is picked out of other text: a log line on stdout that happens to look like JSON must
never become a result.
"""
# ruff: noqa: TRY003 - the message is all that the raised errors consist of

import re
from collections.abc import Mapping

from stratum_orchestrator.execution.errors import BadOutput
from stratum_orchestrator.execution.plain import excerpt
from stratum_orchestrator.strict_json import NotStrictJson, decode

_TO_JSON = "end the script with `... | to json --raw`"
_TABLE = re.compile("[╭│╰┌└┃┏]")
_WHOLE_LINE = re.compile(r"^\{.*\}\s*$", re.MULTILINE)


def read(stdout: bytes) -> Mapping[str, object]:
    """Return the one object; nothing at all counts as `{}`.

    BadOutput says what was found instead and how to put it right.
    """
    if not stdout.strip():
        return {}
    try:
        value = decode(stdout, safe_integers=False)
    except NotStrictJson as error:
        raise BadOutput(_explain(stdout, error.reason)) from None
    if not isinstance(value, dict):
        kind = {list: "an array", str: "a string", type(None): "null"}.get(type(value))
        found = kind or f"the value {excerpt(stdout.decode())}"
        raise BadOutput(
            f"stdout is {found}, not an object: give a record from capability names to values"
        )
    return value


def _explain(stdout: bytes, reason: str) -> str:
    text = stdout.decode(errors="replace")
    objects = len(_WHOLE_LINE.findall(text))
    if _TABLE.search(text):
        return f"stdout is a table for people, not JSON: {_TO_JSON}"
    if objects > 1:
        return (
            f"stdout has {objects} JSON objects instead of one: give all outputs in one record"
        )
    around = _WHOLE_LINE.sub("", text).strip()
    if (objects and around) or not text.lstrip().startswith(("{", "[")):
        return (
            f"stdout has other text than the JSON object ({excerpt(text)}): log with"
            f" `stratum log` or `print --stderr`, and {_TO_JSON}"
        )
    return f"stdout {reason}: {_TO_JSON}"
