"""The fleet file, and the public fleets."""
