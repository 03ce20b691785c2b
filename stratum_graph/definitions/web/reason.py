"""Why a request failed, in words for whoever asked for it."""

import re

_NUMBER = re.compile(r"\[Errno -?\d+\] ")
_LONGEST = 200


def reason(error: Exception) -> str:
    """What went wrong, without the objects that the client mentions."""
    inner = error.args[0] if error.args else error
    said = str(getattr(inner, "reason", inner)).rpartition("): ")[2].rpartition(": ")[2]
    return _NUMBER.sub("", said)[:_LONGEST] or type(error).__name__
