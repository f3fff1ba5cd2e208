"""The whole stack: up, down, and how it stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.native import executables, logins, notes, parts, process
from deploy.native.building import Building
from deploy.native.notes import DEMO, Notes, Part
from deploy.native.parts import Site, influxdb
from deploy.native.parts.influxdb import Database
from deploy.native.room import Refused, Room, Trouble
from telegraf_cvmfs.fleet import file as fleet_file
from telegraf_cvmfs.model import ConfigError

Say = Callable[[str], None]


@dataclass(frozen=True)
class Order:
    """What `up` is asked for.

    Attributes:
        config: the fleet file; None for the demo fleet.
        environment: of the user; names programs and ports.
        may_fetch: whether missing programs may be fetched.
    """

    config: Path | None
    environment: Mapping[str, str]
    may_fetch: bool = True

    @property
    def watches(self) -> str:
        """The fleet in words."""
        return str(self.config.absolute()) if self.config else DEMO


@dataclass(frozen=True)
class _Programs:
    telegraf: Path
    influxd: Path
    grafana: Path | None


def up(room: Room, order: Order, say: Say) -> bool:
    """Start what does not run yet, and wait until measurements have arrived; False if all of it ran already.

    Raises:
        Refused: what is asked for makes no sense, or the stack runs and watches something else.
        Trouble: some part did not come up; then all that was started here is stopped again.
    """
    if order.config:
        _fleet_name(order.config)  # a wrong file is refused before anything is started
    found = _Programs(
        executables.find(executables.TELEGRAF, order.environment, say, may_fetch=order.may_fetch),
        executables.find(executables.INFLUXD, order.environment, say, may_fetch=order.may_fetch),
        executables.grafana(order.environment),
    )
    room.make()
    with room.lock(), Building(room, order.environment) as building:
        noted = building.notes
        running = {part.name for part in noted.running}
        if running and noted.watches != order.watches:
            raise Refused(f"the stack runs and watches {noted.watches}: `./stack native down` first")
        plan = ("influxdb", *(() if order.config else ("demo",)), "telegraf", *(("grafana",) if found.grafana else ()))
        if running.issuperset(plan):
            return False
        known = tuple(part for part in noted.parts if part.name in running.union(plan))
        building.keep(Notes(order.watches, noted.fleet, known))
        _build(Site(building, logins.kept(room), order.environment, say), order, found)
    return True


def _build(site: Site, order: Order, found: _Programs) -> None:
    server = parts.start_influxdb(site, found.influxd)
    fleet = order.config.absolute() if order.config else parts.start_demo(site)
    parts.with_fleet(site, _fleet_name(fleet))
    parts.start_telegraf(site, found.telegraf, server, fleet)
    if found.grafana:
        parts.start_grafana(site, found.grafana, server)


def _fleet_name(path: Path) -> str:
    try:
        return fleet_file.load(path).name
    except ConfigError as why:
        raise Refused(str(why)) from why


def down(room: Room, say: Say) -> None:
    """Stop every part, the last one first."""
    if not room.exists:
        say("nothing runs: there is no stack here")
        return
    with room.lock():
        say("all parts are stopped; the data stay" if _stop(room, say) else "nothing runs")


def reset(room: Room, say: Say) -> None:
    """Stop every part and delete the folder, with no other command between."""
    with room.lock():
        _stop(room, say)
        room.remove()


def _stop(room: Room, say: Say) -> bool:
    """Whether anything had to be stopped."""
    running = notes.read(room).running
    with process.undisturbed():
        for part in reversed(running):
            say(f"stopping {part.name} …")
            process.stop(part.process)
            if part.process.alive:
                raise Trouble(f"{part.name} (process {part.process.pid}) does not end")
    return bool(running)


def reader(room: Room, noted: Notes) -> Database:
    """The database as Grafana has it.

    Raises:
        Trouble: the stack has none that ever ran.
    """
    part = noted.part("influxdb")
    if part is None or not part.url:
        raise Trouble("there is no database: the stack was not started here")
    return influxdb.reader(part.url, logins.kept(room))


def newest_run(room: Room, noted: Notes) -> int | None:
    """When the newest run began that is in the database, in Unix seconds; None if there is none, or no answer."""
    try:
        return influxdb.newest_run(reader(room, noted), noted.fleet)
    except Trouble:
        return None


def url_of(noted: Notes, name: str) -> str:
    """Where a part that runs answers; "" if it does not."""
    part: Part | None = noted.part(name)
    return part.url if part and part.process.alive else ""
