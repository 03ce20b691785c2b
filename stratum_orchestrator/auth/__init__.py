"""Who may do what: Cedar decides."""
