"""The store on SurrealDB: transports, the group-commit lane, the schema."""
