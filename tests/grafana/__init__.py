"""What stands between the points and a person: dashboards, alerts, tools, relay; and a stand-in for Grafana."""
