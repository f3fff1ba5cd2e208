"""How each part is brought up, and what it must show before it counts as up."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from deploy.native import ports
from deploy.native.folder import trouble_with
from deploy.native.launcher import Launcher
from deploy.native.logins import Logins
from deploy.native.parts import grafana, influxdb, prometheus, telegraf
from deploy.native.started import Part
from telegraf_cvmfs.net.influxdb import Database

INFLUXDB_PORT, GRAFANA_PORT, EXPORTER_PORT, PROMETHEUS_PORT = 8086, 3000, 9877, 9090  # where everybody looks for them
_STARTS, _GRAFANA_STARTS = 60.0, 180.0  # seconds; Grafana makes its own database the first time
_ONE_RUN, _WITH_HISTORY = 150.0, 400.0  # seconds; Telegraf's inputs may take 60 and 300
_HOUR = 3600  # seconds
_SETTLES = 2.0  # seconds after which a program that dislikes its settings has ended


@dataclass(frozen=True)
class Stack:
    """Where the parts are brought up.

    Attributes:
        launcher: what starts and notes them.
        passwords: of all users.
        environment: of the user; may name ports and Telegraf's rhythm.
        say: takes a line for the person who waits.
    """

    launcher: Launcher
    passwords: Logins
    environment: Mapping[str, str]
    say: Callable[[str], None]

    def lives(self, name: str) -> Part | None:
        """The part of this name, if it runs."""
        part = self.launcher.started.part(name)
        return part if part and part.process.alive else None

    def port(self, variable: str, name: str, usual: int) -> int:
        """The port for a part: the same as before, if it can be."""
        noted = self.launcher.started.part(name)
        before = int(noted.url.rpartition(":")[2]) if noted and noted.url else None
        return ports.choose(variable, usual, self.environment, self.say, before=before)


def start_influxdb(stack: Stack, program: Path) -> str:
    """InfluxDB with its users; returns its URL."""
    launcher, folder = stack.launcher, stack.launcher.folder
    part = stack.lives("influxdb")
    if part is None:
        port = stack.port("INFLUXDB_PORT", "influxdb", INFLUXDB_PORT)
        stack.say("starting InfluxDB …")
        file = folder.write("influxdb.conf", influxdb.settings(folder.subfolder("influxdb"), port))
        part = launcher.start("influxdb", [str(program), "-config", str(file)], {})
        log = folder.log("influxdb")
        url = launcher.wait(part, lambda: influxdb.url(log), _STARTS, "InfluxDB did not listen")
        part = launcher.listens(part, url)
    influxdb.let_in(part.url, stack.passwords)
    return part.url


def start_demo(stack: Stack) -> Path:
    """The demo fleet; returns its fleet file."""
    folder = stack.launcher.folder.subfolder("demo")
    fleet = folder / "fleet.toml"
    if stack.lives("demo") is None:
        fleet.unlink(missing_ok=True)  # an older one names ports at which nobody listens
        stack.say("starting the demo fleet …")
        part = stack.launcher.start("demo", telegraf.demo(folder), {})
        stack.launcher.wait(part, lambda: fleet.is_file() or None, _STARTS, "the demo fleet wrote no fleet file")
    return fleet


def start_telegraf(stack: Stack, program: Path, server: str, fleet: Path) -> None:
    """Telegraf, after one run of it whose measurements have arrived."""
    launcher = stack.launcher
    is_demo = launcher.started.part("demo") is not None
    own = {name: stack.environment[name] for name in telegraf.RHYTHM if name in stack.environment}
    rhythm = telegraf.DEMO_RHYTHM | own if is_demo else own
    writer, reader = influxdb.writer(server, stack.passwords), influxdb.reader(server, stack.passwords)
    settings = telegraf.settings(writer, fleet, launcher.folder.subfolder("memory"), rhythm)
    if stack.lives("telegraf") is None:
        if is_demo:
            _write_history(stack, telegraf.history(program), settings, reader)
        _first_run(stack, [*telegraf.shipped(program), "--once"], settings, reader)
        stack.say("starting Telegraf …")
    part = launcher.start("telegraf", telegraf.shipped(program), settings)
    settled = time.monotonic() + _SETTLES
    launcher.wait(part, lambda: time.monotonic() > settled or None, 2 * _SETTLES, "Telegraf did not settle")


def start_grafana(stack: Stack, program: Path, server: str, prometheus_url: str) -> None:
    """The Grafana that is installed, with our data sources and dashboards; those for Prometheus if it has a URL."""
    launcher, folder = stack.launcher, stack.launcher.folder
    part = stack.lives("grafana")
    if part is None:
        port = stack.port("GRAFANA_PORT", "grafana", GRAFANA_PORT)
        stack.say("starting Grafana; the first time it takes a while …")
    else:
        port = int(part.url.rpartition(":")[2])
    url = f"http://127.0.0.1:{port}"
    reader = influxdb.reader(server, stack.passwords)
    settings = grafana.settings(folder, port, stack.passwords.grafana_admin, reader, prometheus_url)
    file = folder.write("grafana.ini", "# Empty: all settings are variables.\n")
    own = grafana.of_the_user(stack.environment)
    part = launcher.start("grafana", grafana.command(program, file), own | settings, url)
    launcher.wait(part, lambda: grafana.answers(url) or None, _GRAFANA_STARTS, "Grafana did not answer")


def start_exporter(stack: Stack, fleet: Path) -> str:
    """The exporter, after its first run; returns its URL."""
    launcher = stack.launcher
    part = stack.lives("exporter")
    if part is None:
        stack.say("starting the exporter …")
        url = f"http://127.0.0.1:{stack.port('EXPORTER_PORT', 'exporter', EXPORTER_PORT)}"
    else:
        url = part.url
    rhythm = prometheus.DEMO_RHYTHM if launcher.started.part("demo") else ()
    port, state = int(url.rpartition(":")[2]), launcher.folder.subfolder("exporter")
    part = launcher.start("exporter", prometheus.exporter(fleet, port, state, rhythm), {}, url)
    launcher.wait(part, lambda: prometheus.is_ready(url) or None, _ONE_RUN, "the exporter's first run did not end")
    return url


def prometheus_url(stack: Stack) -> str:
    """Where Prometheus listens, or is going to."""
    part = stack.lives("prometheus")
    return part.url if part else f"http://127.0.0.1:{stack.port('PROMETHEUS_PORT', 'prometheus', PROMETHEUS_PORT)}"


def start_prometheus(stack: Stack, program: Path, exporter: str, url: str) -> None:
    """Prometheus with the shipped rules, once it has what the exporter tells."""
    launcher, folder = stack.launcher, stack.launcher.folder
    if stack.lives("prometheus") is None:
        stack.say("starting Prometheus …")
    grafana_part = stack.lives("grafana")
    text = prometheus.settings(exporter, grafana_part.url if grafana_part else "")
    file, data = folder.write("prometheus.yaml", text), folder.subfolder("prometheus")
    part = launcher.start("prometheus", prometheus.command(program, file, data, int(url.rpartition(":")[2])), {}, url)
    launcher.wait(
        part, lambda: prometheus.has_servers(url) or None, _STARTS, "Prometheus got nothing from the exporter"
    )


def _write_history(stack: Stack, command: list[str], settings: Mapping[str, str], reader: Database) -> None:
    """The demo fleet's last day, so that no curve is empty; not again if it was watched within the last hour."""
    launcher = stack.launcher
    if influxdb.newest_run(reader, launcher.started.fleet, since=int(time.time()) - _HOUR) is not None:
        return
    stack.say("writing the demo fleet's last day through Telegraf; about half a minute …")
    launcher.run("history", command, settings, _WITH_HISTORY)
    if influxdb.newest_run(reader, launcher.started.fleet) is None:
        raise trouble_with(launcher.folder, "history", _missing_link(launcher.folder.last_words("history", 50)))


def _first_run(stack: Stack, command: list[str], settings: Mapping[str, str], reader: Database) -> None:
    """One run at once: the next round minute of Telegraf's own interval may be far, and a fault would show late."""
    launcher = stack.launcher
    stack.say("first run of Telegraf …")
    began = int(time.time())  # whole seconds, as Telegraf rounds
    launcher.run("first-run", command, settings, _ONE_RUN)
    if influxdb.newest_run(reader, launcher.started.fleet, since=began) is None:
        raise trouble_with(launcher.folder, "first-run", _missing_link(launcher.folder.last_words("first-run", 50)))


def _missing_link(log: list[str]) -> str:
    for said, meaning in (
        ("E! [outputs.influxdb]", "Telegraf could not write to InfluxDB"),
        ("E! [inputs.exec]", "Telegraf ran the plugin, and it failed"),
        ("E! ", "Telegraf did not run as it should"),
    ):
        if any(said in line for line in log):
            return meaning
    return "Telegraf ran once, and no measurement arrived in InfluxDB"


def with_fleet(stack: Stack, fleet: str) -> None:
    """Note the fleet's name, by which its measurements are found."""
    stack.launcher.keep(replace(stack.launcher.started, fleet=fleet))
