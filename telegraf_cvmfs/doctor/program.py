"""Running a program of this machine: with a time limit, as another user where we may, its output read whole."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

from telegraf_cvmfs.doctor.processes import User, myself
from telegraf_cvmfs.net.deadline import Deadline

LARGEST_OUTPUT = 32 << 20
"""Bytes that are read; a run over ten thousand replicas prints a tenth of that."""

_NAP = 0.05  # seconds between two looks at whether it has ended


@dataclass(frozen=True)
class Ran:
    """A program that has ended: its exit code (None if it was stopped), what it said, and as whom it ran."""

    code: int | None
    output: str
    errors: str
    user: User


def output_of(
    command: list[str],
    deadline: Deadline,
    seconds: float,
    *,
    user: User | None = None,
    environment: Mapping[str, str] | None = None,
) -> Ran:
    """Run it until it ends or the time is up.

    Args:
        command: the program and its arguments; no shell is involved.
        deadline: when all is over.
        seconds: how long it may take at most.
        user: as whom to run it, if we are root; else it runs as ourselves.
        environment: its variables; by default ours.
    """
    me = myself()
    whose = user if user is not None and me.uid == 0 and user.uid != 0 else me
    rights: dict[str, Any] = {}
    if whose is not me:
        rights = {"user": whose.uid, "group": whose.gid, "extra_groups": sorted(whose.groups)}
        environment = {**(os.environ if environment is None else environment), "HOME": whose.home, "USER": whose.name}
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(  # noqa: S603  # the operator's own Telegraf
                command,
                env=environment,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                start_new_session=True,
                **rights,
            )
        except OSError as error:
            return Ran(127, "", f"now E! {command[0]}: {error.strerror}", whose)
        code = _ended(process, deadline, time.monotonic() + seconds)
        return Ran(code, _read(output), _read(errors), whose)


def _ended(process: subprocess.Popen[bytes], deadline: Deadline, until: float) -> int | None:
    """Its exit code; None if it was stopped, with all that it had started."""
    try:
        while process.poll() is None and time.monotonic() < until and not deadline.passed:
            time.sleep(_NAP)
        return process.returncode
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(LARGEST_OUTPUT).decode(errors="replace")
