"""Where the servers of a fleet are: on loopback, or behind a wire with a true round trip."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fleet import Size
from benchmarks.programs import compiled
from deploy.native.programs import Missing, run

TUN = Path("/dev/net/tun")
NAMESPACES = Path("/run/netns")
NET = f"198.18.{os.getpid() % 256}"  # of those that RFC 2544 sets aside for this; another run has another
QUEUE = "20000"  # packets; a full one drops, and what is measured then is TCP's repair of it
SLACK = 5.0  # ms that a round trip may take longer than its wire


@dataclass(frozen=True)
class Network:
    """Addresses for servers, and what a command has to begin with to run where those are."""

    addresses: tuple[str, ...]
    inside: tuple[str, ...] = ()


@contextmanager
def network(size: Size, room: Path) -> Iterator[Network]:
    """One for a fleet of that size, until the block ends; Missing if this machine does not let us make it."""
    if not size.round_trip:
        yield Network(tuple(f"127.0.1.{number}" for number in range(1, size.servers + 1)))
        return
    if os.geteuid() != 0 or not TUN.exists():
        raise Missing(f"a round trip of {size.round_trip} ms needs root and {TUN}")
    with ExitStack() as running:
        yield _far(size, room, running)


def check(size: Size, address: str, port: int) -> None:
    """Missing if connecting to a server does not take the round trip."""
    took = min(_connecting(address, port) for _ in range(3)) * 1000
    if not size.round_trip <= took <= size.round_trip + SLACK:
        raise Missing(f"connecting takes {took:.1f} ms where a round trip of {size.round_trip} ms was made")


def _connecting(address: str, port: int) -> float:
    began = time.perf_counter()
    socket.create_connection((address, port), 10).close()
    return time.perf_counter() - began


def _far(size: Size, room: Path, running: ExitStack) -> Network:
    space = f"bench{os.getpid()}"
    here, there = f"{space}a", f"{space}b"
    run(["ip", "netns", "add", space])
    running.callback(run, ["ip", "netns", "delete", space])
    one_way = str(size.round_trip * 1000 // 2)
    wire = subprocess.Popen([compiled("delaytun", room), one_way, NAMESPACES / space, here, there])  # noqa: S603
    running.callback(wire.wait)
    running.callback(wire.terminate)
    inside = ("ip", "netns", "exec", space)
    _until_there(inside, there)
    addresses = tuple(f"{NET}.{number}" for number in range(1, size.servers + 1))
    _up((), here, f"{NET}.254")
    _up(inside, there, *addresses)
    return Network(addresses, inside)


def _until_there(inside: tuple[str, ...], device: str) -> None:
    for _ in range(100):
        try:
            run([*inside, "ip", "link", "show", device])
        except Missing:
            time.sleep(0.02)
        else:
            return
    raise Missing("the wire has no far end")


def _up(inside: tuple[str, ...], device: str, *addresses: str) -> None:
    for address in addresses:
        run([*inside, "ip", "address", "add", f"{address}/24", "dev", device])
    run([*inside, "ip", "link", "set", device, "txqueuelen", QUEUE, "up"])
