"""Following runs to their ends, and how a command says how they ended."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stratum_orchestrator.cli.client import Daemon
from stratum_orchestrator.cli.exits import Exit
from stratum_orchestrator.cli.ink import Span
from stratum_orchestrator.cli.portrait import Painter
from stratum_orchestrator.cli.screen import Screen
from stratum_orchestrator.cli.watch import Deadline, State, follow, outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Pursuit:
    """How far to follow runs."""

    wait: bool = False
    """Until they have ended."""
    watch: bool = False
    """Likewise, and show them."""
    timeout_s: float = 600.0

    @property
    def follows(self) -> bool:
        return self.wait or self.watch

    def follow(
        self, daemon: Daemon, screen: Screen, runs: Sequence[str], deadline: Deadline
    ) -> list[State]:
        """The runs as they ended; Expired when the deadline comes first."""
        quiet = not (self.watch and screen.for_people)
        ended = []
        for run_id in runs if self.follows else ():
            state = follow(daemon, run_id, screen, deadline, quiet=quiet)
            if screen.for_people and quiet:
                tell_end(screen, state)
            ended.append(state)
        return ended


def tell_end(screen: Screen, state: State) -> None:
    """One line: how the run ended."""
    painter = Painter(now=screen.now(), unicode=screen.unicode)
    screen.line(*painter.verdict(state.run), Span(f"  {state.run.id}", "dim"))


def worst(ended: Iterable[State]) -> Exit:
    """The exit code of the worst end."""
    codes = {outcome(state.run) for state in ended}
    return next((code for code in (Exit.PARTIAL, Exit.FAILED) if code in codes), Exit.OK)
