"""The command: from the arguments to a sub-command and its exit code, whatever goes wrong on the way.

stdout carries the chosen format and nothing else, in one write of whole lines. Everything for the operator
goes to stderr in Telegraf's form, and its first line says all: Telegraf keeps no more of it.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence

from telegraf_cvmfs.command.options import parse, runner
from telegraf_cvmfs.command.terminal import OutputError, tell
from telegraf_cvmfs.model import ConfigError
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.words.fault import place
from telegraf_cvmfs.words.shortage import shortage

OK, NO_OUTPUT, WRONG_USE, UNKNOWN = 0, 1, 2, 3
"""The last is that of a Nagios check that could not be made."""


def main(arguments: Sequence[str], deadline: Deadline | None = None) -> int:
    """Run the command within a deadline, which its options shorten; returns its exit code."""
    try:
        options = parse(arguments)
        return runner(options.command)(options, deadline or Deadline(float("inf")))
    except SystemExit as end:  # argparse, after --help and --version
        sys.stdout.flush()
        return int(end.code or OK)
    except ConfigError as error:
        lacked = shortage(error)
        return _failed(f"{error}{lacked and f': {lacked}'}", NO_OUTPUT if lacked else WRONG_USE, arguments)
    except BrokenPipeError:
        return UNKNOWN if _is_nagios(arguments) else OK  # whoever read us has had enough
    except OutputError as error:
        return _failed(str(error), NO_OUTPUT, arguments)
    except Exception as error:  # noqa: BLE001  # Telegraf would show "Traceback" and nothing else
        why = f"internal error, please report it: {type(error).__name__}: {error} (in {place(error)})"
        return _failed(shortage(error) or why, NO_OUTPUT, arguments)


def _failed(why: str, code: int, arguments: Sequence[str]) -> int:
    """Say why there is no output, where whoever asked looks for it; returns the exit code."""
    if _is_nagios(arguments):
        from telegraf_cvmfs.command.nagios import give_up

        with contextlib.suppress(OSError, OutputError):
            give_up(why)
        return UNKNOWN
    tell(f"E! {why}")
    return code


def _is_nagios(arguments: Sequence[str]) -> bool:
    """Was a Nagios check wanted? Also where the options are not understood, whose exit code would be its CRITICAL."""
    return any(argument.partition("=")[0] == "--nagios" for argument in arguments)
