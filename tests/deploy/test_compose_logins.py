"""deploy/influxdb/logins.sh, which InfluxDB's container runs when it sets itself up, on a real InfluxDB 2."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from telegraf_cvmfs.net.influxdb import DatabaseError
from telegraf_cvmfs.net.question import basic
from tests.programs import influxdb2
from tests.programs.influxdb2 import BUCKET, LOGINS, Done, InfluxDB2

NEW = "another-one"
SHORT = "short"
REFUSED = "passwords must be between 8 and 72 characters long"
PASSWORDS = {"INFLUXDB_TELEGRAF_PASSWORD": "writers-secret", "INFLUXDB_GRAFANA_PASSWORD": "readers $ecret"}
POINT = "cvmfs_scrape,fleet=a servers=1i"

RECORDER = """#!/usr/bin/env bash
printf '%q ' "$@" >>'{calls}'
echo >>'{calls}'
exec '{influx}' "$@"
"""
"""An `influx` that notes its arguments down."""


@dataclass(frozen=True)
class Container:
    """A server just set up, and an `influx` beside it that may be made to write down what it is called with."""

    server: InfluxDB2
    influx: Path
    folder: Path

    def run(self, **changed: str) -> Done:
        return self.server.make_logins(**PASSWORDS | changed)

    def recorded(self, **changed: str) -> tuple[Done, list[str]]:
        """The script's run, and each call of `influx` in it."""
        calls, path = self.folder / "calls", self.folder / "influx"
        calls.write_text("")
        path.write_text(RECORDER.format(calls=calls, influx=self.influx))
        path.chmod(0o755)
        done = self.run(**{"PATH": f"{self.folder}:{self.server.variables['PATH']}"} | changed)
        return done, calls.read_text().splitlines()

    def logins(self) -> dict[str, set[tuple[str, str | None]]]:
        """What each may, as the server has it: pairs of a right and the id of a bucket."""
        found = self.server.influx("v1", "auth", "list") or []
        return {
            one["token"]: {(right[0].split(":")[0], right[1]) for right in map(_right, one["permissions"])}
            for one in found
        }

    def may_write(self, user: str, password: str) -> bool:
        answer = self.server.write(BUCKET, POINT, {"Authorization": basic(user, password)})
        assert answer.status_code in {204, 401, 403}, answer.text
        return answer.status_code == 204

    def may_read(self, user: str, password: str) -> bool:
        """Does it see a point that is there?"""
        with suppress(DatabaseError):
            return bool(self.server.as_user(user, password).ask("SELECT servers FROM cvmfs_scrape"))
        return False

    def may_delete(self, user: str, password: str) -> bool:
        asked = {"db": BUCKET, "q": "DELETE FROM cvmfs_scrape"}
        answer = requests.post(f"{self.server.url}/query", params=asked, auth=(user, password), timeout=30)
        return "insufficient permissions" not in answer.text


def _right(spelled: str) -> tuple[str, str | None]:
    """`read:orgs/ID/buckets/ID`, as `influx` prints it, in two parts."""
    match = re.fullmatch(r"(\w+):orgs/\w+/buckets/(\w+)", spelled)
    return (match[1], match[2]) if match else (spelled, None)


@pytest.fixture(scope="module")
def container(influxd2: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    with influxdb2.running(influxd2, tmp_path_factory.mktemp("container")) as server:
        yield Container(server, influxd2.with_name("influx"), tmp_path_factory.mktemp("recorder"))


def test_the_image_would_run_it() -> None:
    assert re.fullmatch(".*sh", LOGINS.name), "the image runs what ends so, and what is executable, and nothing else"
    assert LOGINS.stat().st_mode & 0o111 == 0o111


@pytest.mark.parametrize("name", [*PASSWORDS, "DOCKER_INFLUXDB_INIT_BUCKET"])
def test_without_what_it_needs_it_makes_nothing_and_says_what_is_missing(container: Container, name: str) -> None:
    done, calls = container.recorded(**{name: ""})
    assert done.returncode != 0
    assert name in done.stderr
    assert calls == []


def test_a_server_that_does_not_answer_ends_the_set_up(container: Container) -> None:
    done = container.run(INFLUX_HOST="http://127.0.0.1:9")
    assert done.returncode != 0
    assert "connection refused" in done.stderr


def test_a_bucket_that_is_not_there_ends_the_set_up(container: Container) -> None:
    done = container.run(DOCKER_INFLUXDB_INIT_BUCKET="nowhere")
    assert done.returncode != 0
    assert "nowhere" in done.stderr


@pytest.mark.parametrize("password", [SHORT, "x" * 73], ids=["short", "long"])
def test_a_password_that_the_server_does_not_take_ends_the_set_up(container: Container, password: str) -> None:
    done = container.run(INFLUXDB_TELEGRAF_PASSWORD=password)
    assert done.returncode != 0
    assert REFUSED in done.stderr
    assert container.logins() == {}


def test_the_writer_may_only_write_and_the_reader_may_only_read(container: Container) -> None:
    done, calls = container.recorded()
    assert (done.returncode, done.stderr) == (0, "")
    bucket = container.server.bucket_id()
    assert container.logins() == {"telegraf": {("write", bucket)}, "grafana": {("read", bucket)}}
    writer, reader = (("telegraf", "writers-secret"), ("grafana", "readers $ecret"))
    assert container.may_write(*writer)
    assert container.may_read(*reader)
    assert not container.may_write(*reader)
    assert not container.may_read(*writer)
    assert not container.may_delete(*reader)
    shown = "\n".join(calls) + done.stdout + done.stderr
    assert "--username telegraf" in shown
    assert not re.search(r"writers|ecret", shown), "a password is on a command line or in the log"


def test_run_again_it_gives_the_logins_their_new_passwords_and_makes_no_others(container: Container) -> None:
    assert container.run().returncode == 0
    before = container.logins()
    assert container.run(INFLUXDB_GRAFANA_PASSWORD=NEW).returncode == 0
    assert container.logins() == before
    assert container.may_write("telegraf", "writers-secret")
    assert container.may_read("grafana", NEW)
    assert not container.may_read("grafana", "readers $ecret")


@pytest.mark.parametrize(
    "password",
    ["p:a:s:s:w:o:r:d", "-n --username x", "'quoted' \"twice\"", "back\\slash\\n", "$HOME `id` $(id)", "Paßwörter", " in the midst ", "x" * 72],
)  # fmt: skip
def test_any_password_that_a_line_can_hold_is_taken_as_it_is(container: Container, password: str) -> None:
    assert container.run().returncode == 0
    done = container.run(INFLUXDB_TELEGRAF_PASSWORD=password)
    assert (done.returncode, done.stderr) == (0, "")
    assert container.may_write("telegraf", password)


def test_a_change_to_a_password_that_the_server_does_not_take_says_why_and_changes_nothing(
    container: Container,
) -> None:
    assert container.run().returncode == 0
    done = container.run(INFLUXDB_TELEGRAF_PASSWORD=SHORT)
    assert done.returncode != 0
    assert REFUSED in done.stderr
    assert container.may_write("telegraf", "writers-secret")
