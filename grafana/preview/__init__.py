"""Previews of the dashboards: what their queries gave, drawn by ourselves and not by Grafana.

They show what is on a page and which colours it has. Grafana draws the same numbers in its own way.
"""
