"""The saga: an event becomes runs; a run goes forward through its stages, or back."""
