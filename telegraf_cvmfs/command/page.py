"""What the options ask to see of a run on the page for a person."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from telegraf_cvmfs.command.terminal import colours, width
from telegraf_cvmfs.emit import FOR_A_PERSON
from telegraf_cvmfs.emit.view import View
from telegraf_cvmfs.model import ConfigError, Fleet
from telegraf_cvmfs.words.secrecy import masked
from telegraf_cvmfs.words.text import listed, shown


def view(options: argparse.Namespace, fleet: Fleet) -> View:
    """The part of a run of this fleet that the options want to see, and the terminal that it is seen on.

    Raises:
        ConfigError: there is no such server, or what is printed is not the page.
    """
    if options.format not in FOR_A_PERSON and (options.server or options.all):
        option = "--server" if options.server else "--all"
        raise ConfigError(
            f"{option} is for the page: expected --print-for-human with it{', or --nagios' if options.server else ''}"
        )
    refuse_strangers(options.server, fleet)
    in_colours, columns = (
        (colours(options.color), width()) if options.output is None else (options.color == "always", None)
    )
    return View(tuple(options.server), tuple(options.only), options.all, in_colours, columns)


def refuse_strangers(servers: Iterable[str], fleet: Fleet) -> None:
    """ConfigError if one of these is no server of the fleet."""
    names = [server.name for server in fleet.servers]
    for name in servers:
        if name.partition(" (")[0] not in names:  # machines behind one name are shown with their address
            raise ConfigError(f"--server: no server is called {shown(masked(name))}: expected one of {listed(names)}")
