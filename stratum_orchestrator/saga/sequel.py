"""Whether the end of a run is to be published, decided and recorded with the end itself."""

from collections.abc import Callable
from dataclasses import replace

from stratum_graph import lifecycle
from stratum_graph.generation import Generation
from stratum_graph.subjects import covers
from stratum_state.model import PipelineRun

Sequel = Callable[[PipelineRun], PipelineRun]
"""Gives a run that is about to be recorded its notice, if it is over and is to have one."""


def unheard(run: PipelineRun) -> PipelineRun:
    """Nobody waits for the end of any run."""
    return run


def heard(
    generation: Callable[[], Generation], captured: tuple[str, ...], *, always: bool
) -> Sequel:
    """A pipeline of the generation waits for it, or everybody is told.

    What the event stream does not capture, as it is configured, is told nobody.
    """

    def sequel(run: PipelineRun) -> PipelineRun:
        if not run.is_over or run.notice is not None:
            return run
        subject = lifecycle.subject(run.status, run.pipeline)
        wanted = always or generation().listens(subject)
        if not wanted or not any(covers(wide, subject) for wide in captured):
            return run
        return replace(run, notice=subject)

    return sequel
