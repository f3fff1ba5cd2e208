"""The real programs that tests run, and the command itself."""
