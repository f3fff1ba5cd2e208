"""The dashboards and alert rules that are made."""
