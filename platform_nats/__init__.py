"""Transport: signed events in, answers out. Nothing above this package knows NATS."""
