"""Which subjects an event can be published under."""

from platform_nats.errors import BadSubject

_BYTES = 255  # beyond a few thousand the server drops the connection
_WILDCARDS = ("*", ">")


def check(subject: str) -> None:
    """Return when the subject is fit for publishing, else raise BadSubject with the reason."""
    why = _fault(subject)
    if why:
        raise BadSubject(subject, why)


def _fault(subject: str) -> str:
    tokens = subject.split(".")
    if len(subject.encode(errors="replace")) > _BYTES:
        return f"it is longer than {_BYTES} bytes"
    if not all(tokens):
        return "it is empty, or has an empty part between its dots"
    if not all("\x21" <= each <= "\x7e" for each in subject):
        return "only visible ASCII characters are safe in it, no spaces"
    if any(token in _WILDCARDS for token in tokens):
        return "wildcards (* and >) are for those who listen"
    return "subjects that begin with $ are NATS's own" if subject[0] == "$" else ""
