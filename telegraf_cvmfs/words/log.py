"""The log of the operator: what a line of it looks like, and what takes one."""

from __future__ import annotations

from collections.abc import Callable

Log = Callable[[str], None]
"""Takes one line for the operator, in Telegraf's form: `E! …`, `W! …`, `I! …`; whether it is shown is decided there."""


class SaidOnce:
    """A log that takes each line once, from whatever thread, however many repositories meet the same cause."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._said: dict[str, object] = {}

    def __call__(self, line: str) -> None:
        """Take a line, if it was not said before."""
        mine = object()
        if self._said.setdefault(line, mine) is mine:
            self._log(line)

    def forget(self) -> None:
        """Another run begins: what is still so is said once more."""
        self._said.clear()
