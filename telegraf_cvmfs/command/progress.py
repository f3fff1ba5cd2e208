"""A bar on stderr while a run works for a person who waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from telegraf_cvmfs.words.text import tame

_LONGEST_NAME = 40


@contextmanager
def progress(total_servers: int, console: Console | None = None) -> Iterator[Callable[[str], None]]:
    """Show how many servers are done; `tick(server_name)` says that one more is. It leaves nothing behind.

    `tick` may be called from any thread. stdout stays as it is: it belongs to the chosen format.
    """
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("servers {task.description}", markup=False))
    screen = Console(stderr=True) if console is None else console
    with Progress(*columns, console=screen, transient=True, redirect_stdout=False) as bar:
        task = bar.add_task("", total=total_servers)

        def tick(server_name: str) -> None:
            bar.update(task, advance=1, description=tame(server_name, _LONGEST_NAME))

        yield tick
