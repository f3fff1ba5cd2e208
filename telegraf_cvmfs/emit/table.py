"""Rows as lines of text: columns that align, for a terminal folded at its width, coloured where that is wanted."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from rich.console import Console
from rich.text import Text

from telegraf_cvmfs.emit.phrases import WORDS
from telegraf_cvmfs.emit.view import View
from telegraf_cvmfs.words.text import tame

_COLOURS = {
    "ok": "green",
    "warning": "bold yellow",
    "critical": "bold red",
    "unknown": "bold magenta",
    "maintenance": "bold cyan",
}
_WORD_WIDTH = max(map(len, (*WORDS.values(), *_COLOURS)))
_LONGEST_NAME = 60
_LONGEST_TEXT = 600
_WIDEST_COLUMN = 40
_LEAST_TEXT = 24  # columns that a text beside the names has to have
_BELOW = 4  # columns that a text below its names is indented
_NARROWEST = 20  # columns: no terminal is narrower, whatever it says


@dataclass(frozen=True)
class Row:
    """One line: how serious, of what, and what it says; `depth` is how many of the names a heading above has said."""

    word: str
    names: tuple[str, ...]
    text: str
    depth: int = 0


def lines(sections: Iterable[Iterable[Row]], view: View) -> str:
    """The sections, with an empty line between two, ending with a newline.

    In a pipe each line is complete in itself, so that `grep` finds all of a server or a repository. Control characters
    that a server sent never pass.
    """
    paper = io.StringIO()
    console = _console(paper, view)
    for number, section in enumerate(filter(None, map(_tamed, sections))):
        if number:
            console.print()
        for row, names, widths in _placed(section, grouped=view.width is not None):
            for line in _folded(row, names, widths, view.width, console):
                console.print(line, soft_wrap=True)
    return paper.getvalue()


def _tamed(rows: Iterable[Row]) -> list[Row]:
    """Text from servers and fleet files as the page shows it; all of it passes here."""
    return [
        replace(
            row,
            names=tuple(tame(name, _LONGEST_NAME) for name in row.names),
            text=tame(row.text, _LONGEST_TEXT),
        )
        for row in rows
    ]


_Placed = tuple[Row, Sequence[str], Sequence[int]]


def _placed(section: Sequence[Row], *, grouped: bool) -> Iterator[_Placed]:
    """Each row with the names that it shows: all of them, or, where grouped, those that no heading above has said."""
    columns = zip(*(row.names for row in section), strict=True)
    # One very long name does not push all others to the right.
    widths = [min(_WIDEST_COLUMN, max(map(len, column))) for column in columns]
    for row in section:
        depth = row.depth if grouped else 0
        yield replace(row, depth=depth), row.names[depth:], widths[depth:]


def _folded(
    row: Row, names: Sequence[str], widths: Sequence[int], width: int | None, console: Console
) -> Iterator[Text]:
    head = Text(" " * 2 * row.depth)
    head.append(f"{row.word:<{_WORD_WIDTH}}", _COLOURS.get(row.word, ""))
    for name, column in zip(names, widths, strict=True):
        head.append(f"  {name:<{column}}", "bold" if name == row.names[0] and not row.depth else "")
    if width is None or head.cell_len + 2 + Text(row.text).cell_len <= width:
        head.append(f"  {row.text}")
        head.rstrip()
        yield head
        return
    yield from _several(head, Text(row.text), max(width, _NARROWEST), console)


def _several(head: Text, text: Text, width: int, console: Console) -> Iterator[Text]:
    """A line that is too long, as several: the text beside the names, or below them where that takes fewer lines."""
    indent = head.cell_len + 2
    below = text.wrap(console, width - _BELOW, overflow="fold")
    beside = text.wrap(console, width - indent, overflow="fold") if width - indent >= _LEAST_TEXT else None
    if beside is None or len(beside) > len(below) + 1:
        head.rstrip()
        yield from head.wrap(console, width, overflow="fold")
        yield from (Text.assemble(" " * _BELOW, part) for part in _trimmed(below))
        return
    for number, part in enumerate(_trimmed(beside)):
        yield Text.assemble(head if number == 0 else " " * head.cell_len, "  ", part)


def _trimmed(parts: Iterable[Text]) -> Iterator[Text]:
    for part in parts:
        part.rstrip()
        yield part


def _console(paper: io.StringIO, view: View) -> Console:
    """A printer on paper; every choice is made here, so that it asks neither environment nor screen."""
    return Console(
        file=paper,
        force_terminal=view.colour,
        force_jupyter=False,
        force_interactive=False,
        color_system="standard" if view.colour else None,
        no_color=not view.colour,
        legacy_windows=False,
        width=80,
        height=25,
    )
