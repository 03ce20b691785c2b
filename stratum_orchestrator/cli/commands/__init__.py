"""One file for each command or group; none is imported before it is called."""
