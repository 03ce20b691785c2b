"""Whether something of a run is to be published, decided and recorded with the thing itself."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from stratum_graph import lifecycle
from stratum_graph.generation import Generation
from stratum_graph.subjects import covers
from stratum_state.checkpoint import Checkpoint
from stratum_state.model import PipelineRun


@dataclass(frozen=True, slots=True)
class Sequel:
    """Gives what is about to be recorded its notice, if it is to have one."""

    wanted: Callable[[str], bool]
    """Whether somebody is to hear what is published under the subject."""

    def __call__(self, run: PipelineRun) -> PipelineRun:
        """The run; of one that is over, the end may be heard."""
        if not run.is_over or run.notice is not None:
            return run
        subject = lifecycle.subject(run.status, run.pipeline)
        return replace(run, notice=subject) if self.wanted(subject) else run

    def ask(self, question: Checkpoint, pipeline: str) -> Checkpoint:
        """The question of a run of the pipeline, which may be heard."""
        subject = lifecycle.subject(lifecycle.ASKED, pipeline)
        return replace(question, notice=subject) if self.wanted(subject) else question


unheard = Sequel(lambda _: False)
"""Nobody waits for anything."""


def heard(
    generation: Callable[[], Generation], captured: tuple[str, ...], *, always: bool
) -> Sequel:
    """A pipeline of the generation waits for it, or everybody is told.

    What the event stream does not capture, as it is configured, is told nobody.
    """

    def wanted(subject: str) -> bool:
        listened = always or generation().listens(subject)
        return listened and any(covers(wide, subject) for wide in captured)

    return Sequel(wanted)
