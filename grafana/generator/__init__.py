"""What writes grafana/dashboards and the alert rules: `python -m grafana.generator [--check]`.

A dashboard is a Python value: rows of panels, each panel with its queries. Names of measurements, fields and tags are
checked against `telegraf_cvmfs.points.schema` where a query is made: a name that is not written cannot be asked for.
"""
