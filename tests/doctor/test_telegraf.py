"""Telegraf's own files: which are read, which inputs in them run this program, and what is wrong with those."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from telegraf_cvmfs.doctor.telegraf.configuration import settings_lines
from telegraf_cvmfs.doctor.telegraf.files import ConfigFile, expanded, has_outputs, inputs, telegraf_settings
from tests import ROOT
from tests.builders import hostile
from tests.programs.command import run

SHIPPED = ROOT / "telegraf"
MINUTE = timedelta(minutes=1)
NOBODY = 65534


# --- the inputs that run it --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("${A}", "1"),
        ("${A:-2}", "1"),
        ("${E:-2}", "2"),
        ("${E-2}", ""),
        ("${N:-2}${N-}", "2"),
        ("${N}", "${N}"),
        ("${N:?say so}", "${N:?say so}"),
        ("${A:?say so}", "1"),
        ("$A $$ ${", "$A $$ ${"),
    ],
)
def test_variables_are_filled_in_as_telegraf_does(given: str, made: str) -> None:
    assert expanded(given, {"A": "1", "E": ""}) == made


@pytest.mark.parametrize(
    ("commands", "program", "fleet", "in_lists"),
    [
        ('commands = [["/opt/telegraf-cvmfs", "--config", "/a.toml"]]', "/opt/telegraf-cvmfs", "/a.toml", True),
        ('commands = [["uptime"], ["telegraf-cvmfs"]]', "telegraf-cvmfs", "/etc/telegraf-cvmfs/fleet.toml", True),
        ("commands = [\"telegraf-cvmfs --config='/a b.toml'\"]", "telegraf-cvmfs", "/a b.toml", False),
        ('command = "python3 -m telegraf_cvmfs --demo"', "python3", "", False),
        ('commands = ["telegraf-cvmfs \'"]', "telegraf-cvmfs", "/etc/telegraf-cvmfs/fleet.toml", False),
    ],
)
def test_the_input_that_runs_this_program_is_found(commands: str, program: str, fleet: str, in_lists: bool) -> None:
    file = ConfigFile("a.conf", f'[agent]\ninterval = "1m"\n[[inputs.exec]]\n{commands}\n')
    (one,) = inputs([file], {})
    assert (one.program, one.fleet_file, one.in_lists, one.interval) == (program, fleet, in_lists, MINUTE)


@pytest.mark.parametrize(
    "other", ["", "inputs = 3", "[inputs]\nexec = [3]", '[[inputs.exec]]\ncommands = ["uptime"]', "[["]
)
def test_what_does_not_run_this_program_is_no_input(other: str) -> None:
    assert list(inputs([ConfigFile("a.conf", other)], {})) == []


def test_an_interval_is_the_inputs_the_agents_or_telegrafs() -> None:
    def interval(*texts: str) -> timedelta:
        return next(inputs([ConfigFile(str(number), one) for number, one in enumerate(texts)], {})).interval

    ours = '[[inputs.exec]]\ncommands = ["telegraf-cvmfs"]\n'
    assert interval(ours + 'interval = "5m"', '[agent]\ninterval = "1m"') == 5 * MINUTE
    assert interval(ours, '[agent]\ninterval = "1m"') == MINUTE
    assert interval(ours + "interval = 3") == timedelta(seconds=10)


def test_an_output_is_looked_for_in_all_files() -> None:
    assert has_outputs([ConfigFile("a", ""), ConfigFile("b", "[[outputs.influxdb]]")])
    assert has_outputs([ConfigFile("a", "this = is no [TOML")]), "nobody knows"
    assert not has_outputs([ConfigFile("a", "[agent]"), ConfigFile("b", "")])


# --- what is wrong with them ---------------------------------------------------------------------------


def settings(text: str, seconds: float = 45) -> list[str]:
    return list(telegraf_settings("a.conf", text, timedelta(seconds=seconds)))


def exec_input(**more: str) -> str:
    table = {"commands": '[["telegraf-cvmfs"]]', "data_format": '"influx"', "timeout": '"60s"'} | more
    return "[[inputs.exec]]\n" + "".join(f"{key} = {value}\n" for key, value in table.items() if value)


def execd_input(**more: str) -> str:
    table = {"command": '["telegraf-cvmfs", "execd"]', "signal": '"STDIN"'} | more
    return "[[inputs.execd]]\n" + "".join(f"{key} = {value}\n" for key, value in table.items() if value)


def test_what_is_shipped_is_ok() -> None:
    for name in ("sample.conf", "sample-execd.conf", "telegraf.d/cvmfs.conf"):
        (line,) = settings((SHIPPED / name).read_text())
        assert line.startswith("a.conf: [[inputs.exec")
        assert "]] ok: " in line
    assert settings((SHIPPED / "telegraf.conf").read_text()) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (exec_input(timeout='"30s"'), "wrong: its timeout is 30s, and a run may take 45s"),
        (exec_input(timeout='"45s"'), "wrong: its timeout is 45s, and a run may take 45s"),
        (exec_input(timeout=""), "wrong: its timeout is 5s, for none is set"),
        (exec_input(timeout='"soon"'), "its timeout is not understood here"),
        (exec_input(timeout='"${T:-20s}"'), "wrong: its timeout is 20s"),
        (exec_input(data_format=""), 'wrong: data_format is not "influx"'),
        (exec_input(data_format='"json"'), 'wrong: data_format is not "influx"'),
        (exec_input(commands='["/opt/bin/telegraf-cvmfs --config x"]', timeout=""), "wrong: its timeout is 5s"),
        (exec_input(commands="", command='"python3 -m telegraf_cvmfs"', timeout=""), "wrong: its timeout is 5s"),
        (exec_input(commands='[["telegraf-cvmfs", "execd"]]'), "it belongs into [[inputs.execd]]"),
        (execd_input(signal=""), 'wrong: signal is not "STDIN"'),
        (execd_input(command='["telegraf-cvmfs"]'), "wrong: its command has no sub-command execd"),
        (execd_input(data_format='"json"'), 'wrong: data_format is not "influx"'),
        (execd_input(interval='"30s"'), "wrong: its interval is 30s, and a run may take 45s"),
        ("[[inputs.exec]]\ncommands = [[telegraf-cvmfs]]\n", "cannot be read as TOML"),
    ],
)
def test_what_does_not_fit_in_telegrafs_file_is_told(text: str, said: str) -> None:
    lines = settings(text)
    assert all(line.startswith("a.conf: ") and line.isprintable() for line in lines)
    assert any(said in line for line in lines)
    assert not any("ok: " in line for line in lines if "timeout" in line and "wrong: its timeout" in said)


@pytest.mark.parametrize(
    "text",
    [
        '[[inputs.exec]]\ncommands = ["uptime"]\n',
        "[inputs]\nexec = 1\n",
        "inputs = 3\n",
        "this = is no [TOML\n",
        "",
    ],
)
def test_what_does_not_run_this_program_is_nobodys_business(text: str) -> None:
    assert settings(text) == []


def test_telegrafs_files_are_found_where_its_variable_says(tmp_path: Path) -> None:
    (tmp_path / "telegraf.d").mkdir()
    main, more = tmp_path / "telegraf.conf", tmp_path / "telegraf.d" / "cvmfs.conf"
    main.write_text(exec_input(timeout='"30s"'))
    more.write_text(exec_input(timeout=""))
    said = checked({"TELEGRAF_CONFIG_PATH": str(main)})
    assert f"{main}: [[inputs.exec]] wrong: its timeout is 30s" in said
    assert f"{more}: [[inputs.exec]] wrong: its timeout is 5s" in said


def test_the_shipped_files_are_ok_where_telegraf_finds_them() -> None:
    said = checked({"TELEGRAF_CONFIG_PATH": str(SHIPPED / "telegraf.conf")})
    assert f"{SHIPPED}/telegraf.d/cvmfs.conf: [[inputs.exec]] ok: its timeout is 1m" in said


def test_files_below_the_folder_are_read_as_telegraf_reads_them(tmp_path: Path) -> None:
    below = tmp_path / "telegraf.d" / "site" / "cvmfs.conf"
    below.parent.mkdir(parents=True)
    below.write_text(exec_input())
    (below.parent / "cvmfs.conf.bak").write_text(exec_input())
    (tmp_path / "telegraf.conf").write_bytes(b"\xff telegraf-cvmfs = [")
    lines = settings_lines({"TELEGRAF_CONFIG_PATH": str(tmp_path / "telegraf.conf")}, timedelta(seconds=45))
    assert list(lines) == [f"{below}: [[inputs.exec]] ok: its timeout is 1m, and a run may take 45s (--deadline)"]


AS_NOBODY = """
import os, pathlib, sys
from datetime import timedelta
from telegraf_cvmfs.doctor.telegraf.configuration import read, settings_lines
os.setgroups([]); os.setgid({nobody}); os.setuid({nobody})
print(list(settings_lines({{"TELEGRAF_CONFIG_PATH": sys.argv[1]}}, timedelta(seconds=45))))
print(read(pathlib.Path(sys.argv[1])))
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_files_in_a_folder_that_is_closed_to_this_user_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "telegraf.d").mkdir()
    (tmp_path / "telegraf.conf").write_text(exec_input())
    tmp_path.chmod(0o700)
    script = AS_NOBODY.format(nobody=NOBODY)
    line = [sys.executable, "-c", script, str(tmp_path / "telegraf.conf")]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    first, second = done.stdout.splitlines()
    assert first == "[]"
    assert "Permission denied" in second
    assert "missing=False" in second


def checked(env: Mapping[str, str]) -> str:
    with hostile.refuses() as url:
        done = run("--stratum1", url, "--check", "--state-dir", "none", env=env)
    assert (done.returncode, done.stderr) == (1, "")  # of the server, which does not answer
    return done.stdout
