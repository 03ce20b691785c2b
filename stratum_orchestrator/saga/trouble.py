"""What keeps a run from going on by itself, as it goes on record for whoever asks anywhere."""

from typing import Literal, Self

import msgspec

from stratum_state import canonical
from stratum_state.model import PipelineRun

Code = Literal["unrecovered", "stuck", "overdue"]


class Trouble(msgspec.Struct, frozen=True):
    """Why a run needs a person before it has ended."""

    code: Code
    """`unrecovered`: it could not be taken up again; `stuck`: a fault of ours stopped it;
    `overdue`: it is under way for longer than it may be."""
    why: str

    def text(self) -> str:
        """Canonical JSON text."""
        return canonical.text(msgspec.to_builtins(self))

    @classmethod
    def of(cls, run: PipelineRun) -> Self | None:
        """The trouble that the run is in."""
        if run.trouble is None or run.is_over:
            return None
        return msgspec.json.decode(run.trouble, type=cls)


def unrecovered(why: str) -> Trouble:
    """The trouble of a run that cannot be taken up again."""
    return Trouble("unrecovered", why)
