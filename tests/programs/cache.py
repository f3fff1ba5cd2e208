"""The real programs that tests run, found in the cache outside the work tree or installed into it.

As a program (`python -m tests.programs.cache`) it installs all of them and says where they are. Telegraf and InfluxDB, and how
anything gets into the cache, are those of the stack: `deploy.native.programs`.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.nginx import nginx
from deploy.native.programs import (
    SETTINGS,
    TELEGRAF_PLUGINS,
    Missing,
    build_telegraf,
    debian_package,
    influxd,
    installed,
    prometheus,
    telegraf,
)
from tests.programs.axe import axe
from tests.programs.influxdb2_build import influxd2
from tests.programs.seaweedfs import seaweedfs
from tests.programs.victoriametrics import victoriametrics

__all__ = [
    "PROGRAMS",
    "SETTINGS",
    "Missing",
    "axe",
    "influxd",
    "influxd2",
    "nginx",
    "prometheus",
    "seaweedfs",
    "telegraf",
    "victoriametrics",
]

ALERTMANAGER = "prometheus-alertmanager"
TEMPLATES = b"/usr/share/prometheus/alertmanager"

CHROMIUM = """#!/bin/sh
# Chromium with the libraries that were unpacked beside it.
here=$(dirname "$(readlink -f "$0")")/usr/lib
machine=$here/$(uname -m)-linux-gnu
LD_LIBRARY_PATH=$machine:$machine/pulseaudio:$here/chromium
export LD_LIBRARY_PATH
exec "$here/chromium/chromium" "$@"
"""


OLDER_TELEGRAF = "1.30.3"
NOT_IN_THE_OLDER = ("inputs.socket_listener", "outputs.influxdb_v3", "outputs.kafka", "outputs.prometheus_client")


def older_telegraf() -> Path:
    """A Telegraf from before lists of commands and their messages in the log, with the plugins that it is tested with."""
    plugins = [plugin for plugin in TELEGRAF_PLUGINS if plugin not in NOT_IN_THE_OLDER]
    folder = f"telegraf-{OLDER_TELEGRAF}-{len(plugins)}"
    return installed(folder, "telegraf", build_telegraf(OLDER_TELEGRAF, plugins))


def promtool() -> Path:
    """The checker of Prometheus' text format."""
    return prometheus().with_name("promtool")


def alertmanager() -> Path:
    """Prometheus' Alertmanager: this machine's, else Debian's, which then wants its templates in its working folder."""
    found = shutil.which(ALERTMANAGER)
    return Path(found) if found else installed(f"{ALERTMANAGER}-moved", f"usr/bin/{ALERTMANAGER}", _unpack_alertmanager)


def _unpack_alertmanager(room: Path) -> None:
    """Debian's has the place of its templates in the program, and unpacked they are not there."""
    debian_package(ALERTMANAGER)(room)
    program = room / "usr" / "bin" / ALERTMANAGER
    here = b"." + b"/" * (len(TEMPLATES) - 1)
    program.write_bytes(program.read_bytes().replace(TEMPLATES, here))


def node_exporter() -> Path:
    """What serves a machine's own metrics, and those of text files, to Prometheus."""
    name = "prometheus-node-exporter"
    return installed(name, f"usr/bin/{name}", debian_package(name))


def chromium() -> Path:
    """A browser: this machine's, else Debian's, unpacked with what it needs and started by a script beside it."""
    found = shutil.which("chromium")
    return Path(found) if found else installed("chromium", "chromium", _unpack_chromium)


def _unpack_chromium(room: Path) -> None:
    debian_package("chromium", dependencies=True)(room)
    script = room / "chromium"
    script.write_text(CHROMIUM)
    script.chmod(0o755)


def systemd_analyze() -> Path:
    """What says whether systemd understands a unit: this machine's, for it belongs to its systemd."""
    if (found := shutil.which("systemd-analyze")) is None:
        raise Missing("systemd-analyze is not on the PATH; it comes with systemd")
    return Path(found)


def debian_pycurl() -> Path:
    """The folder with Debian's pycurl, for Python 3.11, beside the libcurl on GnuTLS that it needs."""
    module = "usr/lib/python3/dist-packages/pycurl.cpython-311-x86_64-linux-gnu.so"

    def unpack(room: Path) -> None:
        debian_package("python3-pycurl")(room)
        debian_package("libcurl3-gnutls")(room)

    return installed("python3-pycurl", module, unpack).parents[4]


PROGRAMS: Mapping[str, Callable[[], Path]] = {
    "telegraf": telegraf,
    "older_telegraf": older_telegraf,
    "influxd": influxd,
    "influxd2": influxd2,
    "promtool": promtool,
    "prometheus": prometheus,
    "alertmanager": alertmanager,
    "node_exporter": node_exporter,
    "chromium": chromium,
    "nginx": nginx,
    "axe": axe,
    "systemd_analyze": systemd_analyze,
    "seaweedfs": seaweedfs,
    "victoriametrics": victoriametrics,
    "debian_pycurl": debian_pycurl,
}


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
