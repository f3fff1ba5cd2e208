"""The way to one server: whom to look up, whom to connect to, and the handles of libcurl that lead there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import pycurl

from telegraf_cvmfs.model import Access
from telegraf_cvmfs.net.answer import HEADERS, port_of
from telegraf_cvmfs.net.curl.exchange import Exchange
from telegraf_cvmfs.net.tls import own_context, own_headers

_SUPPRESS_CONNECT_HEADERS = 265
"""CURLOPT_SUPPRESS_CONNECT_HEADERS, which has no name in pycurl."""

_WEB = pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS
_HEADERS = [f"{name}: {text}" for name, text in HEADERS.items()]


@dataclass
class Route:
    """To a server, or to the proxy before it.

    `name` is looked up before anything is asked. `multiplexes` says that one connection takes many requests.
    """

    url: str
    proxy: str
    name: str
    access: Access = field(default_factory=Access)
    idle: list[Exchange] = field(default_factory=list)
    multiplexes: bool = False

    @property
    def secure(self) -> bool:
        """Is anything of it under TLS?"""
        return self.url.startswith("https:") or self.proxy.startswith("https:")

    @property
    def end(self) -> str:
        """Whom a connection leads to, host:port."""
        return f"{self.name}:{port_of(self.proxy or self.url)}"

    def exchange(self, authorities: Callable[[], tuple[str, str]], on_page: Callable[[Exchange], None]) -> Exchange:
        """An exchange that is idle, or a new one; `authorities` gives a file and a folder, for what is under TLS."""
        if self.idle:
            return self.idle.pop()
        own = self._own
        handle = pycurl.Curl()
        for option, value in self._options(*(authorities() if self.secure else ("", ""))) + own:
            handle.setopt(option, value)
        return Exchange(handle, on_page)

    def aim(self, exchange: Exchange, seconds: float) -> None:
        """Set a handle to what its exchange asks next, with so many seconds for all of it."""
        handle, addresses = exchange.handle, exchange.addresses
        milliseconds = max(int(seconds * 1000), 0) + 1  # not before the time is up
        handle.setopt(pycurl.URL, exchange.url)
        handle.setopt(pycurl.NOBODY, int(not exchange.request.limit))
        handle.setopt(pycurl.FRESH_CONNECT, int(exchange.afresh))
        handle.setopt(pycurl.TIMEOUT_MS, milliseconds)
        if len(addresses) > 1:  # one dead address must not spend the others' time
            milliseconds = max(milliseconds // len(addresses), 1)
        handle.setopt(pycurl.CONNECTTIMEOUT_MS, milliseconds)
        address = f"[{addresses[0]}]" if ":" in addresses[0] else addresses[0]
        if self.proxy:
            handle.setopt(pycurl.RESOLVE, [f"{self.end}:{addresses[0]}"])
        elif addresses[0] != self._host:
            handle.setopt(pycurl.CONNECT_TO, [f"::{address}:"])

    def learn(self, exchange: Exchange) -> None:
        """Take note of how this exchange went."""
        if self.secure and exchange.handle.getinfo(pycurl.INFO_HTTP_VERSION) == pycurl.CURL_HTTP_VERSION_2:
            self.multiplexes = True

    @property
    def _host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @cached_property
    def _own(self) -> list[tuple[int, Any]]:
        """What says who asks; FetchError if a file of it is of no use, which libcurl would not say so."""
        access, options = self.access, list[tuple[int, Any]]()
        if headers := own_headers(access):
            options.append((pycurl.HTTPHEADER, [*_HEADERS, *(f"{name}: {text}" for name, text in headers.items())]))
        if self.url.startswith("https:") and (access.client_cert or access.ca):
            own_context(access)
            files = (
                (pycurl.SSLCERT, access.client_cert),
                (pycurl.SSLKEY, access.client_key),
                (pycurl.CAINFO, access.ca),
            )
            options += [(option, str(path)) for option, path in files if path is not None]
            options += [(pycurl.CAPATH, None)] if access.ca else []
        return options

    def _options(self, file: str, folder: str) -> list[tuple[int, Any]]:
        options: list[tuple[int, Any]] = [
            (pycurl.NOSIGNAL, 1),
            (pycurl.PROTOCOLS, _WEB),
            (pycurl.HTTP09_ALLOWED, 1),  # it is refused here: libcurl would not say what came instead
            (pycurl.FOLLOWLOCATION, 0),
            (_SUPPRESS_CONNECT_HEADERS, 1),
            (pycurl.HTTPHEADER, _HEADERS),
            (pycurl.PROXY, self.proxy),  # empty: none, whatever the environment says
            (pycurl.NOPROXY, ""),
            (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
        ]
        if self.secure:
            options += [(pycurl.CAINFO, file), (pycurl.CAPATH, folder)]
            options += [(pycurl.PROXY_CAINFO, file), (pycurl.PROXY_CAPATH, folder)]
            options += [(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2TLS), (pycurl.PIPEWAIT, 1)]
        return options
