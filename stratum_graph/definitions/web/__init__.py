"""HTTP to whatever definitions name: only where it may go, and only for so long."""
