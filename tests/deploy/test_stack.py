"""./stack, with a stand-in for `docker` that notes down what it is asked to do."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from pathlib import Path

import pytest

from tests import ROOT
from tests.deploy.compose_clone import ASK, LOOKING, NEED_DOCKER, PASSWORDS, READ_BY_CONTAINERS, Clone

READ_TELEGRAF = "--quiet --strict-env-handling --config /etc/telegraf/telegraf.conf --config /etc/telegraf/outputs/influxdb-writer.conf"


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


# --- help --------------------------------------------------------------------------------------------


def test_bash_takes_the_script() -> None:
    assert subprocess.run(["bash", "-n", ROOT / "stack"], check=False).returncode == 0
    assert os.access(ROOT / "stack", os.X_OK)


@pytest.mark.parametrize("arguments", [[], ["help"], ["--help"], ["-h"]])
def test_without_a_command_it_says_how_to_use_it(clone: Clone, arguments: list[str]) -> None:
    done = clone.run(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    named = re.findall(r"^  (\w+)", done.stdout, re.MULTILINE)
    assert named == ["init", "up", "status", "logs", "doctor", "down", "reset", "native", "help"]
    assert clone.calls == []


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["start"], "there is no command start"),
        (["up", "--dmeo"], "up does not know --dmeo"),
        (["down", "now"], "now is one word too many"),
        (["reset", "-y"], "reset does not know -y"),
        (["logs", "grafana", "demo"], "logs takes one service"),
        (["logs", "--no-color"], "logs does not know --no-color"),
        (["status", "x"], "x is one word too many"),
        (["init", "x"], "x is one word too many"),
    ],
)
def test_what_it_does_not_understand_it_does_not_do(clone: Clone, arguments: list[str], complaint: str) -> None:
    clone.fill()
    done = clone.run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"stack: {complaint}; ./stack help says how\n"
    assert clone.calls == []


# --- init --------------------------------------------------------------------------------------------


def test_init_makes_passwords_that_nobody_else_has_in_a_file_for_the_owner_alone(clone: Clone) -> None:
    done = clone.run("init")
    assert (done.returncode, done.stderr) == (0, "")
    example = (ROOT / ".env.example").read_text().splitlines()
    made = clone.env.read_text().splitlines()
    changed = {
        new.partition("=")[0]: new.partition("=")[2] for old, new in zip(example, made, strict=True) if old != new
    }
    assert changed.keys() == PASSWORDS.keys()
    assert all(re.fullmatch(r"[0-9a-f]{48}", password) for password in changed.values())
    assert len(set(changed.values())) == len(changed)
    assert stat.S_IMODE(clone.env.stat().st_mode) == 0o600
    assert not [password for password in changed.values() if password in done.stdout]
    assert list(clone.folder.glob(".env.??????")) == []


def test_init_never_overwrites(clone: Clone) -> None:
    clone.env.write_text("mine")
    done = clone.run("init")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "stack: .env is there already; nothing was changed\n"
    assert clone.env.read_text() == "mine"


def test_init_takes_a_link_to_nowhere_for_one_that_is_there(clone: Clone) -> None:
    clone.env.symlink_to(clone.folder / "gone")
    assert clone.run("init").returncode == 1
    assert not (clone.folder / "gone").exists()


# --- what is missing ---------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", NEED_DOCKER, ids=" ".join)
@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        ("docker", "there is no program docker here"),
        ("compose", "docker has no Compose plugin here"),
        ("engine", "no Docker engine answers"),
    ],
)
def test_without_docker_it_says_so_and_names_the_other_way(
    clone: Clone, arguments: list[str], broken: str, sentence: str
) -> None:
    clone.fill()
    clone.add_fleet()
    if broken == "docker":
        (clone.tools / "docker").unlink()
    done = clone.run(*arguments, BROKEN=broken)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(rf"stack: {sentence}.*\. Without Docker: \./stack native\n", done.stderr)
    assert set(clone.calls) <= set(LOOKING)


@pytest.mark.parametrize("arguments", [["up"], ["up", "--demo"], ["doctor"]], ids=" ".join)
def test_without_env_it_says_what_to_do(clone: Clone, arguments: list[str]) -> None:
    clone.add_fleet()
    done = clone.run(*arguments)
    assert done.returncode == 1
    assert "there is no .env. Run ./stack init once" in done.stderr
    assert clone.calls == LOOKING


@pytest.mark.parametrize("name", PASSWORDS)
def test_an_empty_password_is_refused_by_name(clone: Clone, name: str) -> None:
    clone.add_fleet()
    clone.fill(**{name: ""})
    done = clone.run("up")
    assert done.returncode == 1
    assert f"{name} is empty in .env" in done.stderr
    assert clone.calls == LOOKING


def test_without_a_fleet_it_says_what_to_do(clone: Clone) -> None:
    clone.fill()
    done = clone.run("up")
    assert done.returncode == 1
    assert "there is no ./telegraf/fleet/fleet.toml. Copy telegraf/fleet/fleet.example.toml to it" in done.stderr
    assert "./stack up --demo" in done.stderr
    assert clone.calls == LOOKING


# --- up ----------------------------------------------------------------------------------------------

START = "up --detach --wait --wait-timeout 300"
FIRST_RUN = f"exec -T telegraf telegraf --once {READ_TELEGRAF} --config-directory /etc/telegraf/telegraf.d"
PAST = f"run --rm --no-deps -T telegraf-demo telegraf --once {READ_TELEGRAF} --config /etc/telegraf/demo/history.conf"


def test_up_builds_starts_asks_once_and_says_where_grafana_is(clone: Clone) -> None:
    clone.fill()
    clone.add_fleet()
    done = clone.run("up")
    assert (done.returncode, done.stderr) == (0, "")
    assert clone.calls == [*LOOKING, "build telegraf", ASK, f"{START} influxdb grafana telegraf", FIRST_RUN]
    assert "Grafana  http://localhost:3000/  user admin, password: GRAFANA_ADMIN_PASSWORD in .env" in done.stdout


def test_the_demo_needs_no_fleet_and_gets_its_past_before_it_is_watched(clone: Clone) -> None:
    clone.fill()
    assert clone.run("up", "--demo").returncode == 0
    start = f"{START} influxdb grafana demo"
    assert clone.calls == [*LOOKING, "build demo", ASK, start, ASK, PAST, f"{START} telegraf-demo"]


def test_the_demo_can_run_beside_a_fleet(clone: Clone) -> None:
    clone.fill()
    clone.add_fleet()
    assert clone.run("up", "--demo").returncode == 0
    start = f"{START} influxdb grafana telegraf demo"
    assert clone.calls[2:] == ["build telegraf", ASK, start, ASK, PAST, f"{START} telegraf-demo", FIRST_RUN]


@pytest.mark.parametrize(
    ("options", "exporters"),
    [((), "exporter"), (("--demo",), "exporter exporter-demo")],
)
def test_prometheus_gets_an_exporter_for_each_fleet(clone: Clone, options: tuple[str, ...], exporters: str) -> None:
    clone.fill()
    clone.add_fleet()
    done = clone.run("up", "--prometheus", *options)
    assert (done.returncode, done.stderr) == (0, "")
    assert clone.calls[-3:] == [ASK, f"{START} {exporters} prometheus", FIRST_RUN]
    assert "Prometheus  http://localhost:9090/\n" in done.stdout


def test_a_grafana_that_runs_is_started_anew_to_read_rules_and_data_sources(clone: Clone) -> None:
    clone.fill()
    clone.add_fleet()
    assert clone.run("up", RUNNING="influxdb grafana telegraf").returncode == 0
    start = f"{START} influxdb grafana telegraf"
    assert clone.calls[2:] == ["build telegraf", ASK, "restart grafana", start, FIRST_RUN]


def test_where_the_demo_is_watched_already_its_past_is_not_written_again(clone: Clone) -> None:
    clone.fill()
    done = clone.run("up", "--demo", RUNNING="demo telegraf-demo")
    assert (done.returncode, "24 hours" in done.stdout) == (0, False)
    assert PAST not in clone.calls
    assert clone.calls[-1] == f"{START} telegraf-demo"


@pytest.mark.parametrize("path", [*READ_BY_CONTAINERS, "grafana/provisioning/alerting"])
@pytest.mark.parametrize("umask", [0o027, 0o077])
def test_files_that_the_containers_users_cannot_read_are_refused(clone: Clone, path: str, umask: int) -> None:
    clone.fill()
    (clone.folder / path).chmod(0o777 & ~umask)
    done = clone.run("up", "--demo")
    assert done.returncode == 1
    told = f"{path} is not readable by the containers' users: chmod -R a+rX deploy grafana prometheus telegraf"
    assert done.stderr == f"stack: {told}\n"
    assert clone.calls == LOOKING
    (clone.folder / path).chmod(0o755)
    assert clone.run("up", "--demo").returncode == 0


@pytest.mark.parametrize("value", ["3300 # mine", '"3300" # mine', " 3300 ", "3300\r", "3300\t#"])
def test_a_comment_or_a_blank_after_a_setting_is_none_of_it(clone: Clone, value: str) -> None:
    clone.fill(GRAFANA_PORT=value)
    clone.add_fleet()
    assert "http://localhost:3300/ " in clone.run("up").stdout


@pytest.mark.parametrize("value", ["ab#cd", "'ab # cd'", "ab cd#e"])
def test_what_looks_like_a_comment_stays_in_a_setting(clone: Clone, value: str) -> None:
    clone.fill(GRAFANA_ROOT_URL=value)
    clone.add_fleet()
    assert f"Grafana  {value.strip(chr(39))}  user" in clone.run("up").stdout


def test_it_works_in_its_own_folder_wherever_it_is_called_from(clone: Clone) -> None:
    (clone.folder / "elsewhere" / "clone").mkdir(parents=True)
    (clone.folder / "clone").symlink_to(".")
    environment = {"PATH": str(clone.tools), "CDPATH": "elsewhere"}
    command = ["bash", "clone/stack", "init"]
    done = subprocess.run(command, env=environment, cwd=clone.folder, capture_output=True, text=True, check=False)
    assert (done.returncode, clone.env.exists()) == (0, True), done.stderr


def test_settings_come_from_the_environment_before_env(clone: Clone) -> None:
    clone.fill(GRAFANA_PORT='"3300"', FLEET_DIR="'./elsewhere'")
    (clone.folder / "elsewhere").mkdir()
    (clone.folder / "elsewhere" / "fleet.toml").touch()
    assert "http://localhost:3300/" in clone.run("up").stdout
    assert "http://localhost:3400/" in clone.run("up", GRAFANA_PORT="3400").stdout
    done = clone.run("up", GRAFANA_ROOT_URL="https://grafana.example.org/", GRAFANA_PORT="3400")
    assert "Grafana  https://grafana.example.org/  user" in done.stdout


def test_what_does_not_start_is_said_and_nothing_more_is_done(clone: Clone) -> None:
    clone.fill()
    clone.add_fleet()
    done = clone.run("up", BROKEN="--wait")
    assert done.returncode == 1
    assert done.stderr == "stack: not everything started; ./stack status and ./stack logs say more\n"
    assert "Grafana  " not in done.stdout
    assert clone.calls[-1].startswith("up ")


def test_an_image_that_cannot_be_built_is_not_started(clone: Clone) -> None:
    clone.fill()
    clone.add_fleet()
    assert clone.run("up", BROKEN="build").returncode == 1
    assert clone.calls[-1] == "build telegraf"


def test_a_first_run_that_fails_is_no_reason_to_stop(clone: Clone) -> None:
    clone.fill()
    clone.add_fleet()
    done = clone.run("up", "--demo", BROKEN="--once")
    assert done.returncode == 0
    assert "It gave no points; ./stack doctor says why." in done.stdout
    assert "That failed: the curves begin now." in done.stdout
    assert f"{START} telegraf-demo" in clone.calls
