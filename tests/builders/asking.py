"""A network that a test asks itself, without an engine: one URL, or many at the same time, by either transport."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

from telegraf_cvmfs.model import Answer, Server, TransportName
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.net.names import Names, Resolve, system_resolve
from telegraf_cvmfs.net.network import Network
from telegraf_cvmfs.net.transport import Outcome, Request, Sink, Transport

BOTH = [TransportName.CURL, TransportName.REQUESTS]

Fetch = Callable[..., Answer]
"""The answer for a URL, with at most so many bytes and, if given, a sink for them; `FetchError` where there is none."""


class Asking(Network):
    """A network with a transport that is there until `close`."""

    def __init__(
        self,
        deadline: Deadline,
        connections: int = 8,
        proxy: str = "",
        resolve: Resolve = system_resolve,
        transport: TransportName = TransportName.AUTO,
    ) -> None:
        super().__init__(deadline, connections, proxy, Names(resolve), transport)

    @cached_property
    def carrier(self) -> Transport:
        return self.transport()

    def close(self) -> None:
        self.carrier.close()

    def fetch(self, server: Server) -> Fetch:
        def fetch(url: str, limit: int, sink: Sink | None = None) -> Answer:
            (outcome,) = self.together([Request(server, url, limit, sink=sink)])
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        return fetch

    def together(self, requests: Sequence[Request], width: int = 1000) -> list[Outcome | Exception]:
        """What becomes of these, in their order, with at most so many under way at the same time."""
        found: dict[int, Outcome | Exception] = {}
        begun = 0
        while len(found) < len(requests):
            while begun < min(len(requests), len(found) + width):
                self.carrier.start(begun, requests[begun])
                begun += 1
            found.update(self.carrier.finished(0.1))
        return [found[number] for number in range(len(requests))]
