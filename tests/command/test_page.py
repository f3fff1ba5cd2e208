"""The page as a person asks for it: what is shown of it, and on which terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from pathlib import Path

import pytest

from telegraf_cvmfs.demo import DemoFleet
from tests.programs.command import command, environment, run

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def on_a_terminal(columns: int, *arguments: str | Path, **more: str) -> str:
    """What stdout's terminal of so many columns gets; stderr is the same one."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen(
        command(*arguments),
        env=environment(**{"TERM": "xterm", **more}),
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        said = b""
        while chunk := _read(ours):
            said += chunk
    os.close(ours)
    assert process.returncode == 0
    return said.decode().replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # nobody writes to it any more
        return b""


@pytest.mark.parametrize("columns", [80, 45])
def test_no_line_is_wider_than_the_terminal(fleet_file: Path, columns: int) -> None:
    page = on_a_terminal(columns, "--config", fleet_file, "--print-for-human", "--quiet")
    assert "\x1b[1;31mcritical" in page
    assert max(len(line) for line in ESCAPE.sub("", page).splitlines()) <= columns


def test_while_it_runs_a_bar_counts_repositories(fleet_file: Path) -> None:
    page = on_a_terminal(80, "--config", fleet_file, "--print-for-human")
    assert "20/20 repositories, stratum" in ESCAPE.sub("", page)


def test_a_dumb_terminal_gets_neither_colours_nor_a_bar(fleet_file: Path) -> None:
    page = on_a_terminal(80, "--config", fleet_file, "--print-for-human", TERM="dumb")
    assert "\x1b" not in page
    assert page.startswith("critical     fleet ")


@pytest.mark.parametrize(("wish", "coloured"), [("always", True), ("auto", False), ("never", False)])
def test_colours_can_be_wished_for_in_a_pipe(fleet_file: Path, wish: str, *, coloured: bool) -> None:
    done = run("--config", fleet_file, "--print-for-human", "--color", wish, env={"NO_COLOR": "1", "TERM": "dumb"})
    assert ("\x1b[1;31mcritical" in done.stdout) is coloured


def test_a_terminal_without_colours_if_that_is_wished(fleet_file: Path) -> None:
    arguments = ("--config", fleet_file, "--print-for-human", "--quiet")
    assert "\x1b" not in on_a_terminal(80, *arguments, "--color", "never")
    assert "\x1b" not in on_a_terminal(80, *arguments, NO_COLOR="1")


def test_in_a_pipe_lines_are_whole_unless_the_environment_names_a_width(fleet_file: Path) -> None:
    arguments = ("--config", fleet_file, "--print-for-human")
    assert max(map(len, run(*arguments).stdout.splitlines())) > 100
    assert max(map(len, run(*arguments, env={"COLUMNS": "60"}).stdout.splitlines())) <= 60


def test_a_server_and_repositories_can_be_chosen_and_everything_is_scraped(demo: DemoFleet, fleet_file: Path) -> None:
    arguments = ("--server", "stratum1-lagging", "--server", "stratum0", "--only", "d*", "--only", "soft*")
    done = run("--config", fleet_file, "--print-for-human", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    summary, servers, causes, repositories = done.stdout.split("\n\n")
    assert f"3 of {len(demo.urls)} up" in summary
    assert "of 6 repositories" in summary.splitlines()[0]
    assert summary.endswith("shown     2 of 4 servers, 2 of 6 repositories")
    assert [line.split()[1] for line in servers.splitlines()] == ["stratum1-lagging", "stratum0"]
    assert "lagging on data.demo.example: 2 revisions behind stratum0" in causes
    assert {line.split()[1] for line in repositories.splitlines()} == {"data.demo.example", "software.demo.example"}


def test_a_server_that_is_not_there_is_named_with_those_that_are(fleet_file: Path) -> None:
    done = run("--config", fleet_file, "--print-for-human", "--server", "stratum1-lagign")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("E! --server: no server is called 'stratum1-lagign': expected one of stratum0, ")


@pytest.mark.parametrize("option", [("--server", "stratum0"), ("--all",)])
def test_what_is_for_the_page_is_refused_without_it(fleet_file: Path, option: tuple[str, ...]) -> None:
    done = run("--config", fleet_file, *option)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"E! {option[0]} is for the page: expected --print-for-human with it")


def test_all_shows_each_replica(fleet_file: Path) -> None:
    done = run("--config", fleet_file, "--print-for-human", "--all", "--only", "config*")
    repositories = done.stdout.split("\n\n")[-1]
    assert {line.split()[2] for line in repositories.splitlines()[1:]} >= {"stratum0", "stratum1-healthy"}
    assert repositories.count("rev 12, ") == 3
