"""What must hold before events are taken in, looked at when somebody asks."""

from collections.abc import Callable, Sequence

from stratum_orchestrator.api.desk import Check

Look = Callable[[], tuple[bool, str]]
"""Whether it holds, and what was found."""
Weigh = Callable[[], bool]
"""Whether what holds is degraded all the same."""


def _unmeasured(_name: str, _holds: Callable[[], bool]) -> None:
    """Measure nothing."""


class Health:
    """Named checks. Nothing is ready before the start is done, or while stopping."""

    def __init__(self, told: Callable[[str, Callable[[], bool]], None] = _unmeasured) -> None:
        """`told` is given each check's name and how to ask whether it holds."""
        self._told = told
        self.started = False
        self.stopping = False
        self._looks: dict[str, tuple[Look, Weigh]] = {}

    def watch(self, name: str, look: Look, degraded: Weigh = lambda: False) -> None:
        self._looks[name] = look, degraded
        self._told(name, lambda: look()[0])

    def checks(self) -> Sequence[Check]:
        phase = "stopping" if self.stopping else "serving" if self.started else "starting"
        found = [Check(name="daemon", ok=phase == "serving", detail=phase)]
        for name, (look, degraded) in self._looks.items():
            ok, detail = look()
            found.append(Check(name=name, ok=ok, detail=detail, degraded=ok and degraded()))
        return found
