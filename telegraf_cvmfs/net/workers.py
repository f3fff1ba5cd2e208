"""Jobs in threads: at most so many at once, and no thread is left when the last job has ended."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence


def in_parallel(jobs: Sequence[Callable[[], None]], width: int) -> None:
    """Do all jobs in threads, at most so many at once; returns when the last has ended."""
    waiting = deque(jobs)

    def work() -> None:
        while True:
            try:
                job = waiting.popleft()
            except IndexError:
                return
            job()

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(width, len(jobs)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
