"""What to watch: the fleet file and its values, the replicas that follow from it, and the public fleets."""
