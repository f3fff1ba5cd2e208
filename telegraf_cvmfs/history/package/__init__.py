"""Packages: what collectors gathered, as `.tar.gz` files that say what they hold, and how they are read back."""

from __future__ import annotations

from telegraf_cvmfs.history.package.extract import extract
from telegraf_cvmfs.history.package.members import PackageError
from telegraf_cvmfs.history.package.package import Package, Tarball
from telegraf_cvmfs.history.package.verify import verify

__all__ = ["Package", "PackageError", "Tarball", "extract", "verify"]
