"""What takes a line for the operator."""

from __future__ import annotations

from collections.abc import Callable

Log = Callable[[str], None]
"""Takes one line for the operator, in Telegraf's form: `E! …`, `W! …`, `I! …`; whether it is shown is decided there."""
