"""Memory: what became of every event, run, step and compensation, durably and in order."""
