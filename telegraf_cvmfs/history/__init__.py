"""What finished runs saw, kept for later: a spool of runs, and what is made of it."""
