"""The real programs that tests run, found in the cache outside the work tree or installed into it.

As a program (`python tests/programs.py`) it installs all of them and says where they are. Telegraf and InfluxDB, and how
anything gets into the cache, are those of the stack: `deploy.native.programs`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run by its path, it knows only its own folder

from deploy.native.programs import SETTINGS, Missing, debian_package, influxd, installed, telegraf

__all__ = ["PROGRAMS", "SETTINGS", "Missing", "influxd", "promtool", "telegraf"]


def promtool() -> Path:
    """The checker of Prometheus' text format."""
    return installed("prometheus", "usr/bin/promtool", debian_package("prometheus"))


PROGRAMS: Mapping[str, Callable[[], Path]] = {"telegraf": telegraf, "influxd": influxd, "promtool": promtool}


def main() -> int:
    """Install every program; 1 if one could not be."""
    missing = 0
    for name, find in PROGRAMS.items():
        try:
            print(f"{name}: {find()}")  # noqa: T201
        except Missing as why:
            missing += 1
            print(f"{name}: missing: {why}", file=sys.stderr)  # noqa: T201
    return min(missing, 1)


if __name__ == "__main__":
    sys.exit(main())
