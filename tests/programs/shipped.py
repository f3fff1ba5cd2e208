"""The configuration files that users get, as Telegraf's options."""

from pathlib import Path

from tests import ROOT

FOLDER = ROOT / "telegraf"
SAMPLE = FOLDER / "sample.conf"
AGENT = FOLDER / "telegraf.conf"
INPUTS = FOLDER / "telegraf.d"

PLUGIN: list[str | Path] = ["--config", AGENT, "--config-directory", INPUTS]
OLDER_PLUGIN: list[str | Path] = ["--config", AGENT, "--config-directory", FOLDER / "older"]
"""For Telegraf 1.38 and earlier."""
EXECD = FOLDER / "sample-execd.conf"
INTO_INFLUXDB_1 = [*PLUGIN, "--config", FOLDER / "outputs" / "influxdb1.conf"]
INTO_INFLUXDB_2 = [*PLUGIN, "--config", FOLDER / "outputs" / "influxdb2.conf"]
INTO_INFLUXDB_AS_WRITER = [*PLUGIN, "--config", FOLDER / "outputs" / "influxdb-writer.conf"]
CLIENTS = FOLDER / "clients" / "cvmfs-client.conf"
HEALTH = FOLDER / "outputs" / "health.conf"
