"""What it means: replicas beside each other, and what is wrong with each of them and with each server. Pure."""
