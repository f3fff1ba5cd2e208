"""The sub-command `exporter`: scrape on a schedule, and tell Prometheus of the last finished run.

The schedule has a thread of its own and HTTP another, so that the first one only waits for signals: whatever a run is
doing, the end comes at once.
"""

from __future__ import annotations

import argparse
import contextlib
import queue
import random
import signal
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from telegraf_cvmfs.command import options as run_options
from telegraf_cvmfs.command.chosen import fleets, keeper, memory_path
from telegraf_cvmfs.command.once import open_enough_files
from telegraf_cvmfs.command.terminal import logger, now, summarise
from telegraf_cvmfs.command.waiting import taken
from telegraf_cvmfs.model import ConfigError, Fleet, Run
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.net.transport import begin_thread
from telegraf_cvmfs.rounds import Rounds
from telegraf_cvmfs.words.secrecy import masked

if TYPE_CHECKING:
    from telegraf_cvmfs.exporter.metrics import Metrics
    from telegraf_cvmfs.exporter.server import Server

LISTEN = "127.0.0.1:9877"
INTERVAL = timedelta(minutes=5)
_HIGHEST_PORT = 65535
_KEEPING = 0.3
"""Seconds that the end waits for a memory that is being written."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Those of a run, where to listen, and how often to scrape."""
    run_options.add_options(parser)
    parser.set_defaults(listen=LISTEN, interval=INTERVAL, jitter=None)
    listen = f"where Prometheus asks; [ADDRESS]:PORT for IPv6, :PORT for all of IPv4 (default: {LISTEN})"
    parser.add_argument("--listen", metavar="HOST:PORT", help=listen)
    interval = "time between two runs (default: 5m)"
    parser.add_argument("--interval", metavar="SPAN", type=run_options.span, help=interval)
    jitter = "each run begins later by chance, up to this (default: a tenth of the interval)"
    parser.add_argument("--jitter", metavar="SPAN", type=run_options.span, help=jitter)


def run(options: argparse.Namespace, deadline: Deadline) -> int:
    """Scrape and answer until SIGTERM or SIGINT; always 0.

    Raises:
        ConfigError: the fleet cannot be read, the address is wrong or taken, or a package is missing.
    """
    server, metrics = _listening(options)
    ended: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: _end(ended, deadline))
    if deadline.passed:  # the signal came while this was imported
        return 0
    with fleets(options, deadline) as watched:
        rounds = Rounds(watched, lambda fleet: memory_path(fleet, options), logger(options))
        schedule = Schedule(options, rounds, metrics, keeper(options))
        signal.signal(signal.SIGHUP, lambda *_: schedule.hurry())
        begin_thread(serve, server, ended)
        begin_thread(schedule.run, ended)
        logger(options)(f"I! exporter: listening on {_shown(server)}")
        if (error := taken(ended)) is not None:
            raise error
        schedule.finish_keeping()
    return 0


def _end(ended: queue.SimpleQueue[BaseException | None], deadline: Deadline) -> None:
    """What a signal does, also while a fleet file is waited for."""
    ended.put(None)
    deadline.cut()


def serve(server: Server, ended: queue.SimpleQueue[BaseException | None]) -> None:
    """Until the process ends; an error of ours is handed over, as that of the schedule is."""
    try:
        server.serve_forever()
    except BaseException as error:  # noqa: BLE001
        ended.put(error)


@dataclass
class Schedule:
    """A run at once and then one in each interval; `hurry` asks for one now."""

    options: argparse.Namespace
    rounds: Rounds
    metrics: Metrics
    keep: Callable[[Fleet, Run], None]
    _hurried: queue.SimpleQueue[None] = field(default_factory=queue.SimpleQueue)  # its put is safe in a signal handler
    _keeping: threading.Lock = field(default_factory=threading.Lock)

    def run(self, ended: queue.SimpleQueue[BaseException | None]) -> None:
        """Until the process ends; an error of ours is handed over, and ends it."""
        try:
            open_enough_files()
            began = time.monotonic()
            while True:
                self.one_round()
                began = self._wait(began)
        except BaseException as error:  # noqa: BLE001  # an exporter that answers and does not scrape helps nobody
            ended.put(error)

    def one_round(self) -> None:
        """From the fleet as it is now to what is told; what is worth remembering is kept."""
        self.rounds.renew()
        self.metrics.configured(ok=not self.rounds.wrong)
        run = self.rounds.look(Deadline(float("inf")), now())
        self.metrics.publish(run)
        with self._keeping:
            self.rounds.keep(run)
            self.keep(self.rounds.fleet, run)
        summarise(run, logger(self.options))

    def hurry(self) -> None:
        """A run as soon as the present one has ended."""
        self._hurried.put(None)

    def finish_keeping(self) -> None:
        """Let a memory that is being written come to its end."""
        self._keeping.acquire(timeout=_KEEPING)

    def _wait(self, began: float) -> float:
        """Until the next run; returns when its interval begins. Those that a long run took are left out."""
        interval = self.options.interval.total_seconds()
        jitter = (self.options.jitter or self.options.interval / 10).total_seconds()
        elapsed = time.monotonic() - began
        following = began + interval * (elapsed // interval + 1)
        with contextlib.suppress(queue.Empty):
            wait = following + random.uniform(0, jitter) - time.monotonic()  # noqa: S311
            self._hurried.get(timeout=max(0.0, wait))
            while True:  # who asked twice gets one
                self._hurried.get_nowait()
        return following if time.monotonic() >= following else began


def _listening(options: argparse.Namespace) -> tuple[Server, Metrics]:
    """The server, bound but not answering yet, and what it will tell."""
    try:
        from telegraf_cvmfs.exporter.metrics import Metrics
        from telegraf_cvmfs.exporter.server import Server
    except ModuleNotFoundError as error:
        what = f'exporter: {error.name} is not installed: pip install "telegraf-cvmfs[exporter]"'
        raise ConfigError(what) from error
    metrics = Metrics(options.interval, time.monotonic)
    host, port = host_and_port(options.listen)
    family = socket.AF_UNSPEC if host else socket.AF_INET
    try:
        found = socket.getaddrinfo(host or None, port, family, socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        return Server(found[0][0], found[0][4], metrics), metrics
    except OSError as error:
        raise ConfigError(f"exporter: --listen {masked(options.listen)}: {error.strerror or error}") from error


def host_and_port(text: str) -> tuple[str, int]:
    """The parts of `host:port`; an IPv6 address stands in brackets.

    Raises:
        ConfigError: it is none.
    """
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or (":" in host and not bracketed) or not (port.isascii() and port.isdigit()):
        raise ConfigError(f"exporter: --listen: {masked(text)!r} is not HOST:PORT, such as {LISTEN} or [::1]:9877")
    if len(port) > len(str(_HIGHEST_PORT)) or int(port) > _HIGHEST_PORT:
        raise ConfigError(f"exporter: --listen: port {port} in {masked(text)!r} is more than {_HIGHEST_PORT}")
    return host.strip("[]") if bracketed else host, int(port)


def _shown(server: Server) -> str:
    host, port = server.server_address[:2]
    name = host if isinstance(host, str) else host.decode()
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"
