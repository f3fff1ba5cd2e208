"""What to ask a server, in which order, and what to make of the answers."""
