"""Judging what is on record, offline: which of the promised invariants do not hold. Pure."""
