"""The relay of alerts."""
