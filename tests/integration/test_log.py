"""What is in the log of a real Telegraf when a large fleet has many troubles: whole lines, and each cause once a run."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.builders.hostile import Server, serves
from tests.builders.published import LIST, META, Documents, repository
from tests.programs.telegraf import run

REPOSITORIES = tuple(f"r{number:02}.many.tld" for number in range(60))
CAUSES = (
    "key_dirs: .*many.tld/bad.pub: is not a public key in PEM form, which begins with -----BEGIN PUBLIC KEY-----",
    "key_dirs: .*many.tld/odd.pub: no file that can be read",
    "blacklist .*/blacklist: 2 lines, .* clients skip that",
    "memory .* cannot be read .*",
    "127.0.0.1.*: repositories.json: .*not that of a repository.*",
    "history .* cannot be written .*: this run is not kept",
)
"""Each line that is wanted; a memory or a history that cannot be kept is said once by a program that stays."""

AGENT = """
[agent]
  omit_hostname = true
  flush_interval = "1s"
[[outputs.file]]
  files = ["{folder}/points"]
"""
EXEC = """
[[inputs.exec]]
  commands = [["{folder}/noted"]]
  data_format = "influx"
  timeout = "30s"
  log_stderr = true
"""
NOTED = """#!/bin/sh
{{ {program} --config {folder}/fleet.toml 2>&1 >&3 | tee {folder}/stderr >&2; }} 3>&1
"""
EXECD = """
[[inputs.execd]]
  command = ["{program}", "execd", "--config", "{folder}/fleet.toml"]
  signal = "STDIN"
  interval = "1s"
  data_format = "influx"
"""


@pytest.fixture
def troubled(tmp_path: Path) -> Iterator[Path]:
    """The folder of a fleet whose keys, blacklist, memory, history and list are of no use, while it is served."""
    now = datetime.now(UTC)
    documents: Documents = {META: b"{}"}
    for repo in REPOSITORIES:
        documents |= repository(repo, published=now)
    replicas = [{"name": name, "url": f"/cvmfs/{name}"} for name in (*REPOSITORIES, "no\nname")]
    documents[LIST] = json.dumps({"schema": 1, "repositories": [], "replicas": replicas}).encode()
    keys = tmp_path / "client" / "many.tld"
    keys.mkdir(parents=True)
    (keys / "bad.pub").write_text("no key\n")
    (keys / "odd.pub").symlink_to("/dev/zero")
    (tmp_path / "blacklist").write_text("neither\nnor\n")
    (tmp_path / "file").write_text("")
    with Server(serves(documents)) as server:
        (tmp_path / "fleet.toml").write_text(
            '[fleet]\nkey_dirs = ["client"]\nblacklists = ["blacklist"]\n'
            '[state]\ndir = "file/state"\n[history]\ndir = "file/history"\n'
            f'[[server]]\nurl = "{server.url}"\nrole = "stratum1"\n'
        )
        yield tmp_path


def _log(telegraf: Path, folder: Path, plugin: str, stop_after: float) -> tuple[list[str], int]:
    """What Telegraf with this input logs of the program, without times and levels; and how many runs arrived whole."""
    (folder / "telegraf.conf").write_text(AGENT.format(folder=folder) + plugin)
    once = [] if stop_after else ["--once"]
    finished = run(telegraf, ["--config", folder / "telegraf.conf", *once], stop_after=stop_after)
    points = (folder / "points").read_text()
    runs = points.count("cvmfs_scrape,")
    print(finished.log)  # noqa: T201  # shown with a failure
    assert finished.code == 0
    assert points.count("cvmfs_repo,") == runs * len(REPOSITORIES)
    said = (re.fullmatch(r"\[inputs\.execd?\](.*)", line) for line in finished.trouble)
    return [found[1] for found in said if found], runs


def _counted(lines: Iterable[str]) -> dict[str, int]:
    """How often each cause is said; a line that is none of them is one by itself."""
    return Counter(next((cause for cause in CAUSES if re.fullmatch(cause, line)), line) for line in lines)


def test_a_program_that_stays_says_each_cause_once_a_run_in_telegrafs_log(
    telegraf: Path, program: Path, troubled: Path
) -> None:
    lines, runs = _log(telegraf, troubled, EXECD.format(folder=troubled, program=program), stop_after=3.5)
    said = _counted(line.removeprefix(" ") for line in lines)
    assert runs >= 2
    assert said.keys() == set(CAUSES)
    assert {said[cause] for cause in CAUSES[3:4] + CAUSES[5:]} == {1}
    assert {said[cause] for cause in CAUSES[:3] + CAUSES[4:5]} <= {runs, runs + 1}  # the last may end before its points


def test_a_run_says_each_cause_once_and_telegraf_logs_the_first(telegraf: Path, program: Path, troubled: Path) -> None:
    noted = troubled / "noted"
    noted.write_text(NOTED.format(folder=troubled, program=program))
    noted.chmod(0o755)
    logged, runs = _log(telegraf, troubled, EXEC.format(folder=troubled), stop_after=0)
    lines = [line.removeprefix("W! ") for line in (troubled / "stderr").read_text().splitlines()]
    assert (runs, logged) == (1, [f" {lines[0]}..."])
    assert _counted(lines) == dict.fromkeys(CAUSES, 1)
