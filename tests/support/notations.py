"""A secret in every notation that somebody may write it in."""

import base64
import json
from urllib.parse import quote

_EDGE = 2  # characters of base64 that depend on what stands beside the secret
_SHIFTS = (b"", b"x", b"xx")


def notations(secret: str) -> set[bytes]:
    """The secret as it is, in JSON, URLs and hexadecimal, and in base64 at any place."""
    raw = secret.encode()
    texts = {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    texts |= {quote(secret, safe=""), quote(secret, safe="").lower(), raw.hex()}
    texts |= {raw.hex().upper()}
    found = {each.encode() for each in texts}
    for shift in _SHIFTS:
        for code in (base64.b64encode, base64.urlsafe_b64encode):
            # what stands before and behind it changes the ends
            text = code(shift + raw).rstrip(b"=")
            found.add(text[_EDGE + 2 * bool(shift) : -_EDGE])
    return found
