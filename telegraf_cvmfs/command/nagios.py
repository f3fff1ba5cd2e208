"""`--nagios`: one line and an exit code, for Icinga, Nagios, Zabbix and cron (Monitoring Plugins guidelines)."""

from __future__ import annotations

import argparse

from telegraf_cvmfs.command.chosen import fleets, keeper, memory_path
from telegraf_cvmfs.command.once import open_enough_files
from telegraf_cvmfs.command.page import refuse_strangers
from telegraf_cvmfs.command.terminal import logger, now, show
from telegraf_cvmfs.emit.nagios import checked, line
from telegraf_cvmfs.model import ConfigError, Health
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.rounds import Rounds
from telegraf_cvmfs.words.secrecy import without_secrets


def run(options: argparse.Namespace, deadline: Deadline) -> int:
    """Scrape once, print the one line, and end with the health that it tells: 0 to 3."""
    if options.output or options.all or options.format != "influx":
        raise ConfigError("--nagios: prints one line, of which neither --output, --all nor a format says how")
    options.quiet = not options.verbose  # Icinga shows what is on stderr as output too
    faults: list[str] = []
    shown = logger(options)

    def log(said: str) -> None:
        if said.startswith("E!"):
            faults.append(without_secrets(said.removeprefix("E! ")))
        if options.verbose:
            shown(said)

    with fleets(options, deadline) as watched:
        rounds = Rounds(watched, lambda fleet: memory_path(fleet, options), log)
        refuse_strangers(options.server, rounds.fleet)
        open_enough_files()
        found = rounds.look(deadline, now())
        rounds.keep(found)
        keeper(options)(rounds.fleet, found)
    health, text = checked(found, options.server, faults)
    show([text])
    return int(health)


def give_up(why: str) -> None:
    """Print the line of a check that could not be made."""
    show([line(Health.UNKNOWN, without_secrets(why))])
