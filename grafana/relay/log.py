"""What the relay says on stderr: `E! …`, `W! …`, `I! …`, one line each, and never a secret."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterable

from grafana.relay.alert import clean
from telegraf_cvmfs.words.secrecy import without_secrets

LONGEST_LINE = 600
SELDOM = 60.0
SHORTEST_PART = 12
SHORTEST_SECRET = 4
"""Shorter texts are not replaced: they would be found everywhere."""


def parts_of_secrets(secrets: Iterable[str]) -> set[str]:
    """Of those that are URLs: the path, which libraries quote alone, and the end of it, which services do."""
    paths = {secret.split("/", 3)[3] for secret in secrets if secret.count("/") > 2}  # noqa: PLR2004
    ends = {path.rstrip("/").rpartition("/")[2] for path in paths}
    return {f"/{path}" for path in paths if path} | {end for end in ends if len(end) >= SHORTEST_PART}


class Log:
    """Lines to stderr; every known secret is replaced by `***`, whoever put it into the line."""

    def __init__(self, secrets: Iterable[str] = (), clock: Callable[[], float] = time.monotonic) -> None:
        self._secrets = sorted({secret for secret in secrets if len(secret) >= SHORTEST_SECRET}, key=len, reverse=True)
        self._clock = clock
        self._lock = threading.Lock()
        self._said: dict[str, float] = {}

    def error(self, text: str) -> None:
        """Something was lost or cannot work."""
        self._say("E!", text)

    def warning(self, text: str) -> None:
        """Something needs a look."""
        self._say("W!", text)

    def information(self, text: str) -> None:
        """Something that went well."""
        self._say("I!", text)

    def seldom(self, topic: str, text: str, level: str = "W!") -> None:
        """What anybody on the network can cause, or each half second: at most once a minute for each topic."""
        now = self._clock()
        with self._lock:
            if now - self._said.get(topic, -SELDOM) < SELDOM:
                return
            self._said[topic] = now
        self._say(level, text)

    def _say(self, level: str, text: str) -> None:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        with self._lock, contextlib.suppress(OSError, ValueError):  # nobody reads us: no reason to stop handing on
            if sys.stderr is not None:
                sys.stderr.write(f"{level} {clean(without_secrets(text), LONGEST_LINE)}\n")
                sys.stderr.flush()
