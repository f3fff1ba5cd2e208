"""The stack, with Docker and without."""
