"""`fleets`: which public fleets come with the program."""

from __future__ import annotations

import argparse

from telegraf_cvmfs.command.terminal import show
from telegraf_cvmfs.fleet import public
from telegraf_cvmfs.net.deadline import Deadline


def add_options(_parser: argparse.ArgumentParser) -> None:
    """There are none."""


def run(_options: argparse.Namespace, _deadline: Deadline) -> int:
    """Print them; always 0."""
    show([public.describe()])
    return 0
