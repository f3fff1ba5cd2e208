"""A bar on stderr while a run works for a person who waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from telegraf_cvmfs.words.progress import Moved
from telegraf_cvmfs.words.text import tame

_LONGEST_NAME = 40


@contextmanager
def progress(console: Console | None = None, *, colour: bool = True) -> Iterator[Moved]:
    """Show how many of the repositories that are known of have been read, on all servers; it leaves nothing behind.

    What it gives may be called from any thread. stdout stays as it is: it belongs to the chosen format.
    """
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("repositories, {task.description}", markup=False))
    screen = Console(stderr=True, no_color=not colour or None) if console is None else console
    with Progress(*columns, console=screen, transient=True, redirect_stdout=False) as bar:
        task = bar.add_task("waiting for the servers' lists", total=None)
        total, lock = 0, Lock()

        def moved(server: str, read: int, known: int) -> None:
            nonlocal total
            with lock:
                total += known
            # Nothing known yet is not all done: without a total the bar only shows that it waits.
            bar.update(task, advance=read, total=total or None, description=tame(server, _LONGEST_NAME))

        yield moved


@contextmanager
def bar(noun: str, *, shown: bool) -> Iterator[Callable[[int, int], None]]:
    """Show on stderr how many of how many are done, if it is to be shown; it leaves nothing behind."""
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn(noun, markup=False))
    with Progress(
        *columns, console=Console(stderr=True), transient=True, redirect_stdout=False, disable=not shown
    ) as lines:
        task = lines.add_task(noun, total=None)
        yield lambda done, total: lines.update(task, completed=done, total=total)
