"""Whose runs are whose: what those have to know who write to runs that nobody carries."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol


class Custody(Protocol):
    """Whose runs are whose."""

    def holding(self, run_id: str, *, adopt: bool) -> AbstractAsyncContextManager[bool]:
        """Whether the run is ours, and stays so within the block.

        With `adopt`, a run that nobody has becomes ours.
        """
        ...
