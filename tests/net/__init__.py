"""The sockets of a run."""
