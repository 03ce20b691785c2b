"""The third plane: each step gets a token of its own from a Vault-compatible server."""
