"""A finished run as text: one file for each format, `FORMATS` names them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping

from telegraf_cvmfs.emit.view import EVERYTHING, View
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

FOR_A_PERSON = ("human",)
"""Formats of which a person may see a part, on a terminal: their `render` takes a view."""

Emitter = Callable[[Run], Iterable[str]]
"""Writes one run: its text in pieces of whole lines, made as they are taken."""


def emitter(name: str, view: View = EVERYTHING) -> Emitter:
    """The writer of a format; its module is imported only now, so that no format pays for another.

    `view` is what a person wants to see, where the format is for one. KeyError if `name` is not in `FORMATS`.
    """
    module = importlib.import_module(f"{__name__}.{FORMATS[name]}")
    if name in IN_PIECES:
        pieces: Emitter = module.pieces
        return pieces
    if name in FOR_A_PERSON:
        return lambda run: [module.render(run, view)]
    return lambda run: [module.render(run)]
