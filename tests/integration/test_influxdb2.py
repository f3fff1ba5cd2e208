"""A real InfluxDB 2, the version of the compose file: Telegraf writes into it, dashboards, alert rules and doctor ask it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from grafana.queries.__main__ import main as queries
from grafana.queries.dashboard import Answer, answers
from telegraf_cvmfs.net.influxdb import Database
from telegraf_cvmfs.points.schema import FIELDS
from tests.deploy.compose_file import shipped
from tests.grafana.generator.test_alerts import Alerting
from tests.programs import influxdb2_build
from tests.programs.command import run as command
from tests.programs.influxdb import InfluxDB
from tests.programs.influxdb2 import BUCKET, Done, InfluxDB2
from tests.programs.shipped import FOLDER, INTO_INFLUXDB_2, PLUGIN
from tests.programs.telegraf import run

AS_WRITER = [*PLUGIN, "--config", FOLDER / "outputs" / "influxdb-writer.conf"]
LATE = timedelta(seconds=30)
"""After the last run, when dashboards and rules are asked."""


def test_it_is_the_version_of_the_compose_file() -> None:
    assert shipped().services["influxdb"]["image"] == f"influxdb:{influxdb2_build.VERSION}"


def test_it_does_what_the_health_check_of_the_compose_file_asks_for(influxdb2: InfluxDB2) -> None:
    _, *check = shipped().services["influxdb"]["healthcheck"]["test"]
    assert check[-1] == "http://127.0.0.1:8086"
    done = influxdb2.run(*check[:-1], influxdb2.url)
    assert (done.returncode, done.stdout.strip()) == (0, "OK")


def test_the_admins_password_is_changed_as_the_docs_say(influxdb2: InfluxDB2) -> None:
    done = influxdb2.run("influx", "user", "password", "--name", "admin", text="an-administrators\n")
    assert done.returncode == 0
    assert "an-administrators" not in done.stdout + done.stderr
    assert influxdb2.may_sign_in("admin", "an-administrators")
    assert not influxdb2.may_sign_in("admin", influxdb2.variables["DOCKER_INFLUXDB_INIT_PASSWORD"])


# --- Telegraf ---------------------------------------------------------------------------------------


def written_by(database: Database) -> set[str]:
    """The measurements that are there."""
    return {str(row[0]) for one in database.ask("SHOW MEASUREMENTS") for row in one.values}


def test_telegraf_writes_with_the_login_that_may_only_write(
    telegraf: Path, settings: dict[str, str], influxdb2: InfluxDB2
) -> None:
    login = {
        "INFLUXDB_URL": influxdb2.url,
        "INFLUXDB_DATABASE": BUCKET,
        "INFLUXDB_USERNAME": "telegraf",
        "INFLUXDB_PASSWORD": influxdb2.variables["INFLUXDB_TELEGRAF_PASSWORD"],
    }
    finished = run(telegraf, [*AS_WRITER, "--once"], settings | login)
    assert (finished.code, finished.trouble) == (0, [])
    assert written_by(influxdb2.as_user("grafana")) == FIELDS.keys()


def test_telegraf_writes_with_token_organization_and_bucket(
    telegraf: Path, settings: dict[str, str], influxdb2: InfluxDB2
) -> None:
    database = influxdb2.create_database()
    login = {
        "INFLUXDB_URL": influxdb2.url,
        "INFLUXDB_TOKEN": influxdb2.token("write", database.name),
        "INFLUXDB_ORG": "cvmfs",
        "INFLUXDB_BUCKET": database.name,
    }
    finished = run(telegraf, [*INTO_INFLUXDB_2, "--once"], settings | login)
    assert (finished.code, finished.trouble) == (0, [])
    assert written_by(database) == FIELDS.keys()


# --- what Grafana asks ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Both:
    """The same points in InfluxDB 1 and 2, and when the last run was."""

    old: Database
    new: Database
    last: datetime


@pytest.fixture(scope="module")
def both(influxdb: InfluxDB, influxdb2: InfluxDB2) -> Both:
    """Six hours of the demo fleet with all its faults."""
    done = command("demo", "--demo-faults", "--history", "6h", "--state-dir", "none", timeout=300)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    old = influxdb.create_database()
    influxdb.write(old, done.stdout)
    last = max(int(line.rpartition(" ")[2]) for line in lines)
    return Both(
        Database(influxdb.url, old), influxdb2.create_database(*lines), datetime.fromtimestamp(last / 10**9, UTC)
    )


def shown(answer: Answer) -> tuple[Any, ...]:
    """What an answer says, whatever the order of its rows."""
    return (
        answer.dashboard,
        answer.kind,
        answer.panel_title,
        answer.ref_id,
        answer.columns,
        sorted(map(repr, answer.rows)),
    )


def test_the_questions_can_be_asked_with_a_token_that_may_only_read(
    influxdb2: InfluxDB2, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    database = influxdb2.create_database("cvmfs_scrape,fleet=a servers=1i")
    arguments = ["--url", influxdb2.url, "--database", database.name]
    monkeypatch.setenv("INFLUXDB_TOKEN", influxdb2.token("read", database.name))
    assert queries(arguments) == 1  # panels stay empty, as nearly nothing was written
    assert "panel Last run " in capsys.readouterr().out
    monkeypatch.setenv("INFLUXDB_TOKEN", "wrong-token")
    assert queries(arguments) == 2
    said = capsys.readouterr().err
    assert "(401)" in said
    assert "wrong-token" not in said


def test_every_question_of_the_dashboards_has_the_answer_that_influxdb_1_gives(both: Both) -> None:
    old, new = (answers(database, now=both.last + LATE) for database in (both.old, both.new))
    assert [one.panel_title for one in new if not one.good] == []
    assert {one.kind for one in new if one.count} == {"panel", "variable", "annotation"}
    for one, other in zip(old, new, strict=True):
        assert shown(other) == shown(one), one.query


def test_every_alert_rule_fires_as_it_does_with_influxdb_1(both: Both) -> None:
    found = []
    for database in (both.old, both.new):
        login = f"{database.user}:{database.password}@" if database.user else ""
        grafana = Alerting(database.url.replace("://", f"://{login}"), database.name)
        grafana.watch(both.last + LATE - timedelta(hours=2), both.last + LATE)
        found.append(grafana)
    old, new = found
    assert {uid for uid, _ in old.firing} > {"cvmfs-server_down", "cvmfs-root_catalog"}
    assert new.firing == old.firing
    assert sorted(map(repr, new.history)) == sorted(map(repr, old.history))


# --- doctor -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Doctor:
    """Asked about a database, on a machine that has no Telegraf and knows of no Grafana."""

    fleet: Path
    nowhere: Path

    def __call__(self, database: Database, **changed: str) -> Done:
        login = {"INFLUXDB_USERNAME": database.user, "INFLUXDB_PASSWORD": database.password}
        done = command(
            *("doctor", "--config", self.fleet, "--state-dir", "none"),
            *("--telegraf", self.nowhere, "--telegraf-config", self.nowhere),
            env={"GRAFANA_URL": "", "INFLUXDB_URL": database.url, "INFLUXDB_DATABASE": database.name} | login | changed,
        )
        assert database.password not in done.stdout + done.stderr
        assert not done.stderr
        return done


@pytest.fixture
def doctor(fleet: Path, tmp_path: Path) -> Doctor:
    return Doctor(fleet, tmp_path / "nowhere")


@pytest.fixture(scope="module")
def fresh(influxdb2: InfluxDB2) -> Database:
    return influxdb2.create_database(run_at(datetime.now(UTC)))


def run_at(moment: datetime) -> str:
    return f"cvmfs_scrape,fleet=demo servers=4i {int(moment.timestamp() * 1e9)}"


def breaks_at_influxdb(done: Done, *words: str) -> None:
    """One line says what is wrong with InfluxDB, the next what to do."""
    assert done.returncode == 1
    (wrong,) = (part for part in done.stdout.split("\nInfluxDB  ") if part.startswith("wrong:"))
    assert all(word in wrong for word in words), done.stdout
    assert "next: " in wrong


def test_the_doctor_finds_nothing_wrong_where_points_arrive(doctor: Doctor, fresh: Database) -> None:
    done = doctor(fresh)
    assert done.returncode == 0, done.stdout
    for part in (
        f"InfluxDB {influxdb2_build.VERSION} answers at",
        f"the login is right: user '{fresh.user}' may read the database",
        "points arrive: the newest run of the fleet demo",
    ):
        assert f"InfluxDB  ok:         {part}" in done.stdout


def test_the_doctor_takes_a_token_too(doctor: Doctor, fresh: Database, influxdb2: InfluxDB2) -> None:
    done = doctor(fresh, INFLUXDB_USERNAME="", INFLUXDB_PASSWORD="", INFLUXDB_TOKEN=influxdb2.token("read", fresh.name))
    assert done.returncode == 0, done.stdout
    assert "the login is right: this token may read" in done.stdout


def test_to_the_doctor_a_login_that_may_only_write_is_no_fault(doctor: Doctor, influxdb2: InfluxDB2) -> None:
    done = doctor(influxdb2.as_user("telegraf"))
    assert "InfluxDB  ok:         the login is right: user 'telegraf' may write to the database 'cvmfs'" in done.stdout
    assert "InfluxDB  unsure:     user 'telegraf' may write, but not read, as it should be for Telegraf" in done.stdout
    assert "not found" not in done.stdout


def test_the_doctor_finds_a_wrong_password(doctor: Doctor, influxdb2: InfluxDB2) -> None:
    for user in ("grafana", "telegraf"):
        breaks_at_influxdb(doctor(influxdb2.as_user(user, "not-the-password")), "the login is wrong", f"user '{user}'")


def test_the_doctor_asks_nothing_more_where_there_is_no_login(doctor: Doctor, fresh: Database) -> None:
    done = doctor(fresh, INFLUXDB_USERNAME="", INFLUXDB_PASSWORD="")
    assert "InfluxDB  not asked:  it wants a login, and none is given" in done.stdout


def test_the_doctor_finds_a_bucket_that_nobody_made(doctor: Doctor, influxdb2: InfluxDB2) -> None:
    for user in ("grafana", "telegraf"):
        done = doctor(influxdb2.as_user(user), INFLUXDB_DATABASE="nowhere")
        breaks_at_influxdb(done, "no bucket", "'nowhere'", "influx bucket create --name nowhere")


def test_the_doctor_finds_that_nothing_was_written(doctor: Doctor, influxdb2: InfluxDB2) -> None:
    breaks_at_influxdb(doctor(influxdb2.create_database()), "no points of cvmfs_scrape")


def test_the_doctor_finds_that_nothing_is_written_any_more(doctor: Doctor, influxdb2: InfluxDB2) -> None:
    old = influxdb2.create_database(run_at(datetime.now(UTC) - timedelta(hours=3)))
    breaks_at_influxdb(doctor(old), "3h old", "does not write")
