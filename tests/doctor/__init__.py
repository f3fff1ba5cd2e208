"""What is wrong, link by link."""
