"""Which programs the stack runs: those that a variable names, those on PATH, or those fetched into the cache."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.native import programs
from deploy.native.folder import Refused, Trouble

Version = tuple[int, int]
_PATIENCE = 60.0  # seconds until it must have said its version


@dataclass(frozen=True)
class Wanted:
    """A program that the stack needs.

    Attributes:
        name: as a person calls it.
        variable: the environment variable that names its path.
        command: its name on PATH.
        asks_version: what it is given to say its version.
        first, before: versions that do, from `first` on and older than `before`.
        why: what is wrong with others.
        cached: folder and program in the cache.
        fetch: installs it into the cache.
        takes: how that is done and how long it may take.
    """

    name: str
    variable: str
    command: str
    asks_version: str
    first: Version
    before: Version
    why: str
    cached: tuple[str, str]
    fetch: Callable[[], Path]
    takes: str


TELEGRAF = Wanted(
    name="Telegraf",
    variable="TELEGRAF",
    command="telegraf",
    asks_version="--version",
    first=(1, 39),
    before=(2, 0),
    why="the files in telegraf/ are for 1.39 and later",
    cached=programs.TELEGRAF,
    fetch=programs.telegraf,
    takes="built from the Go module proxy, once; one to five minutes",
)
INFLUXD = Wanted(
    name="InfluxDB",
    variable="INFLUXD",
    command="influxd",
    asks_version="version",
    first=(1, 6),
    before=(2, 0),
    why="the stack without Docker runs InfluxDB 1, 1.6 and later",
    cached=programs.INFLUXD,
    fetch=programs.influxd,
    takes="the Debian package, unpacked and not installed, once; seconds",
)
PROMETHEUS = Wanted(
    name="Prometheus",
    variable="PROMETHEUS",
    command="prometheus",
    asks_version="--version",
    first=(2, 42),
    before=(4, 0),
    why="the rules are for 2.42 and later",
    cached=programs.PROMETHEUS,
    fetch=programs.prometheus,
    takes="the Debian package, unpacked and not installed, once; seconds",
)


def find(wanted: Wanted, environment: Mapping[str, str], say: Callable[[str], None], *, may_fetch: bool = True) -> Path:
    """The program's path.

    Raises:
        Refused: the variable names none, or one of a version that does not do.
        Trouble: there is none, and it may not or cannot be fetched.
    """
    if named := environment.get(wanted.variable):
        path = _named(wanted.variable, named)
        if problem := _problem(wanted, path):
            raise Refused(f"{wanted.variable}={named}: {problem}")
        return path
    if here := _on_path((wanted.command,), environment):
        problem = _problem(wanted, here)
        if problem is None:
            return here
        say(f"{here} is not used: {problem}")
    try:
        return programs.cached(*wanted.cached) or _fetched(wanted, say, may_fetch=may_fetch)
    except programs.Missing as why:
        instead = f"install it, or name it with {wanted.variable}=PATH"
        raise Trouble(f"{wanted.name} is missing and could not be fetched ({why}): {instead}") from why


def grafana(environment: Mapping[str, str]) -> Path | None:
    """Grafana's path, by GRAFANA or on PATH; None if there is none: it cannot be fetched.

    Raises:
        Refused: the variable names no program.
    """
    if named := environment.get("GRAFANA"):
        return _named("GRAFANA", named)
    return _on_path(("grafana", "grafana-server"), environment)


def _fetched(wanted: Wanted, say: Callable[[str], None], *, may_fetch: bool) -> Path:
    if not may_fetch:
        raise Trouble(
            f"{wanted.name} is missing: install it, or name it with {wanted.variable}=PATH, "
            "or let `./stack native up` without --no-fetch fetch it"
        )
    say(f"fetching {wanted.name} into {programs.cache()} ({wanted.takes}) …")
    return wanted.fetch()


def _on_path(commands: tuple[str, ...], environment: Mapping[str, str]) -> Path | None:
    found = (shutil.which(command, path=environment.get("PATH", "")) for command in commands)
    return next((Path(path).absolute() for path in found if path), None)


def _named(variable: str, named: str) -> Path:
    path = shutil.which(named) if "/" in named else None
    if path is None:
        raise Refused(f"{variable}={named}: expected the full path of a program that this user may run")
    return Path(path).absolute()


def _problem(wanted: Wanted, path: Path) -> str | None:
    """Why this program does not do; None if it does."""
    command = [str(path), wanted.asks_version]
    try:
        done = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, errors="replace", timeout=_PATIENCE, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as why:
        return f"it does not run ({type(why).__name__})"
    said = re.search(r"(\d{1,4})\.(\d{1,4})", done.stdout)
    if said is None:
        return f"it does not say its version when asked with `{wanted.asks_version}`"
    version = (int(said[1]), int(said[2]))
    if wanted.first <= version < wanted.before:
        return None
    return f"it is {wanted.name} {said[0]}, and {wanted.why}"
