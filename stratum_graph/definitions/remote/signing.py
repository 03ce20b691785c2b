"""AWS Signature Version 4, as far as reading one object needs it. Pure."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

EMPTY = hashlib.sha256(b"").hexdigest()
"""Digest of the body that a GET has."""
_SESSION = "x-amz-security-token"
_RULE = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """An access key, and where it counts."""

    id: str
    secret: str
    session: str = ""
    """Token of a key that was lent; empty for a lasting one."""
    region: str
    service: str = "s3"


def signed(
    url: str, key: Key, now: str, more: Mapping[str, str] | None = None
) -> Mapping[str, str]:
    """The headers of a GET; `now` is a time such as `20130524T000000Z`, `more` are signed too.

    The path of the address has to be in its canonical form.
    """
    headers = {
        "host": urlsplit(url).netloc,
        "x-amz-content-sha256": EMPTY,
        "x-amz-date": now,
        **({_SESSION: key.session} if key.session else {}),
        **{name.lower(): value for name, value in (more or {}).items()},
    }
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in sorted(headers))
    asked = urlsplit(url)
    request = f"GET\n{asked.path or '/'}\n{asked.query}\n{lines}\n{names}\n{EMPTY}"
    scope = f"{now[:8]}/{key.region}/{key.service}/aws4_request"
    digest = hashlib.sha256(request.encode()).hexdigest()
    text = f"{_RULE}\n{now}\n{scope}\n{digest}"
    signature = hmac.new(_derived(key, now[:8]), text.encode(), hashlib.sha256).hexdigest()
    said = f"{_RULE} Credential={key.id}/{scope},SignedHeaders={names},Signature={signature}"
    kept = {name: value for name, value in headers.items() if name != "host"}
    return {**kept, "authorization": said}


def path_of(*parts: str) -> str:
    """The canonical path of a bucket and a key: every byte written in one way only."""
    return "/" + "/".join(quote(each, safe="/-._~") for each in parts)


def _derived(key: Key, day: str) -> bytes:
    found = f"AWS4{key.secret}".encode()
    for each in (day, key.region, key.service, "aws4_request"):
        found = hmac.digest(found, each.encode(), "sha256")
    return found
