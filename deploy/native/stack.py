"""The whole stack: up, down, and how it stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.native import executables, logins, parts, process, started
from deploy.native.folder import Folder, Refused, Trouble
from deploy.native.launcher import Launcher
from deploy.native.parts import Stack, influxdb
from deploy.native.started import DEMO, Part, Started
from telegraf_cvmfs.fleet import file as fleet_file
from telegraf_cvmfs.model import ConfigError
from telegraf_cvmfs.net.influxdb import Database

Say = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """What `up` is asked for.

    Attributes:
        config: the fleet file; None for the demo fleet.
        environment: of the user; names programs and ports.
        may_fetch: whether missing programs may be fetched.
        prometheus: whether Prometheus and the exporter run too.
    """

    config: Path | None
    environment: Mapping[str, str]
    may_fetch: bool = True
    prometheus: bool = False

    @property
    def watches(self) -> str:
        """The fleet in words."""
        return str(self.config.absolute()) if self.config else DEMO


@dataclass(frozen=True)
class _Programs:
    telegraf: Path
    influxd: Path
    grafana: Path | None
    prometheus: Path | None


def up(folder: Folder, options: Options, say: Say) -> bool:
    """Start what does not run yet, and wait until measurements have arrived; False if all of it ran already.

    Raises:
        Refused: what is asked for makes no sense, or the stack runs and watches something else.
        Trouble: some part did not come up; then all that was started here is stopped again.
    """
    if options.config:
        _fleet_name(options.config)  # a wrong file is refused before anything is started
    found = _found(options, say)
    folder.make()
    with folder.lock(), Launcher(folder, options.environment) as launcher:
        noted = launcher.started
        running = {part.name for part in noted.alive}
        if running and noted.watches != options.watches:
            raise Refused(f"the stack runs and watches {noted.watches}: `./stack native down` first")
        plan = (
            "influxdb",
            *(() if options.config else ("demo",)),
            "telegraf",
            *(("grafana",) if found.grafana else ()),
            *(("exporter", "prometheus") if found.prometheus else ()),
        )
        if running.issuperset(plan):
            return False
        known = tuple(part for part in noted.parts if part.name in running.union(plan))
        launcher.keep(Started(options.watches, noted.fleet, known))
        _build(Stack(launcher, logins.kept(folder), options.environment, say), options, found)
    return True


def _found(options: Options, say: Say) -> _Programs:
    def find(wanted: executables.Wanted) -> Path:
        return executables.find(wanted, options.environment, say, may_fetch=options.may_fetch)

    return _Programs(
        find(executables.TELEGRAF),
        find(executables.INFLUXD),
        executables.grafana(options.environment),
        find(executables.PROMETHEUS) if options.prometheus else None,
    )


def _build(stack: Stack, options: Options, found: _Programs) -> None:
    server = parts.start_influxdb(stack, found.influxd)
    fleet = options.config.absolute() if options.config else parts.start_demo(stack)
    parts.with_fleet(stack, _fleet_name(fleet))
    parts.start_telegraf(stack, found.telegraf, server, fleet)
    prometheus = parts.prometheus_url(stack) if found.prometheus or stack.lives("prometheus") else ""
    if found.grafana:
        parts.start_grafana(stack, found.grafana, server, prometheus)
    if found.prometheus:
        parts.start_prometheus(stack, found.prometheus, parts.start_exporter(stack, fleet), prometheus)


def _fleet_name(path: Path) -> str:
    try:
        return fleet_file.load(path).name
    except ConfigError as why:
        raise Refused(str(why)) from why


def down(folder: Folder, say: Say) -> None:
    """Stop every part, the last one first."""
    if not folder.exists:
        say("nothing runs: there is no stack here")
        return
    with folder.lock():
        say("all parts are stopped; the data stay" if _stop(folder, say) else "nothing runs")


def reset(folder: Folder, say: Say) -> None:
    """Stop every part and delete the folder, with no other command between."""
    with folder.lock():
        _stop(folder, say)
        folder.remove()


def _stop(folder: Folder, say: Say) -> bool:
    """Whether anything had to be stopped."""
    alive = started.read(folder).alive
    with process.undisturbed():
        for part in reversed(alive):
            say(f"stopping {part.name} …")
            process.stop(part.process)
            if part.process.alive:
                raise Trouble(f"{part.name} (process {part.process.pid}) does not end")
    return bool(alive)


def reader(folder: Folder, noted: Started) -> Database:
    """The database as Grafana has it.

    Raises:
        Trouble: the stack has none that ever ran.
    """
    part = noted.part("influxdb")
    if part is None or not part.url:
        raise Trouble("there is no database: the stack was not started here")
    return influxdb.reader(part.url, logins.kept(folder))


def newest_run(folder: Folder, noted: Started) -> int | None:
    """When the newest run began that is in the database, in Unix seconds; None if there is none, or no answer."""
    try:
        return influxdb.newest_run(reader(folder, noted), noted.fleet)
    except Trouble:
        return None


def url_of(noted: Started, name: str) -> str:
    """Where a part that runs answers; "" if it does not."""
    part: Part | None = noted.part(name)
    return part.url if part and part.process.alive else ""
