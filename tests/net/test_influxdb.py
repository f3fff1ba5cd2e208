"""What an InfluxDB answers, and what is made of answers that are none."""

from __future__ import annotations

import json

import pytest

from telegraf_cvmfs.net.influxdb import Database, DeniedError, Series, StrangeError, UnreachableError
from tests.builders import hostile

TIMES = {"name": "cvmfs_scrape", "columns": ["time", "servers"], "values": [[1, 5], [2, 6]]}


def asked(body: bytes, status: str = "200 OK") -> tuple[Series, ...]:
    with hostile.Server(hostile.answers(lambda _path: hostile.page(body, status))) as server:
        return Database(server.url, "cvmfs").ask("SHOW DATABASES")


def test_series_come_with_or_without_tags() -> None:
    body = {"results": [{"series": [TIMES, TIMES | {"tags": {"fleet": "demo"}}]}, {"statement_id": 1}]}
    columns, values = ("time", "servers"), ((1, 5), (2, 6))
    assert asked(json.dumps(body).encode()) == (
        Series("cvmfs_scrape", {}, columns, values),
        Series("cvmfs_scrape", {"fleet": "demo"}, columns, values),
    )
    assert asked(b'{"results": [{"statement_id": 0}]}') == ()


@pytest.mark.parametrize(
    "body",
    [
        {"error": "no"},
        {"message": "no"},
        {"results": [{"statement_id": 0}, {"error": "no"}]},
        {"results": [{"series": [TIMES], "error": "no"}]},
    ],
)
def test_what_a_database_denies_is_told_in_its_words(body: dict[str, object]) -> None:
    with pytest.raises(DeniedError, match="^no$") as caught:
        asked(json.dumps(body).encode(), "401 Unauthorized")
    assert caught.value.status == 401


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"<html>", b"[]", b"3", b"[" * 100_000),
        *(b'{"results": 3}', b'{"results": [3]}', b'{"results": [{"series": 3}]}', b'{"results": [{"series": null}]}'),
        *(b'{"results": [{"series": [3]}]}', b'{"results": [{"series": [{"name": "a", "columns": ["time"]}]}]}'),
        b'{"results": [{"series": [{"columns": ["time"], "values": [3]}]}]}',
    ],
    ids=range(12),
)
def test_an_answer_that_is_none_of_an_influxdb_is_one_error(body: bytes) -> None:
    with pytest.raises(StrangeError, match="HTTP status 200 and no JSON of an InfluxDB"):
        asked(body)


def test_a_login_that_the_database_repeats_is_not_shown() -> None:
    body = json.dumps({"error": "no user reader with hunter2hunter2, sent as cmVhZGVyOmh1bnRlcjJodW50ZXIy"}).encode()
    with hostile.Server(hostile.answers(lambda _path: hostile.page(body, "401 Unauthorized"))) as server:
        database = Database(server.url, "cvmfs", "reader", "hunter2hunter2")
        with pytest.raises(DeniedError, match=r"^no user reader with \*\*\*, sent as \*\*\*$"):
            database.ask("SHOW DATABASES")


def test_a_password_in_a_statement_that_the_database_quotes_is_not_shown() -> None:
    statement = "CREATE USER reader WITH PASSWORD 'correct-horse-battery'"
    body = json.dumps({"error": f"error parsing query: found {statement}"}).encode()
    with (
        hostile.Server(hostile.answers(lambda _path: hostile.page(body, "400 Bad Request"))) as server,
        pytest.raises(DeniedError, match=r"WITH PASSWORD '\*\*\*'$"),
    ):
        Database(server.url, "").ask(statement, secret=True)


def test_nobody_there_is_told() -> None:
    with hostile.refuses() as url, pytest.raises(UnreachableError, match="refused"):
        Database(url, "cvmfs").ask("SHOW DATABASES")
