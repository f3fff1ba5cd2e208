"""The tools that talk to a Grafana."""
