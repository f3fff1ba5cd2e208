"""Ways to run the whole stack."""
