"""W3C trace context: the trace of a run, and the ids of its spans.

Every id follows from what is on record. So any process that carries a run, before a crash or
after it, here or on another machine, means the same trace and the same spans.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Self

HEADER = "traceparent"
"""Of an event, as of a request. It is not signed: nothing but the trace follows from it."""
VARIABLE = "TRACEPARENT"
"""In the environment of a step, and of who calls `stratum emit`."""
_FORM = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceContext:
    """One span of one trace."""

    trace: str
    """32 hex digits."""
    span: str
    """16 hex digits."""
    sampled: bool = True

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read a `traceparent`; None when it is not one, which is to be ignored."""
        found = _FORM.fullmatch(text.strip())
        if found is None:
            return None
        version, trace, span, flags, more = found.groups()
        if version == "ff" or (version == "00" and more):
            return None
        if not int(trace, 16) or not int(span, 16):
            return None
        return cls(trace=trace, span=span, sampled=bool(int(flags, 16) & _SAMPLED))

    def __str__(self) -> str:
        return f"00-{self.trace}-{self.span}-{int(self.sampled):02x}"

    def below(self, *parts: object) -> "TraceContext":
        """Another span of the trace; the same for the same parts."""
        return replace(self, span=_hex("span", *parts)[:16])


def come_with(headers: Mapping[str, str]) -> str | None:
    """The trace context among an event's headers, if there is a valid one."""
    said = next((value for name, value in headers.items() if name.lower() == HEADER), "")
    context = TraceContext.parse(said)
    return str(context) if context else None


def of_run(run: str, told: str | None) -> TraceContext:
    """The span of a run, by its id and by the context that its event came with, if any.

    It is in the publisher's trace, or in one of its own.
    """
    parent = TraceContext.parse(told) if told else None
    trace = parent or TraceContext(trace=_hex("trace", run)[:32], span="")
    return trace.below("run", run)


def of_attempt(run: TraceContext, kind: str, node: str, attempt: int) -> TraceContext:
    """The span of one attempt at doing (`do`) or undoing (`undo`) a node of the run."""
    return run.below(run.span, kind, node, attempt)


def passed_on(_run: str, told: str | None) -> str:
    """What whoever follows a run is told when nobody here records spans."""
    return told or ""


def _hex(*parts: object) -> str:
    return sha256("\n".join(map(str, ("stratum", *parts))).encode()).hexdigest()
