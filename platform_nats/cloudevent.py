"""CloudEvents 1.0, binary mode: attributes as `ce-*` headers, the data alone as payload."""

from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote

_PLAIN = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')


def attributes(event_id: str, publisher: str, subject: str, time_ms: int) -> Mapping[str, str]:
    """Return the headers of an event, percent-encoded as the HTTP binding has it."""
    at = datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return {
        "ce-specversion": "1.0",
        "ce-id": quote(event_id, safe=_PLAIN),
        "ce-source": f"urn:nkey:{publisher}",
        "ce-type": quote(subject, safe=_PLAIN),
        "ce-time": at.replace("+00:00", "Z"),
    }
