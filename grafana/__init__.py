"""What goes into Grafana: dashboards and alert rules with the program that writes them, and tools for a running one."""
