"""Every question of the dashboards, asked of a real InfluxDB that a real Telegraf filled from the demo fleet."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from grafana.queries.__main__ import main as queries
from grafana.queries.dashboard import FOLDER, Answer, answers
from telegraf_cvmfs.demo import DemoFleet
from telegraf_cvmfs.model import SEVERITY, Health, Signature
from telegraf_cvmfs.net.influxdb import Database
from tests.builders.clients import datagram
from tests.programs.influxdb import InfluxDB
from tests.programs.shipped import INTO_INFLUXDB_1
from tests.programs.telegraf import run

Rows = list[dict[str, Any]]

DATA, SOFTWARE, CONTAINERS, CONDITIONS, NIGHTLIES, CONFIG = (
    f"{name}.demo.example" for name in ("data", "software", "containers", "conditions", "nightlies", "config")
)
WRONG_REPLICAS = "Replicas with a finding, worst first"
WRONG_SERVERS = "Servers that are not ok, worst first"

EMPTY_IN_THE_DEMO = {
    ("cvmfs-freshness", "Through caches"),  # no cache, no proxy
    ("cvmfs-server", "Age of its places"),  # the first server is the stratum 0, which has no database of places
    ("cvmfs-server", "Age of its places over time"),
    ("cvmfs-server", "Replicas that were not ok"),  # all of the stratum 0 are
}


@dataclass(frozen=True)
class Filled:
    """A database after a run, and everything that the dashboards ask, as seen at some moment."""

    database: Database
    scraped: datetime

    def ask(self, after: timedelta = timedelta(seconds=30), **variables: str | list[str]) -> Asked:
        return Asked(answers(self.database, variables=variables, now=self.scraped + after))


@dataclass(frozen=True)
class Asked:
    answers: list[Answer]

    def one(self, page: str, title: str) -> Answer:
        (found,) = (one for one in self.answers if (one.dashboard, one.panel_title) == (f"cvmfs-{page}", title))
        return found

    def rows(self, page: str, title: str) -> Rows:
        answer = self.one(page, title)
        return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]

    def number(self, page: str, title: str) -> Any:
        (row,) = self.rows(page, title)
        (value,) = (value for name, value in row.items() if name != "time")
        return value


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The demo fleet's file, with the server that has every fault."""
    with DemoFleet(now=datetime.now(UTC), faults=True) as demo:
        yield demo.write(tmp_path_factory.mktemp("fleet"))


@pytest.fixture(scope="module")
def filled(telegraf: Path, influxdb: InfluxDB, new_settings: Callable[[], dict[str, str]]) -> Filled:
    settings = new_settings()
    finished = run(telegraf, [*INTO_INFLUXDB_1, "--once"], settings)
    assert (finished.code, finished.trouble) == (0, [])
    name = settings["INFLUXDB_DATABASE"]
    influxdb.write(name, _clients(datetime.now(UTC)))
    (last,) = influxdb.query(name, "SELECT last(servers) FROM cvmfs_scrape")
    return Filled(Database(influxdb.url, name), datetime.fromtimestamp(last["time"] / 10**9, UTC))


def _clients(now: datetime) -> str:
    """Three clients that have mounted each repository; the integration test sends such by UDP."""
    sent = [
        datagram(repo, {"catalog_revision": 1 + n}, when=_ns(now - timedelta(minutes=1)), tags=f"host=client{n}")
        for repo in (DATA, SOFTWARE, CONTAINERS, CONDITIONS, NIGHTLIES, CONFIG)
        for n in range(3)
    ]
    return b"".join(sent).decode()


@pytest.fixture(scope="module")
def asked(filled: Filled) -> Asked:
    return filled.ask()


# --- everything answers -----------------------------------------------------------------------------------


def test_every_panel_and_variable_answers_but_for_those_that_the_demo_has_nothing_for(asked: Asked) -> None:
    empty = {(answer.dashboard, answer.panel_title) for answer in asked.answers if not answer.count}
    assert empty == EMPTY_IN_THE_DEMO
    assert all(answer.good for answer in asked.answers)
    assert len({answer.dashboard for answer in asked.answers}) == 8


@pytest.mark.parametrize("server", ["stratum0", "stratum1-healthy", "stratum1-lagging", "stratum1-faulty"])
def test_the_page_of_each_server_that_is_up_answers(filled: Filled, server: str) -> None:
    asked = filled.ask(server=server)
    assert not [one.panel_title for one in asked.answers if one.dashboard == "cvmfs-server" and not one.good]
    assert asked.number("server", "Health") == (2 if server == "stratum1-lagging" else 0)


def test_the_program_says_for_each_panel_how_many_rows_it_has(
    filled: Filled, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INFLUXDB_URL", filled.database.url)
    monkeypatch.setenv("INFLUXDB_DATABASE", filled.database.name)
    assert queries([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in lines if "panel Servers now " in line] == ["5"]
    assert lines[-1] == f"{len(lines) - 1} questions, 0 without an answer"


def test_a_dashboard_as_a_newer_grafana_saves_it_is_read_too(filled: Filled, tmp_path: Path) -> None:
    page = json.loads((FOLDER / "trust.json").read_text())
    for variable in page["templating"]["list"]:
        if variable["type"] == "query":
            variable["query"] = {"query": variable["query"], "refId": "x"}
    row = {"type": "row", "id": 999, "title": "folded", "collapsed": True, "panels": page["panels"]}
    (tmp_path / "trust.json").write_text(json.dumps(page | {"panels": [row]}))
    saved = Asked(answers(filled.database, tmp_path, now=filled.scraped + timedelta(seconds=30)))
    assert [one.count for one in saved.answers] == [
        one.count for one in filled.ask().answers if one.dashboard == "cvmfs-trust"
    ]


def test_an_empty_database_is_no_success(influxdb: InfluxDB, capsys: pytest.CaptureFixture[str]) -> None:
    assert queries(["--url", influxdb.url, "--database", influxdb.create_database()]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in lines if "panel Servers now " in line] == ["EMPTY"]


def test_a_database_that_is_not_there_is_one_sentence(influxdb: InfluxDB, capsys: pytest.CaptureFixture[str]) -> None:
    assert queries(["--url", influxdb.url, "--database", "nowhere"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "database not found: nowhere" in line


# --- with the right rows ------------------------------------------------------------------------------------


def test_home_counts_what_is_wrong(asked: Asked) -> None:
    counted = {
        title: asked.number("home", title)
        for title in (
            *("Silent scrapers", "Servers down", "Replicas critical", "Replicas warned of", "Replicas unknown"),
        )
    }
    assert counted == {
        "Silent scrapers": 0,
        "Servers down": 1,
        "Replicas critical": 8,
        "Replicas warned of": 1,
        "Replicas unknown": 2,
    }


@pytest.mark.parametrize("page", ["home", "fleet"])
def test_what_is_wrong_is_listed_worst_first_and_nothing_else(asked: Asked, page: str) -> None:
    rows = asked.rows(page, WRONG_REPLICAS)
    assert [row["severity"] for row in rows] == [3] * 8 + [2] + [1] * 2
    assert {row["server"] for row in rows} == {"stratum1-faulty", "stratum1-lagging", "stratum1-down"}
    assert {(row["repo"], row["finding"]) for row in rows if row["server"] == "stratum1-faulty"} == {
        (NIGHTLIES, "whitelist"),
        (CONDITIONS, "signature"),
        (CONTAINERS, "root_catalog"),
        (CONFIG, "root_catalog"),
        (DATA, "root_catalog"),
        (SOFTWARE, "diverged"),
    }
    servers = asked.rows(page, WRONG_SERVERS)
    assert {(row["server"], row["finding"], row["status_severity"], row["replicas_critical"]) for row in servers} == {
        ("stratum1-down", "server_down", 3, 0),
        ("stratum1-lagging", "geodb_old", 3, 2),
        ("stratum1-faulty", None, 3, 6),
    }
    repositories = asked.rows(page, "Repositories that too few serve, worst first")
    assert {(row["repo"], row["replicas_ok"], row["replicas"], row["severity"]) for row in repositories} == {
        *((SOFTWARE, 1, 4, 2), (DATA, 1, 4, 2), (CONFIG, 1, 2, 2), (CONTAINERS, 1, 2, 2)),
    }


@pytest.mark.parametrize("page", ["home", "fleet"])
def test_what_is_under_maintenance_is_listed_with_its_reason_and_end(asked: Asked, page: str) -> None:
    (row,) = asked.rows(page, "Under maintenance")
    assert (row["repo"], row["server"]) == (CONTAINERS, "stratum1-lagging")
    assert re.match(r"maintenance until \d{4}-\d\d-\d\d \d\d:\d\d UTC: new disks; ", row["problem"])


def test_a_server_under_maintenance_is_that_on_every_page_and_nothing_else(influxdb: InfluxDB) -> None:
    name, now = influxdb.create_database(), datetime.now(UTC)
    tags, repo = "fleet=f,role=stratum1,server=s", "repo=r.tld"
    said = 'severity=3i,maintenance=1i,problem="maintenance until then: new disks; it is down"'
    lines = [
        f"cvmfs_server,{tags} up=0i,status_severity=0i,{said}",
        *(f"cvmfs_repo,{tags},{repo},alias={n} up=0i,{said}" for n in "ab"),
        f"cvmfs_repository,fleet=f,{repo} replicas=0i,replicas_ok=0i,maintenance=1i",
    ]
    influxdb.write(name, "\n".join(lines))
    asked = Asked(answers(Database(influxdb.url, name), now=now + timedelta(seconds=30)))
    for page, title in (("server", "Status"), ("server", "Health"), ("repository", "For its users")):
        assert asked.number(page, title) == -1
    assert [row["severity"] for row in asked.rows("fleet", "Every repository on every server")] == [-1]
    assert len(asked.rows("home", "Under maintenance")) == 3
    for title in (WRONG_SERVERS, WRONG_REPLICAS, "Repositories that too few serve, worst first"):
        assert asked.rows("home", title) == []


def test_home_begins_with_who_serves_how_many_repositories(asked: Asked) -> None:
    (row,) = asked.rows("home", "What users feel")
    assert row["served"] == "0 of 6 repositories served by all, 2 by 2 of 3, 2 by 1 of 4, 2 by 1 of 2"
    assert next(one.panel_title for one in asked.answers if (one.dashboard, one.kind) == ("cvmfs-home", "panel")) == (
        "What users feel"
    )


def test_every_server_is_listed_as_it_is(asked: Asked) -> None:
    rows = asked.rows("fleet", "Servers now")
    assert [row["status_severity"] for row in rows] == [3, 3, 3, 0, 0]
    assert {row["server"]: row["severity"] for row in rows if row["severity"]} == {
        "stratum1-down": 3,
        "stratum1-lagging": 2,
    }
    assert {row["server"]: (row["up"], row["result"], row["role"]) for row in rows} == {
        "stratum0": (1, "ok", "stratum0"),
        "stratum1-healthy": (1, "ok", "stratum1"),
        "stratum1-lagging": (1, "ok", "stratum1"),
        "stratum1-faulty": (1, "ok", "stratum1"),
        "stratum1-down": (0, "connection_failed", "stratum1"),
    }


def test_a_replica_lags_by_what_the_demo_says(asked: Asked) -> None:
    rows = {(row["repo"], row["server"]): row for row in asked.rows("freshness", "Lag now, longest first")}
    hours = {key: round(row["lag"] / 3600, 1) for key, row in rows.items() if row["lag"]}
    assert hours == {
        (DATA, "stratum1-lagging"): 33,
        (CONTAINERS, "stratum1-lagging"): 12,
        (SOFTWARE, "stratum1-lagging"): 2,
        (NIGHTLIES, "stratum1-lagging"): 0.7,
    }
    assert [row["revisions_behind"] for row in rows.values()][:4] == [2, 1, 3, 2]
    lags = [row["lag"] for row in rows.values()]
    assert lags == sorted(lags, reverse=True)
    assert rows[DATA, "stratum1-healthy"]["lag"] == 0


def test_the_whitelist_that_ended_is_first_and_the_others_follow_by_time_left(asked: Asked) -> None:
    rows = asked.rows("trust", "Whitelists, soonest end first")
    left = [row["whitelist_expires_in"] for row in rows]
    assert (rows[0]["repo"], rows[0]["server"], rows[0]["signature"]) == (
        *(NIGHTLIES, "stratum1-faulty"),
        "whitelist_expired",
    )
    assert round(left[0] / 86400) == -4
    assert left == sorted(left)
    assert left[1] > 20 * 86400


def test_broken_trust_is_listed_with_its_codes_and_nothing_else(asked: Asked) -> None:
    signatures = asked.rows("trust", "Signatures that are not ok")
    catalogs = asked.rows("trust", "Root catalogs that are not ok")
    diverged = asked.rows("trust", "Diverged replicas")
    assert {(row["repo"], row["signature"]) for row in signatures} == {
        (NIGHTLIES, "whitelist_expired"),
        (CONDITIONS, "certificate_not_listed"),
    }
    assert {(row["repo"], row["root_catalog"]) for row in catalogs} == {
        (CONTAINERS, "missing"),
        (CONFIG, "empty"),
        (DATA, "corrupt"),
    }
    assert [(row["repo"], row["server"]) for row in diverged] == [(SOFTWARE, "stratum1-faulty")]
    assert {row["server"] for row in [*signatures, *catalogs]} == {"stratum1-faulty"}


def test_failed_checks_and_running_snapshots_are_listed_and_no_others(asked: Asked) -> None:
    checks = asked.rows("freshness", "Failed checks")
    running = asked.rows("freshness", "Snapshots that run now")
    assert [(row["repo"], row["server"], row["check_ok"]) for row in checks] == [(CONDITIONS, "stratum1-lagging", 0)]
    assert [(row["repo"], row["server"]) for row in running] == [(NIGHTLIES, "stratum1-lagging")]


def test_the_counts_of_findings_are_those_of_the_demo(asked: Asked) -> None:
    trust = ("Whitelists", "Signatures refused", "Root catalogs broken", "Diverged")
    fresh = ("Lagging", "Old snapshots", "Stuck snapshots", "Checks failed", "Old collections", "GeoAPIs down")
    assert [asked.number("trust", title) for title in trust] == [1, 1, 3, 1]
    assert [asked.number("freshness", title) for title in fresh] == [1, 2, 0, 1, 0, 0]


def test_the_matrix_has_all_findings_of_a_replica_not_only_the_worst(asked: Asked) -> None:
    rows = {(row["repo"], row["server"]): row for row in asked.rows("fleet", "All findings of replicas")}

    def found(repo: str, server: str) -> dict[str, int]:
        tags = ("time", "repo", "server", "address", "alias", "fleet")
        return {name: value for name, value in rows[repo, server].items() if name not in tags and value}

    assert found(DATA, "stratum1-lagging") == {"snapshot_old": Health.CRITICAL, "lagging": Health.CRITICAL}
    assert (CONTAINERS, "stratum1-lagging") not in rows  # under maintenance
    assert found(DATA, "stratum1-down") == {"manifest": Health.UNKNOWN}
    assert len(rows) == 11
    (down, lagging) = asked.rows("fleet", "All findings of servers")
    assert (down["server"], down["server_down"], lagging["server"], lagging["geodb_old"]) == (
        *("stratum1-down", Health.CRITICAL),
        *("stratum1-lagging", Health.WARNING),
    )


def test_the_health_of_every_repository_on_every_server_is_one_cell(asked: Asked) -> None:
    cells = {
        (row["repo"], row["server"]): row["severity"] for row in asked.rows("fleet", "Every repository on every server")
    }
    assert len(cells) == 25  # 26 replicas without the one that is passed through
    assert cells[DATA, "stratum0"] == SEVERITY.index(Health.OK)
    assert cells[DATA, "stratum1-lagging"] == cells[DATA, "stratum1-faulty"] == SEVERITY.index(Health.CRITICAL)
    assert cells[CONTAINERS, "stratum1-lagging"] == -1  # under maintenance
    assert cells[DATA, "stratum1-down"] == SEVERITY.index(Health.UNKNOWN)


def test_of_several_paths_to_one_repository_the_matrix_shows_the_worst(influxdb: InfluxDB) -> None:
    name, now = influxdb.create_database(), datetime.now(UTC)
    line = "cvmfs_repo,fleet=f,role=stratum1,server=s,repo=r.tld{} up=1i,severity={}i,maintenance=0i"
    influxdb.write(name, "\n".join(line.format(*each) for each in (("", 1), (",alias=a", 3), (",alias=b", 0))))
    asked = Asked(answers(Database(influxdb.url, name), now=now + timedelta(seconds=30)))
    (cell,) = asked.rows("fleet", "Every repository on every server")
    assert (cell["repo"], cell["server"], cell["severity"]) == ("r.tld", "s", 3)


def test_trust_that_could_not_be_judged_is_not_listed_as_broken(influxdb: InfluxDB) -> None:
    name, now = influxdb.create_database(), datetime.now(UTC)
    unknown = ("no_key", "unsupported", "not_checked")
    lines = [
        f'cvmfs_repo,fleet=f,role=stratum1,server=s,repo={one.slug} up=1i,severity=1i,signature="{one.slug}",'
        f'signature_code={one.code}i,root_catalog="not_checked",root_catalog_code=9i'
        + (f",signature_ok={int(one.ok)}i" if one.ok is not None else "")
        for one in Signature
    ]
    influxdb.write(name, "\n".join(lines))
    asked = Asked(answers(Database(influxdb.url, name), now=now + timedelta(seconds=30)))
    for title in ("Signatures that are not ok", "Signatures that were not ok"):
        found = {row["repo"] for row in asked.rows("trust", title)}
        assert found == {one.slug for one in Signature} - {"ok", *unknown}
    for title in ("Root catalogs that are not ok", "Root catalogs that were not ok"):
        assert asked.rows("trust", title) == []


def test_the_page_of_a_repository_has_each_replica_and_its_publications(filled: Filled) -> None:
    asked = filled.ask(repo=SOFTWARE)
    rows = {row["server"]: row for row in asked.rows("repository", "Its replicas now, worst first")}
    newest = asked.number("repository", "Newest revision")
    assert {server: row["revision"] for server, row in rows.items()} == {
        "stratum0": newest,
        "stratum1-healthy": newest,
        "stratum1-faulty": newest,
        "stratum1-lagging": newest - 3,
        "stratum1-down": None,
    }
    assert rows["stratum1-faulty"]["root_hash"] != rows["stratum0"]["root_hash"]
    (published,) = asked.rows("repository", "Published in this time range")
    (event,) = [dict(zip(one.columns, one.rows[0], strict=True)) for one in asked.answers if one.kind == "annotation"]
    hours = (filled.scraped.timestamp() - published["time"] / 1000) / 3600
    assert published["revision"] == event["revision"] == newest
    assert event["time"] == published["time"]
    assert round(hours, 1) == 2


def test_a_revision_that_is_not_believed_is_not_the_newest_on_the_page_of_its_repository(influxdb: InfluxDB) -> None:
    name, case = influxdb.create_database(), Path("tests/testcases/lone-claims")
    influxdb.write(name, (case / "expected.out").read_text())
    now = datetime.fromisoformat((case / "now").read_text().strip())
    asked = Asked(
        answers(
            Database(influxdb.url, name),
            variables={"fleet": "eessi", "repo": "newer.example.org"},
            now=now + timedelta(seconds=30),
        )
    )
    assert max(row["revision"] for row in asked.rows("repository", "Its replicas now, worst first")) == 999999
    assert asked.number("repository", "Newest revision") == 6
    assert asked.number("repository", "Published") == 3 * 86400


def test_only_the_chosen_fleets_servers_and_repositories_are_asked_about(filled: Filled) -> None:
    asked = filled.ask(server=["stratum1-faulty"], repo=[DATA, CONFIG])
    rows = asked.rows("trust", "Whitelists, soonest end first")
    assert {(row["repo"], row["server"]) for row in rows} == {(DATA, "stratum1-faulty"), (CONFIG, "stratum1-faulty")}
    assert filled.ask(fleet="another").one("fleet", "Servers now").rows == ()


# --- a scraper that stopped ---------------------------------------------------------------------------------


@pytest.mark.parametrize("later", [timedelta(hours=1), timedelta(days=3)])
def test_old_data_are_no_health(filled: Filled, later: timedelta) -> None:
    asked = filled.ask(after=later)
    for page in ("home", "trust", "freshness"):
        numbers = [one for one in asked.answers if one.dashboard == f"cvmfs-{page}" and 'AS "found"' in one.query]
        assert all(one.rows == () for one in numbers)
    for title in ("Servers down", "Replicas critical", "Replicas warned of", "Replicas unknown", WRONG_SERVERS):
        assert asked.one("home", title).rows == ()
    for title in ("Servers now", "All findings of replicas", WRONG_REPLICAS):
        assert asked.one("fleet", title).rows == ()
    assert asked.number("home", "Silent scrapers") == 1
    (last,) = asked.rows("home", "Last run")
    assert last["time"] == filled.scraped.timestamp() * 1000


def test_how_old_data_may_be_to_count_as_now_is_chosen(filled: Filled) -> None:
    asked = filled.ask(after=timedelta(minutes=50), fresh="1h")
    assert asked.number("home", "Silent scrapers") == 0
    assert len(asked.rows("fleet", "Servers now")) == 5


def test_last_night_can_be_looked_at(filled: Filled) -> None:
    """The end of the time range is now, not the clock."""
    assert filled.ask(after=timedelta(seconds=-30)).one("fleet", "Servers now").rows == ()
    assert len(filled.ask(after=timedelta(minutes=10)).rows("fleet", "Servers now")) == 5


# --- several fleets, addresses, aliases, what is gone ---------------------------------------------------------


@pytest.fixture(scope="module")
def two_fleets(program: Path, fleet: Path, influxdb: InfluxDB, tmp_path_factory: pytest.TempPathFactory) -> Filled:
    """What the program prints of the demo, and the same of a fleet `other` whose servers are scraped by address."""
    home = {"HOME": str(tmp_path_factory.mktemp("home"))}
    printed = subprocess.run([program, "--config", fleet], check=True, capture_output=True, text=True, env=home).stdout
    other = [
        line.replace("fleet=demo", "fleet=other").replace(
            ",server=stratum1-healthy ", f",server=stratum1-healthy,address=10.0.0.{n} "
        )
        for line in printed.splitlines()
        if "stratum1-healthy" in line or line.startswith("cvmfs_scrape")
        for n in ((1, 2) if "stratum1-healthy" in line else (0,))
    ]
    database = influxdb.create_database()
    influxdb.write(database, printed + "\n".join(other))
    (last,) = influxdb.query(database, "SELECT last(servers) FROM cvmfs_scrape")
    return Filled(Database(influxdb.url, database), datetime.fromtimestamp(last["time"] / 10**9, UTC))


def test_two_fleets_are_counted_together_or_by_themselves(two_fleets: Filled) -> None:
    both, one = two_fleets.ask(), two_fleets.ask(fleet="demo")
    assert [row["distinct"] for row in both.rows("server", "fleet")] == ["demo", "other"]
    assert both.number("home", "Replicas critical") == 2 * one.number("home", "Replicas critical") == 16
    assert len(both.rows("fleet", "Servers now")) == 7
    assert len(one.rows("fleet", "Servers now")) == 5
    assert [row["fleet"] for row in both.rows("fleet", "Last run of each fleet")] == ["demo", "other"]


def test_each_address_of_a_server_is_a_row_and_a_curve_of_its_own(two_fleets: Filled) -> None:
    asked = two_fleets.ask(server="stratum1-healthy")
    rows = [(row["fleet"], row["address"]) for row in asked.rows("server", "State now")]
    curves = asked.one("server", "Time to the first answer").series
    assert sorted(rows) == [("demo", ""), ("other", "10.0.0.1"), ("other", "10.0.0.2")]
    assert [(one.tags["fleet"], one.tags["address"]) for one in curves] == sorted(rows)


def test_an_alias_is_shown_where_there_is_one(two_fleets: Filled) -> None:
    rows = two_fleets.ask(server="stratum1-healthy", fleet="demo").rows("server", "Its replicas now, worst first")
    assert {row["repo"]: row["alias"] for row in rows if row["alias"]} == {CONTAINERS: "containers"}
    assert len(rows) == 6


def test_one_silent_fleet_of_two_is_counted(influxdb: InfluxDB) -> None:
    now = datetime.now(UTC)
    database = influxdb.create_database()
    ago = {"one": 1, "two": 120}
    influxdb.write(
        database,
        "\n".join(
            f"cvmfs_scrape,fleet={name} servers=1i,servers_up=1i {_ns(now - timedelta(minutes=minutes))}"
            for name, minutes in ago.items()
        ),
    )
    asked = Asked(answers(Database(influxdb.url, database), now=now))
    assert asked.number("home", "Silent scrapers") == 1
    assert [row["fleet"] for row in asked.rows("fleet", "Last run of each fleet")] == ["two", "one"]


def test_a_finding_that_is_gone_is_not_shown_beside_the_health_of_today(influxdb: InfluxDB) -> None:
    now = datetime.now(UTC)
    database = influxdb.create_database()
    tags = "cvmfs_repo,fleet=f,role=stratum1,server=s,repo=r.example"
    influxdb.write(
        database,
        f'{tags} up=1i,health=2i,severity=3i,finding="lagging",problem="x" {_ns(now - timedelta(minutes=6))}\n'
        f"{tags} up=1i,health=0i,severity=0i {_ns(now - timedelta(minutes=1))}",
    )
    asked = Asked(answers(Database(influxdb.url, database), now=now, variables={"server": "s", "repo": "r.example"}))
    (row,) = asked.rows("repository", "Its replicas now, worst first")
    assert (row["severity"], row["finding"], row["problem"]) == (0, None, None)
    assert asked.one("home", WRONG_REPLICAS).rows == ()


def test_what_is_cut_from_a_long_list_is_its_harmless_end(influxdb: InfluxDB) -> None:
    now = datetime.now(UTC)
    database = influxdb.create_database()
    influxdb.write(
        database,
        "\n".join(
            f"cvmfs_repo,fleet=f,role=stratum1,server=s,repo=r{n:03} up=1i,severity={3 if n > 247 else 2}i,maintenance=0i,"
            f"whitelist_expires_in={10**6 - n}i,lag={n}i,snapshot_age={n}i {_ns(now - timedelta(minutes=1))}"
            for n in range(250)
        ),
    )
    asked = Asked(answers(Database(influxdb.url, database), now=now))
    wrong = asked.rows("home", WRONG_REPLICAS)
    assert ([row["severity"] for row in wrong[:3]], len(wrong)) == ([3, 3, 2], 100)
    for page, title in (
        ("trust", "Whitelists, soonest end first"),
        ("freshness", "Lag now, longest first"),
        ("freshness", "Snapshots, checks and collections, oldest snapshot first"),
    ):
        assert [row["repo"] for row in asked.rows(page, title)] == [f"r{n:03}" for n in range(249, 49, -1)], title


def test_a_target_that_was_removed_long_ago_is_not_offered(influxdb: InfluxDB) -> None:
    now = datetime.now(UTC)
    database = influxdb.create_database()
    ago = {"there": timedelta(minutes=1), "last-week": timedelta(days=6), "long-gone": timedelta(days=20)}
    influxdb.write(
        database,
        "\n".join(
            f"cvmfs_server,fleet=f,role=stratum1,server={name} up=1i {_ns(now - old)}" for name, old in ago.items()
        )
        + f"\ncvmfs_scrape,fleet=f servers=1i {_ns(now)}",
    )
    asked = Asked(answers(Database(influxdb.url, database), now=now))
    assert [row["distinct"] for row in asked.rows("trust", "server")] == ["last-week", "there"]


def _ns(moment: datetime) -> int:
    return int(moment.timestamp() * 10**9)
