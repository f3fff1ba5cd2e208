"""The log of the operator: what a line of it looks like, and what takes one."""

from __future__ import annotations

from collections.abc import Callable

Log = Callable[[str], None]
"""Takes one line for the operator, in Telegraf's form: `E! …`, `W! …`, `I! …`; whether it is shown is decided there."""
