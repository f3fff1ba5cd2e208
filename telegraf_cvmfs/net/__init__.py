"""The only sockets of a run: deadline, limits, names, and what carries the questions, whatever they are about."""
