"""`maintenance`: windows in which what is wrong is measured, and not judged aloud; added, listed, ended."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import fnmatch
import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from telegraf_cvmfs.command import options as run_options
from telegraf_cvmfs.command.chosen import maintenance_file, one_fleet
from telegraf_cvmfs.command.terminal import OutputError, now, show, write
from telegraf_cvmfs.fleet import maintenance
from telegraf_cvmfs.fleet.values import positive_duration
from telegraf_cvmfs.model import ConfigError, Fleet, Maintenance
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.words.secrecy import masked
from telegraf_cvmfs.words.text import LONGEST_SHOWN, listed, shown, tame

_WHAT = "maintenance"
_LONGEST_WHY = 200  # characters
_SHOWN = "%Y-%m-%d %H:%M"


def add_options(parser: argparse.ArgumentParser) -> None:
    """What to do, and for `add` what is worked on, for how long, and why; `--server` is a glob here."""
    run_options.add_options(parser)
    parser.add_argument("action", choices=("add", "list", "end"), help="add a window, list them, end some now")
    parser.add_argument("number", nargs="*", type=int, default=[], help="end: those of these numbers in `list`")
    window = parser.add_argument_group("add", "--server GLOB too; without it all servers are meant")
    of = "only these replicas, not the servers themselves; repeatable"
    window.add_argument("--repository", metavar="GLOB", action="append", default=[], help=of)
    since = "when it begins, with its offset: 2026-12-01T08:00:00Z; default: now"
    window.add_argument("--from", metavar="TIME", dest="since", type=_moment, default=None, help=since)
    window.add_argument("--until", metavar="TIME", type=_moment, default=None, help="when it ends")
    window.add_argument("--for", metavar="SPAN", dest="span", type=_span, default=None, help="or how long it takes: 4h")
    window.add_argument("--why", metavar="TEXT", default="", help="what is told with it")


def run(options: argparse.Namespace, deadline: Deadline) -> int:
    """Change the file, or print what there is; 0.

    Raises:
        ConfigError: the options do not fit together, or a file is wrong.
        OutputError: the file cannot be written.
    """
    path, moment = maintenance_file(options), now()
    if options.number and options.action != "end":
        raise ConfigError(f"{_WHAT} {options.action}: takes no number")
    if options.action == "add":
        window = _window(options, moment)
        _refuse_strangers(options, deadline)
        with _alone(path):
            _write(path, [*_not_over(path, moment), window])
    elif options.action == "end":
        with _alone(path):
            own = _not_over(path, moment)
            ended = _numbers(options.number, own)
            _write(path, [one for number, one in enumerate(own, 1) if number not in ended])
    show([*_listed(options, path, moment, deadline), *_kept_apart(options, path)])
    return 0


def _not_over(path: Path, moment: datetime) -> list[Maintenance]:
    return [one for one in maintenance.load(path) if one.until > moment]


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Of two who change the file at the same time the second waits: else the first one's window would be lost."""
    folder = next(one for one in path.parents if one.is_dir())  # the file itself is replaced
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:  # that it cannot be written is said by whoever writes
        yield
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _kept_apart(options: argparse.Namespace, path: Path) -> list[str]:
    """Where there is no fleet file, runs of another user have another state folder, and would not see it."""
    apart = options.action == "add" and not maintenance.fleet_file_of(path).exists()
    return [f"kept in {path}, for runs of this user, or with the same --state-dir\n"] if apart else []


def _window(options: argparse.Namespace, moment: datetime) -> Maintenance:
    since = options.since or moment.replace(microsecond=0)
    if (options.until is None) == (options.span is None):
        raise ConfigError(f"{_WHAT} add: say when it ends, by one of --until and --for")
    until = options.until or _after(since, options.span)
    if until <= since or until <= moment:
        raise ConfigError(
            f"{_WHAT} add: --until: {until.isoformat()} is {'over' if until > since else 'not after --from'}"
        )
    for glob in (*options.server, *options.repository):
        if not glob or not glob.isprintable():
            raise ConfigError(f"{_WHAT} add: {tame(masked(glob), LONGEST_SHOWN)!r} is no name or glob")
    why = tame(options.why, _LONGEST_WHY)
    return Maintenance(since, until, tuple(options.server) or ("*",), tuple(options.repository), why)


def _after(since: datetime, span: timedelta) -> datetime:
    try:
        return since + span
    except OverflowError:
        raise ConfigError(f"{_WHAT} add: --for: that is after the year 9999") from None


def lines_of_check(fleet: Fleet, moment: datetime) -> list[str]:
    """What `--check` says of the windows that are not over."""
    return [f"{_WHAT}: {_described(one, moment)}" for one in fleet.maintenance if one.until > moment]


def problems(fleet: Fleet, moment: datetime) -> list[str]:
    """What is wrong with those: a server that is misspelt goes on alerting."""
    globs = (glob for one in fleet.maintenance if one.until > moment for glob in one.servers)
    return [f"{_WHAT}: wrong: {why}" for why in _strangers(globs, fleet)]


def _refuse_strangers(options: argparse.Namespace, deadline: Deadline) -> None:
    with one_fleet(options, deadline) as fleet:
        for why in _strangers(options.server, fleet):
            raise ConfigError(f"{_WHAT} add: {why}")


def _strangers(globs: Iterable[str], fleet: Fleet) -> Iterator[str]:
    names = [server.name for server in fleet.servers]
    for glob in globs:
        if not fnmatch.filter(names, glob):
            yield f"no server is called {shown(masked(glob))}: expected one of {listed(names)}"


def _numbers(given: Sequence[int], own: Sequence[Maintenance]) -> set[int]:
    if not given and len(own) == 1:
        return {1}
    if not given or any(number not in range(1, len(own) + 1) for number in given):
        there = f"1 to {len(own)}" if own else "none"
        raise ConfigError(f"{_WHAT} end: say which, by the numbers of `{_WHAT} list`; there are: {there}")
    return set(given)


def _write(path: Path, kept: Sequence[Maintenance]) -> None:
    """Whoever may read the fleet file may read this; where there is none, it is whose the folder is."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        before = next(one for one in (path, maintenance.fleet_file_of(path), path.parent) if one.exists()).stat()
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror or error}") from error
    write(path, [maintenance.text(kept)], before)


def _listed(options: argparse.Namespace, path: Path, moment: datetime, deadline: Deadline) -> list[str]:
    own = [one for one in maintenance.load(path) if one.until > moment]
    with one_fleet(options, deadline) as fleet:
        others = [one for one in fleet.maintenance if one.until > moment and one not in own]
    lines = [f"{number:>2}  {_described(one, moment)}\n" for number, one in enumerate(own, 1)]
    lines += [f" -  {_described(one, moment)} (in the fleet file)\n" for one in others]
    return lines or ["no maintenance, now or planned\n"]


def _described(window: Maintenance, moment: datetime) -> str:
    when = f"{window.since.astimezone(UTC):{_SHOWN}} to {window.until.astimezone(UTC):{_SHOWN}} UTC"
    of = ", ".join(window.servers) + (f", only {', '.join(window.repositories)}" if window.repositories else "")
    state = "now" if window.since <= moment else "planned"
    return f"{state:<7}  {when}  {of}{f': {window.why}' if window.why else ''}"


def _moment(text: str) -> datetime:
    try:
        return maintenance.moment(datetime.fromisoformat(text))
    except ValueError:
        what = f"{text!r} is no time with its offset, such as 2026-12-01T08:00:00Z"
        raise argparse.ArgumentTypeError(what) from None


def _span(text: str) -> timedelta:
    try:
        return positive_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}, expected {error}") from error
