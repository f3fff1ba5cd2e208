"""The sub-command `statuspage`: build the public page, look at it, check that it tells nothing else, ask an old run."""

from __future__ import annotations

import argparse
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from telegraf_cvmfs.command import options as run_options
from telegraf_cvmfs.command.chosen import spool_folder
from telegraf_cvmfs.command.terminal import OutputError, logger, now, show
from telegraf_cvmfs.command.waiting import NAP
from telegraf_cvmfs.model import ConfigError
from telegraf_cvmfs.net.deadline import Deadline

if TYPE_CHECKING:
    from telegraf_cvmfs.statuspage.settings import Settings

LISTEN = "127.0.0.1:9878"
_ACTIONS = ("build", "serve", "check", "at")
_SAID_AGAIN = 3600.0
"""Seconds after which an error that stays is said again."""

_LOOKED_AT = 200
"""Runs of which names are looked for."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """What to do, with which settings, and where."""
    run_options.add_options(parser)
    parser.set_defaults(settings=None, out=None, listen=LISTEN, secrets=None, force=False, forever=False, moment=None)
    parser.add_argument(
        "action", choices=_ACTIONS, help="write the pages, serve them on loopback, look for leaks, tell of an old run"
    )
    parser.add_argument("moment", nargs="?", metavar="TIME", help="at: with its offset, such as 2026-11-25T03:00:00Z")
    page = parser.add_argument_group("page")
    page.add_argument("--settings", metavar="FILE", type=Path, help="what may be told: statuspage.toml")
    page.add_argument("--out", metavar="DIR", type=Path, help="where the pages are; a link that each build swaps")
    page.add_argument("--force", action="store_true", help="build also if nothing changed")
    page.add_argument("--forever", action="store_true", help="build again and again, as [page] build says")
    page.add_argument("--listen", metavar="HOST:PORT", help=f"serve: where (default: {LISTEN})")
    page.add_argument("--secrets", metavar="FILE", type=Path, help="check: look also for each line of this file")


def run(options: argparse.Namespace, deadline: Deadline) -> int:
    """Do it; 1 if something leaks.

    Raises:
        ConfigError: an option or the settings are wrong, or a package is missing.
        OutputError: something cannot be read or written.
    """
    try:
        from telegraf_cvmfs.history.spool import SpoolError
        from telegraf_cvmfs.statuspage import build, pages  # noqa: F401
        from telegraf_cvmfs.statuspage.settings import load
    except ImportError as error:
        raise ConfigError(f"statuspage: {error}: pip install 'telegraf-cvmfs[statuspage]'") from error
    if options.action == "serve":
        return _serve(options, deadline)
    if options.settings is None:
        raise ConfigError(f"statuspage {options.action}: --settings FILE says what may be told")
    settings = load(options.settings)
    folder = spool_folder(options, deadline)
    try:
        if options.action == "at":
            return _at(options, settings, folder)
        return (
            _check(options, settings, folder)
            if options.action == "check"
            else _build(options, settings, folder, deadline)
        )
    except build.NothingKeptError as error:
        raise ConfigError(f"statuspage: {error}") from error
    except (OSError, SpoolError) as error:
        raise OutputError(f"statuspage: {error}") from error


def _out(options: argparse.Namespace) -> Path:
    if options.out is None:
        raise ConfigError(f"statuspage {options.action}: --out DIR says where the pages are")
    out: Path = options.out
    return out


def _build(options: argparse.Namespace, settings: Settings, folder: Path, deadline: Deadline) -> int:
    from telegraf_cvmfs.history.exclusive import lock

    out = _out(options)
    out.parent.mkdir(parents=True, exist_ok=True)
    with lock(out.with_name(f".{out.name}.lock")) as had:
        if not had:
            raise OutputError(f"statuspage build: another program builds {out}")
        if not options.forever:
            _build_once(options, settings, folder, out)
            return 0
        _build_for_ever(options, settings, folder, deadline)
    return 0


def _build_once(options: argparse.Namespace, settings: Settings, folder: Path, out: Path) -> bool | None:
    """Whether something goes on on the page that was made; None where nothing changed."""
    from telegraf_cvmfs.statuspage.build import build

    built = build(folder, settings, out, now(), force=options.force)
    show([f"{out}: {built.tree.name}\n" if built.tree else f"{out}: nothing changed\n"])
    return None if built.site is None else built.site.restless


def _build_for_ever(options: argparse.Namespace, settings: Settings, folder: Path, deadline: Deadline) -> None:
    """Until a signal ends it: what cannot be done now may be later. An error that stays is said once an hour."""
    from telegraf_cvmfs.history.spool import SpoolError
    from telegraf_cvmfs.statuspage.build import NothingKeptError

    restless, said, when = False, "", 0.0
    while not deadline.passed:
        try:
            found = _build_once(options, settings, folder, _out(options))
            restless, said = restless if found is None else found, ""
        except (OSError, SpoolError, NothingKeptError) as error:
            if str(error) != said or time.monotonic() - when >= _SAID_AGAIN:
                said, when = str(error), time.monotonic()
                logger(options)(f"E! statuspage: {said}")
        _wait(deadline, settings.sooner if restless else settings.build)


def _wait(deadline: Deadline, span: timedelta) -> None:
    """So long, or until a signal ends it."""
    until = time.monotonic() + span.total_seconds()
    while not deadline.passed and (left := until - time.monotonic()) > 0:
        time.sleep(min(NAP, left))


def _check(options: argparse.Namespace, settings: Settings, folder: Path) -> int:
    from telegraf_cvmfs.history.spool import kept, read
    from telegraf_cvmfs.statuspage.leaks import leaks, texts

    out, log = _out(options).resolve(), logger(options)
    if not out.is_dir():
        raise OutputError(f"statuspage check: {options.out}: there is no such folder")
    runs = kept(folder)
    looked_for = texts((row for one in runs[:: max(1, len(runs) // _LOOKED_AT)] for row in read(one.path)), settings)
    if options.secrets:
        looked_for.secret |= {line.strip() for line in options.secrets.read_text().splitlines()} - {""}
    found = list(leaks(out, looked_for))
    for path, text in found:
        log(f"E! statuspage check: {path.relative_to(out)}: has {text!r}")
    show([f"{options.out}: {len(looked_for.secret)} texts looked for, {len(found)} found\n"])
    return 1 if found else 0


def _at(options: argparse.Namespace, settings: Settings, folder: Path) -> int:
    from telegraf_cvmfs.statuspage.build import at
    from telegraf_cvmfs.statuspage.pages import status

    try:
        moment = datetime.fromisoformat(options.moment or "")
        if moment.tzinfo is None:
            raise ValueError
    except ValueError:
        raise ConfigError("statuspage at: TIME with its offset is wanted, such as 2026-11-25T03:00:00Z") from None
    show([status(at(folder, settings, moment), now()).decode()])
    return 0


def _serve(options: argparse.Namespace, deadline: Deadline) -> int:
    """Until interrupted."""
    from telegraf_cvmfs.net.transport import begin_thread
    from telegraf_cvmfs.statuspage.server import server

    out = _out(options)
    host, _, port = options.listen.rpartition(":")
    try:
        serving = server(out, host, int(port))
    except (OSError, ValueError, OverflowError) as error:
        raise ConfigError(f"statuspage serve: --listen {options.listen}: {error}") from error
    show([f"http://{host}:{serving.server_address[1]}/\n"])
    begin_thread(serving.serve_forever)
    while not deadline.passed:
        time.sleep(NAP)
    return 0
