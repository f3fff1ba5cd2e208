"""What is written: the names and types of all of it, and the rows of one run."""
