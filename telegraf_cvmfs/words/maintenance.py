"""A window of maintenance in a phrase for people."""

from __future__ import annotations

from datetime import UTC

from telegraf_cvmfs.model import Maintenance


def until_and_why(maintenance: Maintenance) -> str:
    """Its end and its reason: "until 2026-12-01 12:00 UTC: new disks"."""
    until = f"until {maintenance.until.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return f"{until}: {maintenance.why}" if maintenance.why else until
