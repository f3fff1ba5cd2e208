"""`python -m telegraf_cvmfs`, and what the script `telegraf-cvmfs` calls.

The clock is read and SIGTERM is listened to before anything heavy is imported: Telegraf's time begins with
the process, and a process that it stops has to say what it knows. Until then it ends as any program does: Python's
own way of ending by Ctrl-C is a traceback.
"""

from __future__ import annotations

import signal

signal.signal(signal.SIGINT, signal.SIG_DFL)

import os
import time
from typing import NoReturn

from telegraf_cvmfs.net.deadline import Deadline, ending_signals
from telegraf_cvmfs.words.shortage import shortage


def entry() -> NoReturn:
    """Run the command and end the process, without waiting for name look-ups that hang."""
    deadline = Deadline(float("inf"), time.monotonic())
    for number in ending_signals():
        signal.signal(number, lambda number, _: deadline.cut(signal.Signals(number).name))
    _occupy_standard_descriptors()

    import sys  # noqa: PLC0415

    try:
        from telegraf_cvmfs.command.cli import main  # noqa: PLC0415
    except (OSError, MemoryError, ImportError) as error:
        if not (lacked := shortage(error)):
            raise
        os.write(2, f"E! {lacked}\n".encode())
        os._exit(1)
    os._exit(main(sys.argv[1:], deadline))


def _occupy_standard_descriptors() -> None:
    """Where stdin, stdout or stderr is closed, the next socket would take its number, and our output."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


if __name__ == "__main__":
    entry()
