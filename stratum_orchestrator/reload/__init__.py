"""Definitions, principals and policies, brought into force whole, again and again."""
