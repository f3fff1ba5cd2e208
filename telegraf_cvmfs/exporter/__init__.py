"""The last finished run as an HTTP endpoint for Prometheus; needs the extra `exporter`."""
