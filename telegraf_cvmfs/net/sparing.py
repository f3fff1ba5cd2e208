"""Requests within what this process may have: fewer at the same time where files, memory or threads do not suffice."""

from __future__ import annotations

import errno
import os
import resource
from collections import deque
from collections.abc import Callable
from pathlib import Path

from telegraf_cvmfs.model import FetchError, Result, Server
from telegraf_cvmfs.net.transport import Carrier, Outcome, Request
from telegraf_cvmfs.words.shortage import of_errno, shortage

KEPT_FREE = 10
"""Files that are not for connections: look-ups of names, certificates and modules of Python need some for a moment."""

MOST_TRIES = 3
"""Of one request that fails for want of something."""

IN_VAIN = 4
"""Requests given up with none that was carried between them: then all others are given up."""


class Sparing:
    """Carries requests by another transport, no more at the same time than this process can.

    What failed for want of something is asked again when others have ended. What cannot be carried even so fails with
    `OWN_LIMIT`, and where nothing can be, all the rest does so at once.
    """

    def __init__(self, make: Callable[[], Carrier], lacks: Callable[[str], None]) -> None:
        """`make` makes the other transport; `lacks` is told what this process lacks."""
        self._lacks = lacks
        self._waiting: deque[tuple[int, Request]] = deque()
        self._under_way: dict[int, Request] = {}
        self._tries: dict[int, int] = {}
        self._done: list[tuple[int, Outcome | Exception]] = []
        self._given_up = 0
        self._over = ""
        """Why nothing is carried any more."""
        self._files = _most_connections()
        self._most = self._files
        self._transport: Carrier | None = None
        try:
            self._transport = make()
        except Exception as error:
            self._over = shortage(error)
            if not self._over:
                raise
            self._lacks(self._over)

    def start(self, number: int, request: Request) -> None:
        """As `Transport` has it."""
        self._waiting.append((number, request))
        self._begin()

    def finished(self, patience: float) -> list[tuple[int, Outcome | Exception]]:
        """As `Transport` has it."""
        if self._transport is not None and self._under_way:
            for number, outcome in self._transport.finished(0.0 if self._done else patience):
                self._ended(number, outcome)
            self._begin()
        done, self._done = self._done, []
        return done

    def multiplexes(self, server: Server) -> bool:
        """As `Transport` has it."""
        return self._transport is not None and self._transport.multiplexes(server)

    def close(self) -> None:
        """As `Transport` has it."""
        if self._transport is not None:
            self._transport.close()

    def _begin(self) -> None:
        """Start what may be started."""
        while self._waiting and not self._over and self._transport is not None:
            if len(self._under_way) >= self._most:
                self._is_full()
                return
            number, request = self._waiting.popleft()
            self._under_way[number] = request
            try:
                self._transport.start(number, request)
            except Exception as error:
                if not shortage(error):
                    raise
                self._ended(number, error)
        while self._waiting:
            self._done.append((self._waiting.popleft()[0], FetchError(Result.OWN_LIMIT, self._over)))

    def _spare(self, most: int) -> None:
        self._most = max(min(self._most, most), 1)
        if self._transport is not None:
            self._transport.spare(self._most)

    def _is_full(self) -> None:
        """More would be started if there were files for them: connections that nobody uses are closed."""
        if self._most == self._files:
            self._lacks(of_errno(errno.EMFILE))
            self._spare(self._most)

    def _ended(self, number: int, outcome: Outcome | Exception) -> None:
        """What came of a request: it is asked again where it failed for want of something."""
        request = self._under_way.pop(number)
        why = lacked(outcome)
        if not why:
            self._given_up = 0
            self._done.append((number, outcome))
            return
        self._lacks(why)
        self._spare(len(self._under_way))
        self._tries[number] = self._tries.get(number, 0) + 1
        if self._tries[number] < MOST_TRIES:
            self._waiting.append((number, request))
            return
        self._done.append((number, FetchError(Result.OWN_LIMIT, why)))
        self._given_up += 1
        if self._given_up >= IN_VAIN and not self._under_way:
            self._over = why


def lacked(outcome: Outcome | Exception) -> str:
    """What this process lacked for a request; empty if that is not what it failed for."""
    if isinstance(outcome, FetchError):
        return str(outcome) if outcome.result is Result.OWN_LIMIT else ""
    return shortage(outcome) if isinstance(outcome, Exception) else ""


def shortage_now() -> str:
    """What this process lacks at this moment, for a library that fails without saying why; empty if it has a file."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        return shortage(error)
    return ""


def _most_connections() -> int:
    """So many more files may this process have open, without those that are kept free; at least 1."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    try:
        used = sum(1 for _ in Path("/dev/fd").iterdir())
    except OSError:
        used = most
    return max(most - used - KEPT_FREE, 1) if most != resource.RLIM_INFINITY else 1 << 20
