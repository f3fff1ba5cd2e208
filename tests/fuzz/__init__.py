"""Hostile input for every reader: a few seconds of it in the tests, as much as wanted with `make fuzz`."""
