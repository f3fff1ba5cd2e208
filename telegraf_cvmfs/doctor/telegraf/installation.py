"""Telegraf as it is on this machine: its program, its process, its files and the variables that it sees."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from telegraf_cvmfs.doctor.processes import Process, User, is_believed, known, myself, obstacle, telegrafs
from telegraf_cvmfs.doctor.program import output_of
from telegraf_cvmfs.doctor.telegraf import Installation, Trial
from telegraf_cvmfs.doctor.telegraf.configuration import default_places, files_in, is_folder, read
from telegraf_cvmfs.doctor.telegraf.files import ConfigFile, Input, expanded, inputs, names_this_program
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.whole_file import read_file
from telegraf_cvmfs.words.secrecy import is_secret

DEFAULTS = Path("/etc/default/telegraf")
"""The variables that the service gives Telegraf, in the packages of its makers."""

Reader = tuple[Process, list[Path]]
"""A process and what it reads."""

TRIAL = ("--test", "--input-filter", "exec")
PATIENCE = 10.0
"""Seconds until a program says which version it is."""


@dataclass(frozen=True)
class Machine:
    """Where Telegraf is on this machine, and what it sees; the variables may hold secrets."""

    program: Path | None
    places: tuple[Path, ...]
    user: User
    process: Process | None
    others: tuple[Process, ...]
    environment: Mapping[str, str] = field(repr=False)


def machine(program: str, named: Sequence[Path], environment: Mapping[str, str]) -> Machine:
    """Where Telegraf is on this machine, and what it sees.

    Args:
        program: its program, if it is not the one on the PATH.
        named: files and folders of its configuration, else those of a process that runs, else those that it reads by
            itself. Where they are named only a process that reads one of them counts.
        environment: ours; what Telegraf's own says counts more.
    """
    default, every = default_places({**environment, **_defaults()}), telegrafs()
    running = [(process, _of_arguments(process) or default) for process in every if is_believed(process.user)]
    process, places = _of_interest(running, named) or (None, list(named) or default)
    theirs = (process.environment if process else None) or {}
    return Machine(
        _program(program) or (process.program if process and not program else None),
        tuple(places),
        process.user if process else known("telegraf") or myself(),
        process,
        tuple(one for one in every if one is not process),
        {**_harmless(environment, places), **_defaults(), **theirs},
    )


def installation(found: Machine, deadline: Deadline) -> Installation:
    """What can be read of Telegraf: its version, its files, and what keeps its user from running our program."""
    files = tuple(_config_file(path, found.environment) for path in files_in(found.places))
    ours = tuple(inputs(files, found.environment))
    return Installation(
        program=str(found.program or ""),
        version=_version(found.program, deadline) if found.program else "",
        files=files,
        pid=found.process.pid if found.process else None,
        others=tuple(process.pid for process in found.others),
        user=found.user.name,
        obstacles=tuple(dict.fromkeys(_obstacles(ours, found))),
        inputs=ours,
    )


def attempt(found: Machine, deadline: Deadline, seconds: float) -> Trial:
    """Let the real Telegraf run our input once, with its own files, as its own user where we may; nothing is written.

    Raises:
        ValueError: there is no program.
    """
    if found.program is None:
        raise ValueError("there is no Telegraf to try")
    options = [part for place in found.places for part in _option(place)]
    command = [str(found.program), *options, *TRIAL]
    ran = output_of(command, deadline, seconds, user=found.user, environment=found.environment)
    points = sum(line.startswith("> cvmfs") for line in ran.output.splitlines())
    complaints = tuple(re.findall(r"^\S+ ([EW]! .*)$", ran.errors, re.MULTILINE))
    return Trial(points, complaints, ran.code, ran.user.name)


# --- files ------------------------------------------------------------------------------------------


def _of_interest(running: Sequence[Reader], named: Sequence[Path]) -> Reader | None:
    """The process that reads one of the files that are named; without any, one that runs this program, else any."""
    if named:
        wanted = {path.resolve() for path in (*files_in(named), *named)}
        match = (one for one, places in running if wanted & {path.resolve() for path in (*files_in(places), *places)})
        process = next(match, None)
        return (process, list(named)) if process else None
    ours = (pair for pair in running if any(names_this_program(read(path).text) for path in files_in(pair[1])))
    return next(ours, running[0] if running else None)


def _of_arguments(process: Process) -> list[Path]:
    """What a process was told to read."""
    found = re.findall(r"(?:^|\0)--?config(?:-directory)?[=\0]([^\0]+)", "\0".join(process.arguments))
    return [(process.folder or Path("/")) / path for path in found if "://" not in path]


def _option(place: Path) -> tuple[str, str]:
    return ("--config-directory" if is_folder(place) else "--config"), str(place)


def _config_file(path: Path, environment: Mapping[str, str]) -> ConfigFile:
    file = read(path)
    return replace(file, text=expanded(file.text, environment))


def _harmless(environment: Mapping[str, str], places: Sequence[Path]) -> dict[str, str]:
    """Our variables for a trial as another user: no secret of ours but those that Telegraf's files name."""
    texts = [read(path).text for path in files_in(places)]
    return {
        name: value
        for name, value in environment.items()
        if not is_secret(name) or any(re.search(rf"\$\{{?{re.escape(name)}\b", text) for text in texts)
    }


def _defaults() -> dict[str, str]:
    """The variables of the service, where we may read them."""
    lines = read(DEFAULTS).text.splitlines()
    found = (re.fullmatch(r"\s*(?:export\s+)?([A-Za-z_]\w*)=(.*?)\s*", line) for line in lines)
    return {match[1]: match[2].strip("'\"") for match in found if match}


# --- the program, and who may run ours --------------------------------------------------------------


def _program(named: str) -> Path | None:
    """The program that is named, else the one on the PATH; never what a process calls itself: we may be root."""
    found = shutil.which(named or "telegraf")
    return Path(found).absolute() if found else None


def _version(program: Path, deadline: Deadline) -> str:
    match = re.match(r"Telegraf v?(\d+\.\d+[\w.~-]*)", output_of([str(program), "version"], deadline, PATIENCE).output)
    return match[1] if match else ""


def _obstacles(ours: Sequence[Input], found: Machine) -> Iterator[str]:
    """What keeps Telegraf's user from running our program, or from reading the fleet file that it is told to read."""
    search = found.environment.get("PATH", "")
    for one in ours:
        program = one.program if "/" in one.program else shutil.which(one.program, path=search)
        if program is None:
            yield f"{one.program} is not on the PATH that Telegraf has ({search})"
        elif blocked := obstacle(Path(program), found.user, run=True) or _interpreter(Path(program), found.user):
            yield blocked
        if one.fleet_file and (blocked := obstacle(Path(one.fleet_file), found.user)):
            yield blocked


def _interpreter(program: Path, user: User) -> str | None:
    """What keeps a user from what a script's first line names: the Python of a virtual environment, for instance."""
    with contextlib.suppress(OSError):
        first = read_file(program, 4096).partition(b"\n")[0].decode(errors="replace")
        if first.startswith("#!") and (words := first[2:].split()):
            return obstacle(Path(words[0]), user, run=True)
    return None
