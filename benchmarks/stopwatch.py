"""Runs a command and prints what it took: seconds, CPU seconds, KiB of memory at most, exit code.

python stopwatch.py OUTPUT COMMAND...

It is a process of its own that imports next to nothing: what a process has in memory when it starts another one counts
as that one's too.
"""

from __future__ import annotations

import os
import sys
import time


def main() -> None:
    """Write what the command prints to OUTPUT, and what it complains of to OUTPUT.err."""
    output, *command = sys.argv[1:]
    how = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    files = [(os.POSIX_SPAWN_OPEN, 1, output, how, 0o644), (os.POSIX_SPAWN_OPEN, 2, f"{output}.err", how, 0o644)]
    began = time.perf_counter()
    process = os.posix_spawnp(command[0], command, os.environ, file_actions=files)
    _, status, used = os.wait4(process, 0)
    wall = time.perf_counter() - began
    print(wall, used.ru_utime + used.ru_stime, used.ru_maxrss, os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
