"""deploy/influxdb/logins.sh, which InfluxDB's container runs when it sets itself up, with a stand-in for `influx`."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import compose_influx
import pytest
from compose_influx import BUCKET_ID

SCRIPT = Path(__file__).parent.parent / "deploy" / "influxdb" / "logins.sh"
NEW = "another-one"
SHORT = "short"
PASSWORDS = {"INFLUXDB_TELEGRAF_PASSWORD": "writers-secret", "INFLUXDB_GRAFANA_PASSWORD": "readers $ecret"}


class Container:
    """A folder with the stand-in on its PATH, and what the stand-in keeps."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "state.json"
        self.state = compose_influx.empty()
        self.path = folder / "bin"
        self.path.mkdir()
        influx = self.path / "influx"
        influx.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{compose_influx.__file__}" "$@"\n')
        influx.chmod(0o755)

    def run(self, **environment: str) -> subprocess.CompletedProcess[str]:
        self.file.write_text(json.dumps(self.state))
        given = {"DOCKER_INFLUXDB_INIT_BUCKET": "cvmfs", **PASSWORDS, **environment}
        given |= {"PATH": f"{self.path}:/usr/bin:/bin", "INFLUX_STATE": str(self.file)}
        done = subprocess.run([SCRIPT], env=given, capture_output=True, text=True, check=False, timeout=30)
        self.state = json.loads(self.file.read_text())
        return done


@pytest.fixture
def container(tmp_path: Path) -> Container:
    return Container(tmp_path)


def test_the_image_would_run_it() -> None:
    assert re.fullmatch(".*sh", SCRIPT.name), "the image runs what ends so, and what is executable, and nothing else"
    assert SCRIPT.stat().st_mode & 0o111 == 0o111


def test_the_writer_may_only_write_and_the_reader_may_only_read(container: Container) -> None:
    done = container.run()
    assert (done.returncode, done.stderr) == (0, "")
    assert container.state["logins"] == {
        "telegraf": {"password": "writers-secret", "rights": {"write": BUCKET_ID}},
        "grafana": {"password": "readers $ecret", "rights": {"read": BUCKET_ID}},
    }


def test_run_again_it_gives_the_logins_their_new_passwords_and_makes_no_others(container: Container) -> None:
    container.run()
    before = container.state["logins"]
    assert container.run().returncode == 0
    assert container.state["logins"] == before
    assert container.run(INFLUXDB_GRAFANA_PASSWORD=NEW).returncode == 0
    assert container.state["logins"]["grafana"] == {"password": NEW, "rights": {"read": BUCKET_ID}}
    assert container.state["logins"]["telegraf"] == before["telegraf"]


def test_no_password_is_on_a_command_line_or_in_the_log(container: Container) -> None:
    done = container.run()
    shown = json.dumps(container.state["calls"]) + done.stdout + done.stderr
    assert "telegraf" in shown
    assert not [password for password in PASSWORDS.values() if password in shown]


def test_the_bucket_is_mapped_to_a_database_where_the_server_did_not(container: Container) -> None:
    container.run()
    assert container.state["mappings"] == []
    container.state["mapped"] = False
    container.run()
    wanted = {"--db": "cvmfs", "--rp": "autogen", "--default": "", "--bucket-id": BUCKET_ID}
    assert container.state["mappings"] == [wanted]
    container.run()
    assert container.state["mappings"] == [wanted]


@pytest.mark.parametrize("name", [*PASSWORDS, "DOCKER_INFLUXDB_INIT_BUCKET"])
def test_without_what_it_needs_it_makes_nothing_and_says_what_is_missing(container: Container, name: str) -> None:
    done = container.run(**{name: ""})
    assert done.returncode != 0
    assert name in done.stderr
    assert container.state["calls"] == []


def test_a_password_that_is_too_short_ends_the_set_up(container: Container) -> None:
    done = container.run(INFLUXDB_TELEGRAF_PASSWORD=SHORT)
    assert done.returncode != 0
    assert "password is too short" in done.stderr


def test_a_server_that_does_not_answer_ends_the_set_up(container: Container) -> None:
    container.state["down"] = True
    done = container.run()
    assert done.returncode != 0
    assert "connection refused" in done.stderr
    assert container.state["logins"] == {}


def test_a_bucket_that_is_not_there_ends_the_set_up(container: Container) -> None:
    container.state["buckets"] = {}
    done = container.run()
    assert done.returncode != 0
    assert "not found" in done.stderr
