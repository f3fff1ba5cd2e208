"""`python -m grafana.tools relay`: options, signals, the clock, exit codes.

Exit codes: 0 it ran and was told to stop, or every receiver took its test message; 1 a receiver did not, or the
address or the state file cannot be used; 2 a wrong option or file.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from grafana.arguments import Parser
from grafana.relay.config import Config, ConfigError, load
from grafana.relay.log import Log, parts_of_secrets
from grafana.relay.message import test_message
from grafana.relay.outbox import Result
from grafana.relay.receivers import sender
from grafana.relay.server import Server
from grafana.relay.service import Relay, run_threads
from grafana.relay.store import StoreError
from telegraf_cvmfs.net.deadline import ending_signals

DEFAULT_PATH = Path("/etc/telegraf-cvmfs/relay.toml")
PAUSE = 0.5
LOOK = 1.0
"""Seconds after which it looks whether its threads live."""
LONGEST_FAREWELL = 2.0
LONGEST_GOODBYE = 6.0
"""Seconds after SIGTERM for open connections, and then for attempts under way: Docker kills after 10."""


def main(arguments: Sequence[str]) -> int:
    """Run the relay, or with `--check` send a test message to each receiver; returns the exit code."""
    parser = Parser(
        prog="python -m grafana.tools relay",
        description="Hand Grafana's alerts on to Slack, Mattermost, Matrix and e-mail, damped.",
    )
    parser.add_argument("--config", type=Path, default=DEFAULT_PATH, metavar="FILE", help=f"default {DEFAULT_PATH}")
    parser.add_argument("--check", action="store_true", help="send a test message to each receiver and say how it went")
    try:
        options = parser.parse_args(list(arguments))
    except SystemExit as end:  # argparse has said what is wrong, or shown the help
        return int(end.code or 0)
    try:
        config = load(options.config, os.environ)
    except ConfigError as error:
        Log().error(str(error))
        return 2
    log = Log({*config.secrets, *parts_of_secrets(config.secrets)})
    for warning in config.warnings:
        log.warning(warning)
    return check(config, log) if options.check else serve(config, log)


def check(config: Config, log: Log) -> int:
    """Send each receiver a test message."""
    message = test_message(time.time(), "The relay of the CVMFS alerts reaches you.")
    failed = 0
    for receiver in config.receivers:
        outcome = sender(receiver, config.proxy)(message)
        if outcome.result is Result.TAKEN:
            log.information(f"{receiver.name}: took a test message" + (f"; {outcome.why}" if outcome.why else ""))
        else:
            log.error(f"{receiver.name}: did not take a test message: {outcome.why}")
            failed += 1
    return 1 if failed else 0


def serve(config: Config, log: Log) -> int:
    """Listen until SIGTERM, SIGINT or SIGHUP."""
    clock = _steady_clock()
    senders = {receiver.name: sender(receiver, config.proxy) for receiver in config.receivers}
    try:
        relay = Relay(config, senders, log, clock())
        server = Server((config.host, config.port), relay, config.secret, log, clock)
    except StoreError as error:
        log.error(str(error))
        return 1
    except OSError as error:
        log.error(f"cannot listen on {config.host} port {config.port} ({error.strerror})")
        return 1
    return _run(server, relay, log, clock)


def _run(server: Server, relay: Relay, log: Log, clock: Callable[[], float]) -> int:
    # Taken from the queue of signals that wait: a handler would run in the midst of anything, a lock that it needs too.
    signals = ending_signals()
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    stop = threading.Event()
    threads = run_threads(relay, clock, stop, PAUSE)
    listener = threading.Thread(target=server.serve_forever, args=(0.1,), name="server", daemon=True)
    listener.start()
    host, port = server.server_address[:2]
    log.information(f"listens on {host!s} port {port}, hands on to {', '.join(relay.receivers)}")
    died = _wait(signals, listener, threads, log)
    stop.set()
    if not died:
        server.shutdown()
    server.server_close()
    server.finish(LONGEST_FAREWELL)
    end = time.monotonic() + LONGEST_GOODBYE
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    relay.close()
    log.information("stopped")
    return 1 if died else 0


def _wait(
    signals: Collection[signal.Signals], listener: threading.Thread, workers: Sequence[threading.Thread], log: Log
) -> bool:
    """Until a signal comes, or nobody listens any more: then it is true, for whoever starts us to start us anew."""
    while signal.sigtimedwait(signals, LOOK) is None:
        for worker in workers:
            if not worker.is_alive():
                log.seldom(worker.name, f"the worker {worker.name!r} has ended: restart the relay", "E!")
        if not listener.is_alive():
            log.error("nobody listens any more: the relay ends")
            return True
    return False


def _steady_clock() -> Callable[[], float]:
    """Unix time that never jumps while the relay runs: a clock that is set would shorten or stretch what is held."""
    start = time.time() - time.monotonic()
    return lambda: start + time.monotonic()
