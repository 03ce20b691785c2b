"""Definitions as one published artifact: built, signed, carried and verified byte by byte."""
