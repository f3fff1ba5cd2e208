"""Who ended a run: its own time, or a signal."""

from __future__ import annotations

import time

from telegraf_cvmfs.net.deadline import Deadline


def test_a_signal_in_time_has_ended_the_run_and_of_several_the_first() -> None:
    deadline = Deadline(60)
    assert (deadline.passed, deadline.interrupted) == (False, "")
    deadline.cut("SIGTERM")
    deadline.cut("SIGINT")
    assert (deadline.passed, deadline.interrupted) == (True, "SIGTERM")


def test_a_signal_after_the_time_was_up_has_ended_nothing() -> None:
    deadline = Deadline(5, started=time.monotonic() - 6)
    deadline.cut("SIGTERM")
    assert (deadline.passed, deadline.interrupted) == (True, "")


def test_a_signal_in_the_time_that_is_kept_for_judging_has_ended_nothing() -> None:
    deadline = Deadline(10, started=time.monotonic() - 6)
    deadline.reserve(5)
    deadline.cut("SIGTERM")
    assert (deadline.passed, deadline.interrupted) == (True, "")


def test_a_signal_before_a_run_has_its_time_has_ended_it() -> None:
    deadline = Deadline(float("inf"))
    deadline.cut("SIGINT")
    deadline.shorten(45)
    assert deadline.interrupted == "SIGINT"
