"""Too few files, too little memory, no more threads: that is our own want, and no server's fault."""

from __future__ import annotations

import re
import shlex
import subprocess
import time
from pathlib import Path

import pytest

from tests.programs.command import command, environment, run

ENDS = 20.0
"""Seconds within which a run of 5 s is over, with room for a busy machine."""

_RED = re.compile(r"^(cvmfs_(?:server|repo),\S+) .*\bhealth=2i", re.MULTILINE)
_OF_HEALTHY = re.compile(r"server=(stratum0|replica-)")


def limited(limit: str, *arguments: str | Path) -> tuple[subprocess.CompletedProcess[str], float]:
    """A run with a limit of the shell's `ulimit`, and how long it took."""
    began = time.monotonic()
    line = f"ulimit {limit}; exec {shlex.join(map(str, command(*arguments)))}"
    done = subprocess.run(
        ["bash", "-c", line], env=environment(), capture_output=True, text=True, timeout=60, check=False
    )
    return done, time.monotonic() - began


def red(fleet: Path) -> set[str]:
    """What is critical where nothing is lacked: the demo has a fault or two."""
    return set(_RED.findall(run("--config", fleet).stdout))


@pytest.mark.parametrize("files", [8, 9, 10, 12, 16, 20, 24])
def test_too_few_files_make_no_server_red_and_are_said_once(fleet_file_of_each_transport: Path, files: int) -> None:
    done, took = limited(f"-n {files}", "--config", fleet_file_of_each_transport, "--deadline", "5s")
    assert took < ENDS
    assert "Traceback" not in done.stderr
    assert (
        len(re.findall(rf"^E! this process may have no more than {files} files open: ", done.stderr, re.MULTILINE)) == 1
    )
    assert done.stdout.count("cvmfs_server,") >= 2
    assert set(_RED.findall(done.stdout)) <= red(fleet_file_of_each_transport)


def test_enough_files_are_no_message(fleet_file_of_each_transport: Path) -> None:
    done, _ = limited("-n 64", "--config", fleet_file_of_each_transport, "--deadline", "5s")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("megabytes", [60, 100, 150, 250])
def test_with_too_little_memory_a_run_ends_in_time_without_a_red_server(
    fleet_file_of_each_transport: Path, megabytes: int
) -> None:
    done, took = limited(f"-v {megabytes * 1024}", "--config", fleet_file_of_each_transport, "--deadline", "5s")
    assert took < ENDS
    assert set(_RED.findall(done.stdout)) <= red(fleet_file_of_each_transport)
    assert done.returncode == 0 or done.stderr
