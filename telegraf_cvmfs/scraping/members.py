"""Several machines behind one name: each is scraped by itself, as a server with an address."""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Sequence
from dataclasses import replace

from telegraf_cvmfs.model import Server
from telegraf_cvmfs.net.network import Network
from telegraf_cvmfs.words.log import Log
from telegraf_cvmfs.words.shortage import shortage

MOST_ADDRESSES = 16
_UNUSED_PORT = 9
_NAP = 0.02  # seconds between two looks at what is known


def members(server: Server, network: Network, log: Log) -> list[Server]:
    """The machines behind a server's name, if all are wanted; the server itself if not, or if they are not known.

    An address of a family that this machine has no way to is left out: that says nothing about the server.
    """
    if not server.all_addresses:
        return [server]
    if network.asks_proxy(server):
        log(f"W! {server.name}: a proxy chooses among its machines, so they are not scraped one by one")
        return [server]
    found = network.addresses(server) or ()  # without any it is scraped by its name, and that says what is wrong
    if len(found) > MOST_ADDRESSES:
        log(f"W! {server.name}: {len(found)} addresses, at most {MOST_ADDRESSES} are scraped one by one; none was")
        return [server]
    return [replace(server, address=address) for address in found if _has_route(address)] or [server]


def _has_route(address: str) -> bool:
    """Is there a way to it? Nothing is sent: connecting a datagram socket only looks at the routes."""
    family = socket.AF_INET6 if ipaddress.ip_address(address.partition("%")[0]).version == 6 else socket.AF_INET  # noqa: PLR2004
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address, _UNUSED_PORT))
    except OSError as error:
        return bool(shortage(error))  # then nobody knows
    return True


def all_members(servers: Sequence[Server], network: Network, log: Log) -> list[Server]:
    """Every machine of every server, in the order of the fleet file.

    Names are looked up side by side: one whose look-up hangs must not use up the time of the others.
    """
    waiting = [server for server in servers if server.all_addresses]
    until = time.monotonic() + network.request_timeout
    while waiting := [server for server in waiting if network.addresses(server) is None]:
        if time.monotonic() >= until or network.deadline.passed:
            break
        time.sleep(min(_NAP, max(until - time.monotonic(), 0)))
    return [member for server in servers for member in members(server, network, log)]
