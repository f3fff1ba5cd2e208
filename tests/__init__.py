"""The tests, in the wings of what they are about; `builders` and `programs` are what they are made of."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""The clone."""
