"""A `.creds` file: a user's JWT, for servers in operator mode, and the user's seed."""

import re
from pathlib import Path

from platform_nats.errors import InvalidKey
from platform_nats.nkey import UserKey

SUFFIX = ".creds"
_SEED = re.compile(r"-----BEGIN USER NKEY SEED-----\s*(\S+)\s*-+END USER NKEY SEED-+", re.ASCII)
_JWT = re.compile(r"-----BEGIN NATS USER JWT-----\s*(\S+)\s*-+END NATS USER JWT-+", re.ASCII)
_NO_PARTS = "a .creds file has a user's JWT and its seed, each between its two lines"
_MAX_FILE = 64 * 1024


def key_in(text: str) -> UserKey:
    """The user's key; InvalidKey when the text is no such file's."""
    seed = _SEED.search(text)
    if seed is None or _JWT.search(text) is None:
        raise InvalidKey(_NO_PARTS)
    return UserKey(seed[1])


def read(file: Path) -> UserKey:
    """The key of the user that the file is for; OSError, InvalidKey."""
    with file.open(encoding="ascii", errors="replace") as opened:
        return key_in(opened.read(_MAX_FILE))
