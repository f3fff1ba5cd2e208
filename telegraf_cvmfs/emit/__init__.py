"""A finished run as text: one file for each format, `FORMATS` names them."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Protocol

from telegraf_cvmfs.model import Run

FORMATS: Mapping[str, str] = {
    "influx": "line_protocol",
    "human": "human",
    "json": "json_document",
    "prometheus": "prometheus",
    "galaxy": "galaxy",
}
"""What `--format` calls them, and the module here whose `render` writes them."""


class Emitter(Protocol):
    """Writes one run; `terminal` says that colours are wanted, where a format has any."""

    def __call__(self, run: Run, *, terminal: bool = False) -> str:
        """The whole text, each line ended."""


def emitter(name: str) -> Emitter:
    """The writer of a format; its module is imported only now, so that no format pays for another.

    Raises:
        KeyError: `name` is not in `FORMATS`.
    """
    render: Emitter = importlib.import_module(f"{__name__}.{FORMATS[name]}").render
    return render
