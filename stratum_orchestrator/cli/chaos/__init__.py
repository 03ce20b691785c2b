"""Killing Stratum on purpose, again and again, and judging what is on record afterwards."""
