"""What all requests of a run share: the deadline, name look-ups, the proxy, the count of traffic."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from urllib.parse import urlsplit

from telegraf_cvmfs.model import Answer, ConfigError, FetchError, Server, Traffic
from telegraf_cvmfs.net.answer import NOT_SERVED, REQUEST_TIMEOUT
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.net.names import Names
from telegraf_cvmfs.net.question import Status
from telegraf_cvmfs.net.sparing import lacked
from telegraf_cvmfs.net.transport import Outcome, Request
from telegraf_cvmfs.words.secrecy import masked


class Circumstances:
    """What all servers of a run share.

    Args:
        deadline: when the run ends.
        connections: at most so many to each server.
        proxy: the URL of a proxy; "environment" for what `http_proxy` and its like say; empty for none.
        names: look-ups of host names, which other runs may share.
    """

    def __init__(self, deadline: Deadline, connections: int = 8, proxy: str = "", names: Names | None = None) -> None:
        self.deadline = deadline
        self.connections = connections
        self.names = names or Names()
        self.request_timeout = min(REQUEST_TIMEOUT, max(deadline.remaining, 0.0) / 3)
        """Seconds that one request may take."""
        self._proxy = proxy
        self._proxies: dict[str, str] = {}
        self._sent = self._failures = self._bytes = 0
        self.lacked: dict[str, None] = {}
        """What this process had too little of, each once, in the order in which that was met."""
        self._lock = threading.Lock()

    def proxy_for(self, url: str) -> str:
        """The URL of the proxy through which a URL is asked for; empty for none.

        Raises:
            ConfigError: what the environment says is none.
        """
        if self._proxy != "environment":
            return self._proxy
        origin = urlsplit(url)._replace(path="", query="").geturl()
        if origin not in self._proxies:
            self._proxies[origin] = _proxy_of_environment(origin)
        return self._proxies[origin]

    def asks_proxy(self, server: Server) -> bool:
        """Does a proxy reach this server for us, and so choose the machine?"""
        return bool(self.proxy_for(server.url))

    def addresses(self, server: Server) -> Sequence[str] | None:
        """The addresses of all machines behind the name of a server; None while it is looked up, empty for none."""
        try:
            return self.names.known(urlsplit(server.url).hostname or "")
        except FetchError:
            return ()

    @property
    def traffic(self) -> Traffic:
        """What has been asked and read so far."""
        with self._lock:
            return Traffic(self._sent, self._failures, self._bytes)

    def sent(self) -> None:
        """Count a request that goes out."""
        with self._lock:
            self._sent += 1

    def lacks(self, why: str) -> None:
        """Note what this process has too little of."""
        self.lacked.setdefault(why)

    def came(self, request: Request, outcome: Outcome | Exception) -> None:
        """Count what became of a request, once it is over; one that failed and then works is no failure."""
        failed, read = not lacked(outcome), 0
        if isinstance(outcome, Answer):
            failed = outcome.status != Status.OK and outcome.status not in NOT_SERVED
            read = outcome.length or 0 if request.sink else len(outcome.body)
        with self._lock:
            self._failures += failed if failed or not request.again else -1
            self._bytes += read


def _proxy_of_environment(url: str) -> str:
    from requests.utils import get_environ_proxies, select_proxy  # noqa: PLC0415  # slow to import, and seldom wanted

    proxy = select_proxy(url, get_environ_proxies(url)) or ""
    proxy = proxy if "://" in proxy or not proxy else f"http://{proxy}"
    try:
        usable = not proxy or (urlsplit(proxy).hostname and urlsplit(proxy).port != 0)
    except ValueError:
        usable = False
    if not usable:
        what = f"{masked(proxy)!r}, which the environment has as the one for {url}, is no URL of a proxy"
        raise ConfigError(f'proxy = "environment": {what}')
    return proxy
