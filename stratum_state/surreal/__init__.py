"""The store on SurrealDB: transports, the group-commit lanes, the schema."""

from stratum_state.surreal.compaction import Compacted, compact
from stratum_state.surreal.folder import has_store
from stratum_state.surreal.opening import open_store
from stratum_state.surreal.retention import Collected
from stratum_state.surreal.store import Owner, SurrealStore
from stratum_state.surreal.unrest import FAILED, SLOW, Unrest

__all__ = [
    "FAILED",
    "SLOW",
    "Collected",
    "Compacted",
    "Owner",
    "SurrealStore",
    "Unrest",
    "compact",
    "has_store",
    "open_store",
]
