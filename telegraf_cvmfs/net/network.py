"""The network of one run: its circumstances, and what carries its requests."""

from __future__ import annotations

import select
from importlib.util import find_spec

from telegraf_cvmfs.model import ConfigError, TransportName
from telegraf_cvmfs.net.circumstances import Circumstances
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.net.names import Names
from telegraf_cvmfs.net.sparing import Sparing
from telegraf_cvmfs.net.transport import Carrier, Transport


class Network(Circumstances):
    """Arguments as those of `Circumstances`; `transport` is what carries the requests.

    Raises:
        ConfigError: this transport cannot be had here.
    """

    def __init__(
        self,
        deadline: Deadline,
        connections: int = 8,
        proxy: str = "",
        names: Names | None = None,
        transport: TransportName = TransportName.AUTO,
    ) -> None:
        super().__init__(deadline, connections, proxy, names)
        self._curl = takes_curl(transport)

    def transport(self) -> Transport:
        """What carries many requests at the same time; to be closed by whoever asks for it."""
        return Sparing(self._carrier, self.lacks)

    def _carrier(self) -> Carrier:
        if self._curl:
            from telegraf_cvmfs.net.curl.transport import Curl  # noqa: PLC0415  # one of the two is not needed

            return Curl(self)
        from telegraf_cvmfs.net.fetch import requests_transport  # noqa: PLC0415

        return requests_transport(self)


def takes_curl(name: TransportName) -> bool:
    """Is it libcurl that carries the requests, with this name in the fleet file?

    Raises:
        ConfigError: it ought to be, and cannot be imported here.
    """
    if name is TransportName.REQUESTS:
        return False
    there = has_curl()
    if name is TransportName.CURL and not there:
        raise ConfigError('[scrape] transport is "curl", but pycurl is not here: pip install "telegraf-cvmfs[curl]"')
    return there


def has_curl() -> bool:
    """Can libcurl be used on this machine?"""
    return hasattr(select, "epoll") and find_spec("pycurl") is not None
