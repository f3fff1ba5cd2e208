"""`--nagios` as Icinga and cron run it: one line on stdout, nothing on stderr, and 0 to 3."""

from __future__ import annotations

import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT
from tests.programs.command import command, environment, run


def checked(*arguments: str | Path, **variables: str) -> tuple[int, str]:
    done = run("--nagios", *arguments, env=variables)
    assert done.stderr == ""
    return done.returncode, one_line(done.stdout)


def one_line(printed: str) -> str:
    (said,) = printed.splitlines()
    assert printed == f"{said}\n"
    return said


def test_it_ends_with_the_worst_and_says_it_in_one_line(fleet_file: Path) -> None:
    code, said = checked("--config", fleet_file)
    assert code == 2
    assert said.startswith(
        "CVMFS CRITICAL - 4 of 6 repositories served by all, 2 by 1 of 3; stratum1-down: server_down: "
    )
    text, _, performance = said.partition(" | ")
    assert "maintenance of stratum1-lagging until " in text
    assert " repositories_ok=4;;;0;6 repositories_warning=2;;;0;6 " in performance


@pytest.mark.parametrize(("server", "code"), [("stratum1-healthy", 0), ("stratum1-lagging", 2), ("stratum1-down", 2)])
def test_a_server_is_checked_by_itself(fleet_file: Path, server: str, code: int) -> None:
    found, said = checked("--config", fleet_file, "--server", server)
    assert found == code
    assert f" - {server}: replicas: " in said


def test_what_is_under_maintenance_is_not_bad(fleet_file: Path) -> None:
    bad = ("--server", "stratum1-down", "--server", "stratum1-lagging")
    assert run("maintenance", "add", "--config", fleet_file, *bad, "--for", "1h", "--why", "a move").returncode == 0
    code, said = checked("--config", fleet_file)
    assert code == 0
    assert said.startswith("CVMFS OK - 6 of 6 repositories served by all; maintenance of ")
    assert "a move" in said


def test_of_what_is_wrong_with_us_the_reason_is_the_line(fleet_file: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text(f'{fleet_file.read_text()}\n[scrape]\ndeadline = "soon"\n')
    for arguments, why in (
        (("--config", broken), f"fleet file {broken}, line "),
        (("--config", tmp_path / "none.toml"), "No such file or directory"),
        (("--config", fleet_file, "--server", "ral"), "no server is called 'ral'"),
        (("--config", fleet_file, "--frobnicate"), "no option '--frobnicate'"),
        (("--config", fleet_file, "--check"), "--check and --nagios: expected one of them"),
        (("--config", fleet_file, "--format", "json"), "prints one line"),
        (("--config", fleet_file, "--key", tmp_path / "none.pub"), "none.pub"),
        (("doctor",), "--nagios and doctor: expected one of them"),
        (("--config", fleet_file, "--deadline", "0.01"), "the run's time was up after "),
    ):
        code, said = checked(*arguments)
        assert code == 3
        assert said.startswith("CVMFS UNKNOWN - ")
        assert why in said


def test_an_option_that_is_not_understood_is_not_taken_for_critical() -> None:
    done = run("--nagios=yes", "--demo")
    assert (done.returncode, done.stderr) == (3, "")
    assert one_line(done.stdout).startswith("CVMFS UNKNOWN - ")


def test_a_bug_is_unknown_too() -> None:
    broken = "import sys, telegraf_cvmfs.rounds as r; r.Rounds.look = lambda *_: 1 / 0\n"
    code = f"{broken}from telegraf_cvmfs.command.cli import main; sys.exit(main(['--demo', '--nagios']))"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (3, "")
    assert one_line(done.stdout).startswith("CVMFS UNKNOWN - internal error, please report it: ZeroDivisionError")


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_said_in_the_line(sent: signal.Signals) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(30)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        arguments = command("--nagios", "--stratum1", url, "--state-dir", "none")
        with subprocess.Popen(arguments, env=environment(), stdout=-1, stderr=-1, text=True) as process:
            asked, _ = silent.accept()
            process.send_signal(sent)
            printed, told = process.communicate(timeout=30)
            asked.close()
    assert (process.returncode, told) == (3, "")
    assert one_line(printed).startswith(f"CVMFS UNKNOWN - {sent.name} ended the run before everything was read; ")


def test_where_nothing_can_be_printed_it_is_unknown(fleet_file: Path) -> None:
    whole = " ".join(command("--nagios", "--config", fleet_file, "--server", "stratum1-healthy"))
    for end in (">&-", ">/dev/full"):
        done = subprocess.run(
            ["sh", "-c", f"{whole} {end}"], env=environment(), capture_output=True, timeout=60, check=False
        )
        assert done.returncode == 3


def test_the_line_for_cron_prints_what_is_not_well_and_else_nothing(fleet_file: Path) -> None:
    (line,) = [line for line in (ROOT / "docs/nagios.md").read_text().splitlines() if line.startswith("*/15 * * * *  ")]
    asked = line.removeprefix("*/15 * * * *  ").replace("/etc/telegraf-cvmfs/fleet.toml", str(fleet_file))
    for server, code in (("stratum1-healthy", 0), ("stratum1-down", 2)):
        program = shlex.join([*command(), "--server", server])
        pasted = asked.replace("/opt/telegraf-cvmfs/bin/telegraf-cvmfs", program)
        assert pasted.count(program) == 1
        done = subprocess.run(
            ["sh", "-c", pasted], env=environment(), capture_output=True, text=True, timeout=60, check=False
        )
        assert done.stderr == ""
        assert done.stdout == "" if code == 0 else one_line(done.stdout).startswith("CVMFS CRITICAL - stratum1-down: ")


def test_check_ends_with_1_where_telegrafs_own_file_is_wrong(tmp_path: Path, fleet_file: Path) -> None:
    conf, url = tmp_path / "telegraf.conf", fleet_file.read_text().split('url = "')[2].partition('"')[0]
    for timeout, code in (("60s", 0), ("30s", 1)):
        conf.write_text(
            f'[[inputs.exec]]\ncommands = [["telegraf-cvmfs"]]\ntimeout = "{timeout}"\ndata_format = "influx"\n'
        )
        done = run("--check", "--stratum1", url, env={"TELEGRAF_CONFIG_PATH": str(conf)})
        assert done.returncode == code
        assert ("wrong: its timeout is 30s" in done.stdout) == bool(code)
