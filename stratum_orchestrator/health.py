"""What must hold before events are taken in, looked at when somebody asks."""

from collections.abc import Callable, Sequence

from stratum_orchestrator.api.desk import Check

Look = Callable[[], tuple[bool, str]]
"""Whether it holds, and what was found."""


def _unmeasured(_name: str, _holds: Callable[[], bool]) -> None:
    """Measure nothing."""


class Health:
    """Named checks. Nothing is ready before the start is done, or while stopping."""

    def __init__(self, told: Callable[[str, Callable[[], bool]], None] = _unmeasured) -> None:
        """`told` is given each check's name and how to ask whether it holds."""
        self._told = told
        self.started = False
        self.stopping = False
        self._looks: dict[str, Look] = {}

    def watch(self, name: str, look: Look) -> None:
        self._looks[name] = look
        self._told(name, lambda: look()[0])

    def checks(self) -> Sequence[Check]:
        phase = "stopping" if self.stopping else "serving" if self.started else "starting"
        found = [Check(name="daemon", ok=phase == "serving", detail=phase)]
        for name, look in self._looks.items():
            ok, detail = look()
            found.append(Check(name=name, ok=ok, detail=detail))
        return found
