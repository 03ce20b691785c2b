"""An object store's judgment of signed requests, written apart from what signs them.

It follows "Authenticating Requests (AWS Signature Version 4)" from what came over the wire:
the raw path, and the headers that the request itself says are signed.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from support.hostile import Asked

_SAID = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<id>[^/]+)/(?P<day>\d{8})/(?P<region>[^/]+)/s3"
    r"/aws4_request,\s*SignedHeaders=(?P<names>[a-z0-9;-]+),\s*Signature=(?P<signature>[0-9a-f]{64})"
)
_MUST_BE_SIGNED = {"host", "x-amz-content-sha256", "x-amz-date"}


def is_signed(asked: Asked, secrets: Mapping[str, str], region: str) -> bool:
    """Whether somebody signed exactly this, now, for this region, whose secret is known."""
    said = _SAID.fullmatch(asked.authorization)
    if said is None or said["region"] != region or said["id"] not in secrets:
        return False
    names = said["names"].split(";")
    at = asked.headers.get("x-amz-date", "")
    must = _MUST_BE_SIGNED | {"x-amz-security-token"} & asked.headers.keys()
    if not set(names) >= must or names != sorted(names) or at[:8] != said["day"]:
        return False
    signed_at = datetime.strptime(at, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    if abs(datetime.now(UTC) - signed_at) > timedelta(minutes=15):
        return False
    path, _, query = asked.path.partition("?")
    canonical = "\n".join(
        [
            asked.method,
            path,
            "&".join(sorted(query.split("&"))) if query else "",
            *(f"{name}:{' '.join(asked.headers[name].split())}" for name in names),
            "",
            said["names"],
            asked.headers["x-amz-content-sha256"],
        ]
    )
    scope = f"{said['day']}/{region}/s3/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{digest}"
    key = b"AWS4" + secrets[said["id"]].encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    expected = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, said["signature"])
