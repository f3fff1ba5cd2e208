"""Points to text."""
