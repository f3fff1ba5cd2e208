"""Waiting in the main thread, which alone hears signals."""

from __future__ import annotations

import contextlib
import queue
from typing import TypeVar

T = TypeVar("T")

NAP = 0.2
"""Seconds: a signal that came in the moment before a wait began is heard within it; Python would sleep on."""


def taken(wanted: queue.SimpleQueue[T]) -> T:
    """The next of a queue, however long it takes."""
    while True:
        with contextlib.suppress(queue.Empty):
            return wanted.get(timeout=NAP)
