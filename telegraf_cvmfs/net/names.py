"""Host names to addresses, without a look-up that hangs ever holding a run."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from telegraf_cvmfs.model import FetchError, Result
from telegraf_cvmfs.net.budget import budget

Resolve = Callable[[str], Sequence[str]]
"""The IP addresses of a host name, best first; OSError if it has none."""


def system_resolve(host: str) -> list[str]:
    """The addresses that the system's resolver gives, in its order, each once."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@dataclass
class _Lookup:
    """One look-up of one name, which nothing can interrupt: it has a thread of its own."""

    done: threading.Event
    addresses: Sequence[str] = ()
    error: Exception | None = None


class Names:
    """Host names to addresses, each looked up once a run; a look-up that hangs holds one thread and no run."""

    def __init__(self, resolve: Resolve = system_resolve) -> None:
        self._resolve = resolve
        self._lookups: dict[str, _Lookup] = {}
        self._lock = threading.Lock()

    def addresses(self, host: str) -> Sequence[str]:
        """The addresses of a host, at least one, the best first.

        Raises:
            FetchError: it has none, or the look-up took all the time that the request had.
        """
        if _is_address(host):
            return (host,)
        lookup = self._lookup(host)
        if not lookup.done.wait(budget.left()):
            slow = Result.DNS_ERROR if budget.slow is Result.TIMEOUT else budget.slow
            raise FetchError(slow, f"looking up {host} took too long")
        if not lookup.addresses:
            raise FetchError(Result.DNS_ERROR, f"looking up {host}: {_reason(lookup.error)}")
        return lookup.addresses

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

    def _lookup(self, host: str) -> _Lookup:
        with self._lock:
            if host not in self._lookups:
                lookup = _Lookup(threading.Event())
                thread = threading.Thread(target=self._look_up, args=(host, lookup), name=f"look-up of {host}")
                thread.daemon = True
                thread.start()
                self._lookups[host] = lookup
            return self._lookups[host]

    def _look_up(self, host: str, lookup: _Lookup) -> None:
        try:
            lookup.addresses = self._resolve(host)
        except Exception as error:  # noqa: BLE001  # an IDNA error is no OSError, and any must end the wait
            lookup.error = error
        finally:
            lookup.done.set()


def _reason(error: Exception | None) -> str:
    return getattr(error, "strerror", None) or str(error or "") or "it has no address"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
