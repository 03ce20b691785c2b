"""Decisions: which run an event becomes, how it is carried to its end, and the faces for people."""
