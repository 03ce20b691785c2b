"""The store on SurrealDB: transports, the group-commit lane, the schema."""

from stratum_state.surreal.opening import open_store
from stratum_state.surreal.store import Owner, SurrealStore

__all__ = ["Owner", "SurrealStore", "open_store"]
