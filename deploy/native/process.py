"""Processes that run on when the command has ended, and are found and stopped again by their own numbers.

All of it by Linux' /proc: proc(5), proc_pid_stat(5).
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 10.0  # seconds between SIGTERM and SIGKILL
_POLL = 0.05
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Process:
    """One process, and never a later one that got its number: `ticks` is when it started, within this `boot`."""

    pid: int
    ticks: int
    boot: str

    @property
    def alive(self) -> bool:
        """Whether it still runs; a zombie does not."""
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG)  # if it is ours, nobody else takes it out of the table
        stat = _stat(self.pid)
        return self.boot == _boot() and stat is not None and stat.ticks == self.ticks and stat.state not in "ZX"


@dataclass(frozen=True)
class _Stat:
    state: str
    session: int
    ticks: int


def start(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Process:
    """Start a program in a session of its own, with its messages in a new log; the log before it is kept as `.old`.

    The first word is the path of the program. Raises OSError if it cannot be started.
    """
    if log.exists():
        log.replace(log.with_suffix(".old"))
    nothing, write = os.O_RDONLY, os.O_WRONLY | os.O_CREAT | os.O_APPEND
    files = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, nothing, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), write, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    pid = os.posix_spawn(
        command[0], list(command), environment, file_actions=files, setsid=True, setsigmask=(), setsigdef=_SIGNALS
    )
    stat = _stat(pid)  # even if it has ended already, until `alive` asks
    return Process(pid, stat.ticks if stat else 0, _boot())


def stop(process: Process, patience: float = PATIENCE) -> None:
    """SIGTERM, after `patience` seconds SIGKILL; what it started in its session goes with it.

    The others of the session are taken down only as long as it lives, so that nobody is stopped on the word of a
    number that may have changed hands.
    """
    others = set(_session(process))
    _send(process, signal.SIGTERM)
    until = time.monotonic() + patience
    while process.alive and time.monotonic() < until:
        others |= set(_session(process))
        time.sleep(_POLL)
    for each in (process, *others):
        _send(each, signal.SIGKILL)
    until = time.monotonic() + patience
    while any(each.alive for each in (process, *others)) and time.monotonic() < until:
        time.sleep(_POLL)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Inside, Ctrl-C and SIGTERM wait: what has been started is noted, what is being stopped is stopped."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _send(process: Process, number: int) -> None:
    if process.alive:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)


def _session(leader: Process) -> Iterator[Process]:
    """The others that belong to a leader's session now."""
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        stat = _stat(pid) if pid != leader.pid else None
        if stat is not None and stat.session == leader.pid and leader.alive:
            yield Process(pid, stat.ticks, leader.boot)


def _stat(pid: int) -> _Stat | None:
    with contextlib.suppress(OSError):
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        fields = text.rpartition(")")[2].split()  # the name before it may have spaces and brackets of its own
        return _Stat(state=fields[0], session=int(fields[3]), ticks=int(fields[19]))
    return None


def _boot() -> str:
    """Which start of the machine this is: ticks count from there."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
