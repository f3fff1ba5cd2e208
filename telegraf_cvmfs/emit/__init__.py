"""A finished run as text: one file for each format, `FORMATS` names them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping

from telegraf_cvmfs.model import Run

FORMATS: Mapping[str, str] = {
    "influx": "line_protocol",
    "human": "human",
    "json": "json_document",
    "prometheus": "prometheus",
    "galaxy": "galaxy",
}
"""What `--format` calls them, and the module here whose `render` writes them."""


IN_PIECES = ("influx",)
"""Formats whose text is so long that it is not held whole: their module has `pieces`."""

FOR_A_TERMINAL = ("human",)
"""Formats that look otherwise on a terminal: their `render` has an argument `terminal`."""

Emitter = Callable[[Run], Iterable[str]]
"""Writes one run: its text in pieces of whole lines, made as they are taken."""


def emitter(name: str, *, terminal: bool = False) -> Emitter:
    """The writer of a format; its module is imported only now, so that no format pays for another.

    `terminal` says that colours are wanted, where a format has any. KeyError if `name` is not in `FORMATS`.
    """
    module = importlib.import_module(f"{__name__}.{FORMATS[name]}")
    if name in IN_PIECES:
        pieces: Emitter = module.pieces
        return pieces
    more = {"terminal": True} if terminal and name in FOR_A_TERMINAL else {}
    return lambda run: [module.render(run, **more)]
