"""CernVM-FS clients' own datagrams, through a real Telegraf into a real InfluxDB, and the dashboard that asks for them."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from grafana.queries.dashboard import FOLDER, answers_of
from telegraf_cvmfs.net.influxdb import Database
from tests.builders.clients import datagram
from tests.programs.influxdb import InfluxDB, Row
from tests.programs.shipped import AGENT, CLIENTS
from tests.programs.shipped import FOLDER as SHIPPED
from tests.programs.telegraf import run

ATLAS, SFT = "atlas.example.org", "sft.example.org"
PATIENCE = 30.0  # seconds until what was sent is there; it takes two


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def listening(telegraf: Path, url: str, database: str, room: Path) -> Iterator[Callable[[bytes], int]]:
    """Telegraf with the shipped files alone, flushing often; `send` gives it a datagram."""
    port, often, log = free_port(), room / "often.conf", room / "log"
    often.write_text('[agent]\n  flush_interval = "300ms"\n')
    settings = {
        "PATH": os.defpath,
        "TELEGRAF_CVMFS_CLIENTS": f"udp4://127.0.0.1:{port}",
        "INFLUXDB_URL": url,
        "INFLUXDB_DATABASE": database,
    }
    files = [AGENT, often, CLIENTS, SHIPPED / "outputs" / "influxdb1.conf"]
    command = [str(telegraf), *(word for file in files for word in ("--config", str(file)))]
    with (
        log.open("wb") as messages,
        subprocess.Popen(command, env=settings, stderr=messages, stdin=subprocess.DEVNULL) as process,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        try:
            until = time.monotonic() + PATIENCE
            while f":{port}" not in log.read_text() and time.monotonic() < until:
                time.sleep(0.05)
            client.connect(("127.0.0.1", port))
            yield client.send
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def sent(telegraf: Path, influxdb: InfluxDB, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """What stratum 1s serve, and what clients with a name, without one, in fault and hostile ones sent."""
    database, now = influxdb.create_database(), time.time_ns()
    influxdb.write(database, "\n".join(_served(now)))
    with listening(telegraf, influxdb.url, database, tmp_path_factory.mktemp("telegraf")) as send:
        for content in _datagrams(now):
            send(content)
        written = Written(influxdb, database, now)
        written.wait()
    return written


class Written:
    """A database after the datagrams have come through."""

    def __init__(self, influxdb: InfluxDB, database: str, now: int) -> None:
        self.influxdb, self.database, self.now = influxdb, database, now

    def rows(self, query: str) -> list[Row]:
        return self.influxdb.query(self.database, query)

    def wait(self) -> None:
        """Until the one that was sent last is there."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and not self.rows("SELECT * FROM cvmfs_client_absolute WHERE host = 'last'"):
            time.sleep(0.1)

    def panel(self, title: str, **variables: str) -> list[Row]:
        """The rows of a panel of the page about clients, for the repository that is chosen."""
        page = answers_of(
            Database(self.influxdb.url, self.database),
            FOLDER / "clients.json",
            now=datetime.fromtimestamp(self.now / 10**9 + 30, UTC),
            variables={"repo": ATLAS} | variables,
        )
        (found,) = (one for one in page if one.panel_title == title)
        return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


def _served(now: int) -> Iterator[str]:
    """ATLAS in revision 20 on the stratum 0, 19 and 17 on two stratum 1s; nobody serves SFT."""
    for role, server, revision in (("stratum0", "zero", 20), ("stratum1", "near", 19), ("stratum1", "far", 17)):
        yield f"cvmfs_repo,fleet=f,role={role},server={server},repo={ATLAS} up=1i,revision={revision}i {now}"
        yield f"cvmfs_server,fleet=f,role={role},server={server} up=1i {now}"
    yield f"cvmfs_scrape,fleet=f servers=3i {now}"


def _datagrams(now: int) -> Iterator[bytes]:
    before = {"catalog_revision": 18, "cache.n_certificate_hits": 4, "fetch.n_downloads": 100}
    after = {"catalog_revision": 19, "cache.n_certificate_hits": 0, "fetch.n_downloads": 130}
    yield datagram(ATLAS, before, when=now - 10**9, tags="host=wn1")  # the first of a mount has no delta
    yield datagram(ATLAS, after, before, when=now, tags="host=wn1")
    yield datagram(ATLAS, {"catalog_revision": 15}, when=now, tags="host=wn2,site=geneva")
    yield datagram(SFT, {"catalog_revision": 7}, when=now, tags="host=wn2,site=geneva")
    yield datagram(ATLAS, {"catalog_revision": 19}, when=now)  # two that do not say who they are
    yield datagram(ATLAS, {"catalog_revision": 18}, when=now)
    yield f"cvmfs_client_absolute,repo={ATLAS} {now}\n".encode()  # all counters 0: no fields, which is no line protocol
    yield f"cvmfs_repo,fleet=f,role=stratum1,server=near,repo={ATLAS} up=0i,revision=1i {now}\n".encode()
    yield b"\x00\xff no line protocol at all\n"
    yield f"cvmfs_client_absolute,repo={ATLAS},host=older catalog_revision=19,catalog_revision=19,a=1 {now}".encode()
    yield datagram(ATLAS, {"catalog_revision": 19}, when=now, tags="host=last")


def test_each_client_is_a_series_with_its_counters_as_floats(sent: Written) -> None:
    _, row = sent.rows("SELECT * FROM cvmfs_client_absolute WHERE host = 'wn1'")
    assert (row["repo"], row["catalog_revision"], row["fetch.n_downloads"]) == (ATLAS, 19, 130)
    assert row["cache.n_certificate_hits"] is None  # 0 is left out
    types = {one["fieldKey"]: one["fieldType"] for one in sent.rows("SHOW FIELD KEYS FROM cvmfs_client_absolute")}
    assert set(types.values()) == {"float"}


def test_the_second_datagram_of_a_mount_says_what_was_gained(sent: Written) -> None:
    (row,) = sent.rows("SELECT * FROM cvmfs_client_delta")
    assert (row["host"], row["catalog_revision"], row["fetch.n_downloads"]) == ("wn1", 1, 30)


def test_clients_that_do_not_say_who_they_are_overwrite_each_other_and_are_called_unnamed(sent: Written) -> None:
    rows = sent.rows("SELECT * FROM cvmfs_client_absolute WHERE host = 'unnamed'")
    assert [row["catalog_revision"] for row in rows] == [18]
    hosts = {row["value"] for row in sent.rows('SHOW TAG VALUES FROM cvmfs_client_absolute WITH KEY = "host"')}
    assert hosts == {"wn1", "wn2", "unnamed", "older", "last"}


def test_nobody_can_send_what_looks_like_a_scrape(sent: Written) -> None:
    rows = sent.rows("SELECT up, revision FROM cvmfs_repo WHERE server = 'near'")
    assert [(row["up"], row["revision"]) for row in rows] == [(1, 19)]


def test_the_page_says_who_is_on_which_revision_and_who_is_behind(sent: Written) -> None:
    rows = sent.panel("Clients of the repository, furthest behind first")
    assert [(row["host"], row["catalog_revision"], row["behind"]) for row in rows][:2] == [
        *(("wn2", 15, 4), ("unnamed", 18, 1)),
    ]
    assert {row["host"]: row["behind"] for row in rows[2:]} == {"wn1": 0, "older": 0, "last": 0}
    assert [row["catalog_revision"] for row in sent.panel("Clients")] == [5]
    assert [row["late"] for row in sent.panel("Clients behind")] == [2]
    assert [row["behind"] for row in sent.panel("Furthest behind")] == [4]


def test_a_client_is_compared_with_the_stratum_1_that_is_chosen(sent: Written) -> None:
    rows = sent.panel("Clients of the repository, furthest behind first", server="far")
    assert {row["host"]: row["behind"] for row in rows} == {"wn2": 2, "unnamed": -1, "wn1": -2, "older": -2, "last": -2}
    assert [row["late"] for row in sent.panel("Clients behind", server="far")] == [1]


def test_each_repository_that_clients_have_is_a_row_with_the_oldest_and_the_newest_revision(sent: Written) -> None:
    rows = {row["repo"]: row for row in sent.panel("Repositories that clients have")}
    of = ("clients", "oldest", "newest", "apart")
    assert {repo: tuple(row[one] for one in of) for repo, row in rows.items()} == {
        ATLAS: (5, 15, 19, 4),
        SFT: (1, 7, 7, 0),
    }


def test_of_a_repository_that_nobody_serves_no_client_is_behind(sent: Written) -> None:
    assert [row["late"] for row in sent.panel("Clients behind", repo=SFT)] == [0]
    assert [row["host"] for row in sent.panel("Clients of the repository, furthest behind first", repo=SFT)] == ["wn2"]


def test_the_file_is_taken_beside_the_others_and_is_not_among_those_that_everybody_reads(telegraf: Path) -> None:
    assert CLIENTS.parent.name != "telegraf.d"
    finished = run(telegraf, ["config", "check", "--config", AGENT, "--config", CLIENTS])
    assert (finished.code, finished.trouble) == (0, [])
