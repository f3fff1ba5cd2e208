"""Tools that talk to a running Grafana: `python -m grafana.tools COMMAND`, see docs/grafana-tools.md."""
