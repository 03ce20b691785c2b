"""Plans by digest: what a run began with is there to its end, whatever becomes of the files."""

from typing import Protocol

import msgspec

from stratum_graph.model import Plan


class Blobs(Protocol):
    """Bytes by their `sha256:…` digest, verified when they are read."""

    def put(self, data: bytes) -> str: ...

    def get(self, digest: str) -> bytes: ...


class Plans:
    """A cache over content-addressed blobs."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._known: dict[str, Plan] = {}

    def keep(self, plan: Plan) -> None:
        """Store the plan durably under its own digest, once in a process."""
        if plan.digest not in self._known:
            bare = msgspec.structs.replace(plan, digest="")
            self._blobs.put(msgspec.json.encode(bare, order="deterministic"))
            self._known[plan.digest] = plan

    def get(self, digest: str) -> Plan:
        """The plan; raises what the blobs raise when it is gone or was altered."""
        if digest not in self._known:
            bare = msgspec.json.decode(self._blobs.get(digest), type=Plan)
            self._known[digest] = msgspec.structs.replace(bare, digest=digest)
        return self._known[digest]
