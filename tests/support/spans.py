"""A place where spans go, and how they hang together."""

from collections.abc import Sequence

from stratum_orchestrator.telemetry.spans import Span
from stratum_orchestrator.trace import TraceContext


class Shelf:
    """Keeps spans; wants all traces, or none."""

    def __init__(self, *, wants: bool = True) -> None:
        self.kept: list[Span] = []
        self._wants = wants

    def wants(self, root: TraceContext) -> bool:
        del root
        return self._wants

    def send(self, span: Span) -> None:
        self.kept.append(span)


def tree(spans: Sequence[Span]) -> dict[str, str]:
    """Name of each span to that of its parent; `-` for one that is not among them."""
    names = {each.own.span: each.name for each in spans}
    return {
        each.name: names.get(each.parent.span, "-") if each.parent else "-" for each in spans
    }
