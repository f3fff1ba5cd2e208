"""How each part is brought up, and what it must show before it counts as up."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from deploy.native import ports
from deploy.native.building import Building
from deploy.native.logins import Logins
from deploy.native.notes import Part
from deploy.native.parts import grafana, influxdb, telegraf
from deploy.native.parts.influxdb import Database
from deploy.native.room import trouble_with

INFLUXDB_PORT, GRAFANA_PORT = 8086, 3000  # where everybody looks for them
_STARTS, _GRAFANA_STARTS = 60.0, 180.0  # seconds; Grafana makes its own database the first time
_ONE_RUN, _WITH_HISTORY = 150.0, 400.0  # seconds; Telegraf's inputs may take 60 and 300
_HOUR = 3600  # seconds
_SETTLES = 2.0  # seconds after which a program that dislikes its settings has ended


@dataclass(frozen=True)
class Site:
    """Where the parts are brought up.

    Attributes:
        building: what starts and notes them.
        passwords: of all users.
        environment: of the user; may name ports and Telegraf's rhythm.
        say: takes a line for the person who waits.
    """

    building: Building
    passwords: Logins
    environment: Mapping[str, str]
    say: Callable[[str], None]

    def lives(self, name: str) -> Part | None:
        """The part of this name, if it runs."""
        part = self.building.notes.part(name)
        return part if part and part.process.alive else None

    def port(self, variable: str, name: str, usual: int) -> int:
        """The port for a part: the same as before, if it can be."""
        noted = self.building.notes.part(name)
        before = int(noted.url.rpartition(":")[2]) if noted and noted.url else None
        return ports.choose(variable, usual, self.environment, self.say, before=before)


def start_influxdb(site: Site, program: Path) -> str:
    """InfluxDB with its users; returns its URL."""
    building, room = site.building, site.building.room
    part = site.lives("influxdb")
    if part is None:
        port = site.port("INFLUXDB_PORT", "influxdb", INFLUXDB_PORT)
        site.say("starting InfluxDB …")
        file = room.write("influxdb.conf", influxdb.settings(room.subfolder("influxdb"), port))
        part = building.start("influxdb", [str(program), "-config", str(file)], {})
        log = room.log("influxdb")
        url = building.wait(part, lambda: influxdb.url(log), _STARTS, "InfluxDB did not listen")
        part = building.listens(part, url)
    influxdb.let_in(part.url, site.passwords)
    return part.url


def start_demo(site: Site) -> Path:
    """The demo fleet; returns its fleet file."""
    folder = site.building.room.subfolder("demo")
    fleet = folder / "fleet.toml"
    if site.lives("demo") is None:
        fleet.unlink(missing_ok=True)  # an older one names ports at which nobody listens
        site.say("starting the demo fleet …")
        part = site.building.start("demo", telegraf.demo(folder), {})
        site.building.wait(part, lambda: fleet.is_file() or None, _STARTS, "the demo fleet wrote no fleet file")
    return fleet


def start_telegraf(site: Site, program: Path, server: str, fleet: Path) -> None:
    """Telegraf, after one run of it whose measurements have arrived."""
    building = site.building
    is_demo = building.notes.part("demo") is not None
    own = {name: site.environment[name] for name in telegraf.RHYTHM if name in site.environment}
    rhythm = telegraf.DEMO_RHYTHM | own if is_demo else own
    writer, reader = influxdb.writer(server, site.passwords), influxdb.reader(server, site.passwords)
    settings = telegraf.settings(writer, fleet, building.room.subfolder("memory"), rhythm)
    if site.lives("telegraf") is None:
        if is_demo:
            _write_history(site, telegraf.history(program), settings, reader)
        _first_run(site, [*telegraf.shipped(program), "--once"], settings, reader)
        site.say("starting Telegraf …")
    part = building.start("telegraf", telegraf.shipped(program), settings)
    settled = time.monotonic() + _SETTLES
    building.wait(part, lambda: time.monotonic() > settled or None, 2 * _SETTLES, "Telegraf did not settle")


def start_grafana(site: Site, program: Path, server: str) -> None:
    """The Grafana that is installed, with our data source and dashboards."""
    building, room = site.building, site.building.room
    part = site.lives("grafana")
    if part is None:
        port = site.port("GRAFANA_PORT", "grafana", GRAFANA_PORT)
        site.say("starting Grafana; the first time it takes a while …")
    else:
        port = int(part.url.rpartition(":")[2])
    url = f"http://127.0.0.1:{port}"
    settings = grafana.settings(room, port, site.passwords.grafana_admin, influxdb.reader(server, site.passwords))
    file = room.write("grafana.ini", "# Empty: all settings are variables.\n")
    own = grafana.of_the_user(site.environment)
    part = building.start("grafana", grafana.command(program, file), own | settings, url)
    building.wait(part, lambda: grafana.answers(url) or None, _GRAFANA_STARTS, "Grafana did not answer")


def _write_history(site: Site, command: list[str], settings: Mapping[str, str], reader: Database) -> None:
    """The demo fleet's last day, so that no curve is empty; not again if it was watched within the last hour."""
    building = site.building
    if influxdb.newest_run(reader, building.notes.fleet, since=int(time.time()) - _HOUR) is not None:
        return
    site.say("writing the demo fleet's last day through Telegraf; about half a minute …")
    building.run("history", command, settings, _WITH_HISTORY)
    if influxdb.newest_run(reader, building.notes.fleet) is None:
        raise trouble_with(building.room, "history", _missing_link(building.room.last_words("history", 50)))


def _first_run(site: Site, command: list[str], settings: Mapping[str, str], reader: Database) -> None:
    """One run at once: the next round minute of Telegraf's own interval may be far, and a fault would show late."""
    building = site.building
    site.say("first run of Telegraf …")
    began = int(time.time())  # whole seconds, as Telegraf rounds
    building.run("first-run", command, settings, _ONE_RUN)
    if influxdb.newest_run(reader, building.notes.fleet, since=began) is None:
        raise trouble_with(building.room, "first-run", _missing_link(building.room.last_words("first-run", 50)))


def _missing_link(log: list[str]) -> str:
    for said, meaning in (
        ("E! [outputs.influxdb]", "Telegraf could not write to InfluxDB"),
        ("E! [inputs.exec]", "Telegraf ran the plugin, and it failed"),
        ("E! ", "Telegraf did not run as it should"),
    ):
        if any(said in line for line in log):
            return meaning
    return "Telegraf ran once, and no measurement arrived in InfluxDB"


def with_fleet(site: Site, fleet: str) -> None:
    """Note the fleet's name, by which its measurements are found."""
    site.building.keep(replace(site.building.notes, fleet=fleet))
