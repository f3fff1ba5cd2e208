"""From a spool into an InfluxDB, and from there into a spool."""
