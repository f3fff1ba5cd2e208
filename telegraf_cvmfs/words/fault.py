"""A fault of our own, as it is reported."""

from __future__ import annotations


def place(error: BaseException) -> str:
    """Where it happened: "module, line 7", or "?"."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    return "?" if at is None else f"{at.tb_frame.f_globals.get('__name__')}, line {at.tb_lineno}"
