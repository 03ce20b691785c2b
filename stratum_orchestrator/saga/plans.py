"""Plans by digest: what a run began with is there to its end, whatever becomes of the files."""

from collections.abc import Callable, Collection, Iterable
from typing import Protocol

import msgspec

from stratum_graph.model import Plan
from stratum_state.model import PipelineRun

_AT_HAND = 1024


class Blobs(Protocol):
    """Bytes by their `sha256:…` digest, verified when they are read."""

    def put(self, data: bytes) -> str: ...

    def get(self, digest: str) -> bytes: ...

    def keeps(self, digest: str) -> bool:
        """Whether what was put before is still there; this is a use of it."""
        ...


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
        """Store the plan durably under its own digest, unless it is there."""
        if plan.digest not in self._known or not self._blobs.keeps(plan.digest):
            bare = msgspec.structs.replace(plan, digest="")
            self._blobs.put(msgspec.json.encode(bare, order="deterministic"))
            self._remember(plan)

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

    def trees(self, digest: str) -> Collection[str]:
        """The trees of scripts that the plan needs; none when it cannot be read."""
        try:
            plan = self._read(digest)
        except Exception:  # noqa: BLE001 - whatever is wrong with it, it needs nothing
            return ()
        return {planned.definition.tree for planned in plan.nodes}

    def get(self, digest: str) -> Plan:
        """The plan; raises what the blobs raise when it is gone or was altered."""
        plan = self._read(digest)
        self._remember(plan)
        return plan

    def _remember(self, plan: Plan) -> None:
        """Keep it at hand; of those that reloads leave behind, the oldest go."""
        self._known[plan.digest] = self._known.pop(plan.digest, plan)
        while len(self._known) > _AT_HAND:
            self._known.pop(next(iter(self._known)), None)

    def _read(self, digest: str) -> Plan:
        if (known := self._known.get(digest)) is not None:
            return known
        bare = msgspec.json.decode(self._blobs.get(digest), type=Plan)
        return msgspec.structs.replace(bare, digest=digest)
