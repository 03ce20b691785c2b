"""Scripts that lie elsewhere: fetched when definitions are loaded, verified, and kept."""
