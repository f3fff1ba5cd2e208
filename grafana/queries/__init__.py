"""Asks an InfluxDB what the committed dashboards ask it, as Grafana would: `python -m grafana.queries`."""
