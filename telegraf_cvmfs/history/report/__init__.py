"""The monthly report of availability: what a spool saw of a month, in figures that are worked out in seconds."""

from __future__ import annotations

from telegraf_cvmfs.history.report.report import ReportAvailability

__all__ = ["ReportAvailability"]
