"""A guard around this process: nobody in it may look up or call a machine beyond loopback."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

LOOKUPS = ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr")
CALLS = ("connect", "connect_ex")


class ReachedOutside(BaseException):
    """Somebody reached out; not an Exception, or a scrape would take it for a server that is down."""


@contextmanager
def only_loopback() -> Iterator[list[str]]:
    """Inside, other machines are out of reach; yields the list of those that somebody tried to reach."""
    reached: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        for name in LOOKUPS:
            patch.setattr(socket, name, _guarded_lookup(getattr(socket, name), reached))
        for name in CALLS:
            patch.setattr(socket.socket, name, _guarded_call(getattr(socket.socket, name), reached))
        yield reached


def _guarded_lookup(original: Callable[..., Any], reached: list[str]) -> Callable[..., Any]:
    def lookup(host: str | bytes | None, *rest: Any, **named: Any) -> Any:
        _refuse_outside(host, reached)
        return original(host, *rest, **named)

    return lookup


def _guarded_call(original: Callable[..., Any], reached: list[str]) -> Callable[..., Any]:
    def call(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            _refuse_outside(address[0], reached)
        return original(self, address)

    return call


def _refuse_outside(host: str | bytes | None, reached: list[str]) -> None:
    name = host.decode() if isinstance(host, bytes) else host or "localhost"
    if not _is_loopback(name):
        reached.append(name)
        raise ReachedOutside(f"a test may reach loopback only, not {name}")


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False
