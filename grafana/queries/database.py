"""An InfluxDB that is asked over HTTP: a query in, series out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import requests

from grafana.queries.interpolation import QueryError

LARGEST = 64 * 1024 * 1024  # bytes of one answer
PATIENCE = 30.0  # seconds

Value = int | float | str | bool | None


@dataclass(frozen=True)
class Series:
    """One series of an answer; times are Unix milliseconds."""

    name: str
    tags: Mapping[str, str]
    columns: tuple[str, ...]
    values: tuple[tuple[Value, ...], ...]


@dataclass(frozen=True)
class Database:
    """Where to ask: the URL of an InfluxDB, a database (or bucket) there, and who may read it."""

    url: str
    name: str
    user: str = ""
    password: str = field(default="", repr=False)

    def ask(self, influxql: str) -> tuple[Series, ...]:
        """The series that a query gives; a QueryError says what was wrong."""
        asked = {"db": self.name, "q": influxql, "epoch": "ms"}
        login = (self.user, self.password) if self.user else None
        try:
            url = f"{self.url.rstrip('/')}/query"
            with requests.Session() as session:
                session.trust_env = False  # a proxy of the environment would get the login
                with session.get(url, params=asked, auth=login, timeout=PATIENCE, stream=True) as answer:
                    body = _body(answer)
        except (requests.RequestException, OSError) as why:
            raise QueryError(f"InfluxDB at {self.url} does not answer: {type(why).__name__}") from why
        return _series(body, answer.status_code, influxql)


def _body(answer: requests.Response) -> bytes:
    body = b""
    for part in answer.iter_content(1 << 16):
        body += part
        if len(body) > LARGEST:
            raise QueryError(f"an answer of InfluxDB is larger than {LARGEST} bytes")
    return body


def _series(body: bytes, status: int, query: str) -> tuple[Series, ...]:
    try:
        answer = json.loads(body)
        result = answer.get("results", [{}])[0]
    except (ValueError, AttributeError, IndexError, TypeError) as why:
        raise QueryError(f"InfluxDB answered {status} and no JSON, to: {query}") from why
    if error := answer.get("error") or answer.get("message") or result.get("error"):
        raise QueryError(f"InfluxDB says {error!r} ({status}), to: {query}")
    return tuple(
        Series(one.get("name", ""), one.get("tags", {}), tuple(one["columns"]), tuple(map(tuple, one["values"])))
        for one in result.get("series", ())
    )
