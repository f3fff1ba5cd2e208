"""What the operator sees: stdout, stderr, colours, the progress bar, and the clock on the wall."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
import threading
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from telegraf_cvmfs.model import Run
from telegraf_cvmfs.whole_file import PUBLIC, whole_file
from telegraf_cvmfs.words.log import Log
from telegraf_cvmfs.words.progress import Moved, unmoved
from telegraf_cvmfs.words.secrecy import without_secrets
from telegraf_cvmfs.words.text import one_line


def now() -> datetime:
    """The time, aware: the one place where the command asks for it."""
    return datetime.now(UTC)


def logger(options: argparse.Namespace) -> Log:
    """Shows errors always, warnings unless quiet, information if verbose."""

    def log(line: str) -> None:
        level = line[:2]
        if level == "E!" or (level == "W!" and not options.quiet) or options.verbose:
            tell(line)

    return log


def tell(line: str) -> None:
    """One line to stderr, in one write that no other thread's comes between; nothing secret of a URL is in it.

    An operator who closed it does not want to hear of it.
    """
    whole = one_line(without_secrets(line)).encode(errors="backslashreplace")
    text = whole if len(whole) < _WHOLE else whole[: _WHOLE - 4] + b"..."
    with contextlib.suppress(OSError, ValueError), _TELLING:
        if sys.stderr is not None:
            sys.stderr.write(text.decode(errors="ignore") + "\n")
            sys.stderr.flush()


_TELLING = threading.Lock()
_WHOLE = 4096
"""Bytes that a pipe takes at once, so that no other process's come between (PIPE_BUF)."""

_AT_ONCE = 1 << 17  # characters


def _write(text: str) -> None:
    data = memoryview(text.encode(errors="replace"))
    while data:
        data = data[os.write(sys.stdout.fileno(), data) :]


class OutputError(Exception):
    """What was found could not be written; str() says where and why."""


def show(pieces: Iterable[str]) -> None:
    """All that goes to stdout, in UTF-8 whatever the locale; whole pieces at a time, and never all of them held.

    Raises:
        BrokenPipeError: nobody reads it.
        OutputError: it cannot be written; the disk is full, say.
    """
    if sys.stdout is None:
        raise OutputError("stdout: it is closed, nothing can be printed")
    try:
        sys.stdout.flush()
        held: list[str] = []
        size = 0
        for piece in pieces:
            held.append(piece)
            size += len(piece)
            if size > _AT_ONCE:
                _write("".join(held))
                held, size = [], 0
        _write("".join(held))
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"stdout: {error.strerror or error}") from error


def write(path: Path, pieces: Iterable[str], like: os.stat_result | None = None) -> None:
    """The same into a file, which takes the place of another of that name whole or not at all; `like` as `whole_file`.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        with whole_file(path, PUBLIC, like) as file:
            file.writelines(piece.encode(errors="replace") for piece in pieces)
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror or error}") from error


def colours(wish: str) -> bool:
    """Is stdout written in colours? `wish` is "always", "never", or "auto": if whoever reads it sees and wants them."""
    if wish != "auto":
        return wish == "always"
    return sys.stdout is not None and sys.stdout.isatty() and not (_dumb() or os.environ.get("NO_COLOR"))


def width() -> int | None:
    """The columns of the terminal that shows stdout, or those that COLUMNS says; None for a pipe or a file."""
    said = os.environ.get("COLUMNS", "")
    if (sys.stdout is not None and sys.stdout.isatty()) or (said.isdecimal() and int(said) > 0):
        return shutil.get_terminal_size((80, 24)).columns
    return None


def _dumb() -> bool:
    """Can the terminal neither show colours nor write over what it has shown?"""
    return os.environ.get("TERM", "") in ("dumb", "unknown")


def watched(options: argparse.Namespace) -> bool:
    """Does a person wait at a terminal that can show how far it is?"""
    return not options.quiet and sys.stderr is not None and sys.stderr.isatty() and not _dumb()


@contextlib.contextmanager
def progress(options: argparse.Namespace) -> Iterator[Moved]:
    """A progress bar for a person who waits at a terminal; nothing otherwise. It is told of each repository read."""
    if options.format == "human" and watched(options):
        from telegraf_cvmfs.command import progress as bar

        with bar.progress(colour=options.color != "never") as moved:
            yield moved
    else:
        yield unmoved


_WHO_SENDS = {
    "SIGTERM": " (Telegraf sends it where its timeout is shorter than --deadline, and when it ends)",
    "SIGINT": " (Ctrl-C)",
}


def summarise(run: Run, log: Log) -> None:
    """What is worth a line in Telegraf's log; the findings are in the points."""
    took = f"after {run.duration.total_seconds():.1f} s before everything was read"
    if run.deadline_hit:
        log(f"W! the run's time was up {took} (--deadline)")
    if run.interrupted:
        log(f"W! {run.interrupted} ended the run {took}{_WHO_SENDS.get(run.interrupted, '')}")
    for server in run.servers:
        said = "; ".join(finding.problem for finding in server.findings) or "ok"
        up = sum(verdict.replica.up for verdict in server.replicas)
        name = server.stratum.server.label
        log(f"I! {name}: {up} of {len(server.replicas)} repositories up: {said}")
