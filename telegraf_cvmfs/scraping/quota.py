"""How much of the servers' bandwidth, and of our memory, a run may still use for looking into root catalogs."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

AT_ONCE = 2
"""So many catalogs are in memory at the same time, all servers together."""


class Quota:
    """How many bytes of root catalogs a run may still read."""

    def __init__(self, count: int) -> None:
        self._left = count
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(AT_ONCE)

    @contextlib.contextmanager
    def take(self, wanted: int, most: int) -> Iterator[int]:
        """Inside, so many bytes may be read: what is wanted, or 0 if that is more than `most` or than is left."""
        with self._places:
            with self._lock:
                granted = wanted if wanted <= min(most, self._left) else 0
                self._left -= granted
            yield granted

    def give_back(self, unused: int) -> None:
        """What was granted and not needed."""
        with self._lock:
            self._left += unused
