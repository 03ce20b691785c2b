"""Which pipelines are held back, as this process knows it: what is on record decides."""

from collections.abc import Iterable, Sequence

from stratum_state.standing import Standing, StandingRecord, latest


class Standings:
    """The latest standing of each pipeline that is or was held back."""

    def __init__(self) -> None:
        self._latest: dict[str, StandingRecord] = {}

    def take(self, records: Iterable[StandingRecord]) -> None:
        """Take note of what is on record; what is older than what is known changes nothing."""
        self._latest = {
            each.pipeline: each for each in latest([*self._latest.values(), *records])
        }

    def of(self, pipeline: str) -> StandingRecord | None:
        """The latest about the pipeline; None when nobody ever held it back."""
        return self._latest.get(pipeline)

    def holds(self, pipeline: str) -> bool:
        """Whether its runs may not begin now."""
        found = self.of(pipeline)
        return found is not None and found.kind is not Standing.ACTIVE

    @property
    def held(self) -> Sequence[StandingRecord]:
        """The pipelines that are held back, the latest first."""
        return [each for each in self._latest.values() if self.holds(each.pipeline)]


def refusal(found: StandingRecord | None) -> str:
    """Why events of the pipeline are refused; empty when they are not."""
    if found is None or found.kind is not Standing.DISABLED:
        return ""
    return (
        f"{found.pipeline} was disabled by {found.by}: {found.reason}; publish the event anew "
        f"after `stratum pipeline resume {found.pipeline}`"
    )


def delay(found: StandingRecord | None) -> str:
    """What a verdict adds about runs that have to wait; empty when they need not."""
    if found is None or found.kind is not Standing.PAUSED:
        return ""
    return f"; the run waits, as {found.by} has paused {found.pipeline}: {found.reason}"
