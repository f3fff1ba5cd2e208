"""Host names to addresses, without a look-up that hangs ever holding a run."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from telegraf_cvmfs.model import FetchError, Result
from telegraf_cvmfs.net.budget import budget
from telegraf_cvmfs.net.sparing import shortage_now
from telegraf_cvmfs.net.transport import begin_thread
from telegraf_cvmfs.words.shortage import shortage

Resolve = Callable[[str], Sequence[str]]
"""The IP addresses of a host name, best first; OSError if it has none."""

AT_ONCE = 4
"""So many names are looked up at the same time, beside those whose look-up hangs."""

HANGS = 0.5
"""Seconds after which a look-up no longer keeps another from being begun."""

_NAP = 0.1  # seconds between two looks at what else may be begun, and at whether the time is up


def system_resolve(host: str) -> list[str]:
    """The addresses that the system's resolver gives, in its order, each once."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@dataclass
class _Lookup:
    """One look-up of one name, which nothing can interrupt: once it is begun it has a thread of its own."""

    host: str
    done: threading.Event = field(default_factory=threading.Event)
    tell: list[Callable[[], None]] = field(default_factory=list)
    addresses: Sequence[str] = ()
    error: Exception | None = None
    lacked: str = ""  # what we had too little of for it
    began: float = float("inf")


class Names:
    """Host names to addresses, each looked up once a run; a look-up that hangs holds one thread and no run."""

    def __init__(self, resolve: Resolve = system_resolve) -> None:
        self._resolve = resolve
        self._lookups: dict[str, _Lookup] = {}
        self._waiting: deque[_Lookup] = deque()
        self._under_way: list[_Lookup] = []
        self._lock = threading.Lock()

    def known(self, host: str, tell: Callable[[], None] | None = None) -> Sequence[str] | None:
        """The addresses of a host, at least one, the best first; None while it is looked up, which this begins.

        `tell` is called from another thread when they are known. Call again now and then all the same: that
        begins other look-ups where some hang.

        Raises:
            FetchError: it has none, or it cannot be looked up for want of files or threads.
        """
        if _is_address(host):
            return (host,)
        with self._lock:
            lookup = self._lookups.get(host)
            if lookup is None:
                lookup = self._lookups[host] = _Lookup(host)
                self._waiting.append(lookup)
            if not lookup.done.is_set():
                if tell is not None and tell not in lookup.tell:
                    lookup.tell.append(tell)
                self._begin()
            if not lookup.done.is_set():
                return None
        if lookup.lacked:
            with self._lock:
                self._lookups.pop(host, None)  # to be tried again, once there is more
            raise FetchError(Result.OWN_LIMIT, lookup.lacked)
        if not lookup.addresses:
            raise FetchError(Result.DNS_ERROR, f"looking up {host}: {_reason(lookup.error)}")
        return lookup.addresses

    def addresses(self, host: str) -> Sequence[str]:
        """The same, waited for as long as the request of this thread has time.

        Raises:
            FetchError: it has none, or the look-up took all the time.
        """
        known = threading.Event()
        while (found := self.known(host, known.set)) is None:
            if budget.spent:
                raise took_too_long(host, budget.slow)
            known.wait(min(_NAP, budget.left()))
        return found

    def prefer(self, host: str, address: str) -> None:
        """Put this address first from now on: those before it did not answer, and waiting for them costs time."""
        with self._lock:
            lookup = self._lookups.get(host)  # it may have been forgotten since
            if lookup is not None:
                lookup.addresses = [address, *(other for other in lookup.addresses if other != address)]

    def forget(self) -> None:
        """Look names up again from now on; a look-up that hangs is still waited for, not begun once more."""
        with self._lock:
            self._lookups = {host: lookup for host, lookup in self._lookups.items() if not lookup.done.is_set()}

    def _begin(self) -> None:
        """Begin what may be begun; the lock is held."""
        now = time.monotonic()
        lively = sum(now - lookup.began < HANGS for lookup in self._under_way)
        for _ in range(min(AT_ONCE - lively, len(self._waiting))):
            lookup = self._waiting.popleft()
            lookup.began = now
            self._under_way.append(lookup)
            try:
                begin_thread(self._look_up, lookup)
            except (OSError, MemoryError) as error:
                lookup.lacked = shortage(error)
                self._end(lookup)

    def _look_up(self, lookup: _Lookup) -> None:
        try:
            lookup.addresses = self._resolve(lookup.host)
        except Exception as error:  # noqa: BLE001  # an IDNA error is no OSError, and any must end the wait
            lookup.error = error
            lookup.lacked = shortage(error) or shortage_now()  # the resolver itself does not say so
        with self._lock:
            self._end(lookup)
            self._begin()
        for tell in lookup.tell:
            with contextlib.suppress(OSError):  # whoever wanted to know has gone
                tell()

    def _end(self, lookup: _Lookup) -> None:
        lookup.done.set()
        self._under_way.remove(lookup)


def took_too_long(host: str, slow: Result) -> FetchError:
    """The error of a request whose time was used up by a look-up; `slow` is that of any request that is too late."""
    return FetchError(Result.DNS_ERROR if slow is Result.TIMEOUT else slow, f"looking up {host} took too long")


def _reason(error: Exception | None) -> str:
    return getattr(error, "strerror", None) or str(error or "") or "it has no address"


@lru_cache(maxsize=1024)  # it is asked for each request
def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
