"""Tests that run real programs: Telegraf and InfluxDB."""
