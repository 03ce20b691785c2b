"""Runs that are accepted and wait, since their pipelines are held back."""

from collections.abc import Collection, Sequence


class Anteroom:
    """Knows them by id: all else about them is on record."""

    def __init__(self) -> None:
        self._pipelines: dict[str, str] = {}

    def __contains__(self, run_id: object) -> bool:
        return run_id in self._pipelines

    def seat(self, run_id: str, pipeline: str) -> None:
        """Let a run wait."""
        self._pipelines[run_id] = pipeline

    def leave(self, run_id: str) -> None:
        """The run does not wait any more."""
        self._pipelines.pop(run_id, None)

    def of(self, pipeline: str) -> Sequence[str]:
        """The runs of the pipeline that wait, oldest first."""
        found = (run for run, of in self._pipelines.items() if of == pipeline)
        return sorted(found, reverse=True)  # ids are newest first

    @property
    def pipelines(self) -> Collection[str]:
        """Those whose runs wait."""
        return set(self._pipelines.values())
