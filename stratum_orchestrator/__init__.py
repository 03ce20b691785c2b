"""Decisions: which run an event becomes, how it is carried on, and the faces for people."""
