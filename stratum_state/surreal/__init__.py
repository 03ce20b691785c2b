"""The store on SurrealDB: transports, the group-commit lane, the schema."""

from stratum_state.surreal.opening import open_store
from stratum_state.surreal.store import SurrealStore

__all__ = ["SurrealStore", "open_store"]
