"""A picture that is drawn again and again in the terminal's own height, and left whole."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from stratum_orchestrator.cli.ink import Line, Span, Style, clean
from stratum_orchestrator.cli.screen import Screen

_RICH: dict[Style, str] = {
    "good": "green",
    "bad": "bold red",
    "warn": "yellow",
    "busy": "cyan",
    "undo": "magenta",
    "dim": "dim",
    "strong": "bold",
    "head": "dim underline",
}
_HEAD = 5  # lines that stay in sight


@contextmanager
def moving(screen: Screen, lines: Callable[[], Sequence[Line]]) -> Iterator[None]:
    """Draw the lines ten times a second, as far as the terminal shows them; then remove them.

    What is longer than the terminal is not scrolled: the part where something happens is seen.
    """
    from rich.console import Console, Group  # noqa: PLC0415 - only where a terminal redraws
    from rich.live import Live  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(no_color=not screen.color, highlight=False)

    def frame() -> Group:
        return Group(
            *(
                Text.assemble(
                    *((clean(span.text), _RICH.get(span.style, "")) for span in line),
                    no_wrap=True,
                    overflow="ellipsis",
                )
                for line in viewport(lines(), console.height - 1)
            )
        )

    with Live(get_renderable=frame, console=console, refresh_per_second=10, transient=True):
        yield


def viewport(lines: Sequence[Line], rows: int) -> list[Line]:
    """At most so many lines: the head, and those around the first busy one, or the end."""
    if len(lines) <= rows:
        return list(lines)
    head = min(_HEAD, max(0, rows - 4))
    room = max(1, rows - head - 2)
    rest = lines[head:]
    busy = next((at for at, line in enumerate(rest) if _is_busy(line)), len(rest))
    start = max(0, min(busy - room // 3, len(rest) - room))
    above, below = start, len(rest) - start - room
    return [
        *lines[:head],
        [Span(f"     {above} lines above" if above else "", "dim")],
        *rest[start : start + room],
        [Span(f"     {below} lines below" if below else "", "dim")],
    ][:rows]


def _is_busy(line: Line) -> bool:
    return any(span.style in {"busy", "undo"} and span.text.strip() for span in line)
