"""`doctor`: walk from here to Grafana, and say where the chain breaks."""

from __future__ import annotations

import argparse
import os
from functools import partial
from pathlib import Path

from telegraf_cvmfs import doctor
from telegraf_cvmfs.command import options as run_options
from telegraf_cvmfs.command.chosen import memory_path, one_fleet
from telegraf_cvmfs.command.terminal import now, show, tell
from telegraf_cvmfs.fleet.file import DEFAULT_PATH
from telegraf_cvmfs.net.deadline import Deadline


def add_options(parser: argparse.ArgumentParser) -> None:
    """Those of a run, and where the other links of the chain are."""
    parser.set_defaults(telegraf=None, telegraf_config=[], grafana_url=None)
    parser.set_defaults(influxdb_url=None, influxdb_database=None, influxdb_username=None)
    run_options.add_options(parser)
    chain = parser.add_argument_group(
        "the chain",
        "passwords and tokens come from $INFLUXDB_PASSWORD, $INFLUXDB_TOKEN, $GRAFANA_TOKEN, $GRAFANA_PASSWORD",
    )
    chain.add_argument("--telegraf", metavar="FILE", help="Telegraf's program, where it is not on the PATH")
    files = "a file or folder of its configuration; repeatable; else what the Telegraf that runs reads, or its default"
    chain.add_argument("--telegraf-config", metavar="FILE", type=Path, action="append", help=files)
    chain.add_argument("--influxdb-url", metavar="URL", help="else $INFLUXDB_URL, else loopback is tried")
    chain.add_argument("--influxdb-database", metavar="NAME", help="else $INFLUXDB_DATABASE, else cvmfs")
    chain.add_argument("--influxdb-username", metavar="NAME", help="else $INFLUXDB_USERNAME")
    chain.add_argument("--grafana-url", metavar="URL", help="else $GRAFANA_URL, else loopback is tried")


def run(options: argparse.Namespace, deadline: Deadline) -> int:
    """Examine each link, and print what was found; the exit code says whether all is well."""
    deadline.shorten((options.deadline or doctor.DEADLINE).total_seconds())
    options.deadline = None  # a run has its own, as when Telegraf asks for it
    file = options.config or os.environ.get(run_options.ENVIRONMENT) or DEFAULT_PATH
    without = options.fleet or options.stratum0 or options.stratum1 or options.demo or options.demo_faults
    ours = doctor.Plugin(
        partial(one_fleet, options, deadline), partial(memory_path, options=options), "" if without else str(file)
    )
    text, code = doctor.examine(options, ours, deadline, now, os.environ)
    show([text])
    if deadline.interrupted:
        tell(f"W! {deadline.interrupted} ended the doctor; what it had not asked by then is not known")
    return code
