"""Running one step as one Nushell process, contained and ended."""
