"""The start, in its fixed order; the one package that knows which adapter is behind a port."""
