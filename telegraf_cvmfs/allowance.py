"""How much of the servers' bandwidth a run may still use for looking into root catalogs."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator


class Allowance:
    """How many bytes of root catalogs a run may still read, all servers together, one catalog at a time."""

    def __init__(self, count: int) -> None:
        self._left = count
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def take(self, wanted: int, most: int) -> Iterator[int]:
        """Inside, so many bytes may be read: what is wanted, or 0 if that is more than `most` or than is left."""
        with self._lock:
            granted = wanted if wanted <= min(most, self._left) else 0
            self._left -= granted
            yield granted
