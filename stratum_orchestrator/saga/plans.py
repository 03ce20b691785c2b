"""Plans by digest: what a run began with is there to its end, whatever becomes of the files."""

from collections.abc import Callable, Iterable
from typing import Protocol

import msgspec

from stratum_graph.model import Plan
from stratum_state.model import PipelineRun


class Blobs(Protocol):
    """Bytes by their `sha256:…` digest, verified when they are read."""

    def put(self, data: bytes) -> str: ...

    def get(self, digest: str) -> bytes: ...


def _none(_run: PipelineRun) -> Iterable[Plan]:
    return ()


class Plans:
    """A cache over content-addressed blobs."""

    def __init__(
        self, blobs: Blobs, again: Callable[[PipelineRun], Iterable[Plan]] = _none
    ) -> None:
        """`again` makes the plans of a run's event anew, with what is in force now."""
        self._blobs = blobs
        self._again = again
        self._known: dict[str, Plan] = {}

    def keep(self, plan: Plan) -> None:
        """Store the plan durably under its own digest, once in a process."""
        if plan.digest not in self._known:
            bare = msgspec.structs.replace(plan, digest="")
            self._blobs.put(msgspec.json.encode(bare, order="deterministic"))
            self._known[plan.digest] = plan

    def of(self, run: PipelineRun) -> Plan:
        """The plan that the run began with; raises what `get` raises.

        A run that another instance began may have its plan there; the same definitions make
        the same plan, which its digest proves.
        """
        try:
            return self.get(run.plan)
        except Exception:
            for plan in self._again(run):
                if plan.digest == run.plan:
                    self.keep(plan)
                    return plan
            raise

    def get(self, digest: str) -> Plan:
        """The plan; raises what the blobs raise when it is gone or was altered."""
        if digest not in self._known:
            bare = msgspec.json.decode(self._blobs.get(digest), type=Plan)
            self._known[digest] = msgspec.structs.replace(bare, digest=digest)
        return self._known[digest]
