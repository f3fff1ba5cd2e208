"""A Prometheus that is asked in PromQL over its HTTP API; answers are series, as those of an InfluxDB."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from grafana.queries.interpolation import QueryError
from telegraf_cvmfs.model import FetchError
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.net.influxdb import LARGEST, PATIENCE, Series
from telegraf_cvmfs.net.question import Question, Reply, basic
from telegraf_cvmfs.net.web import Web

_LABEL_VALUES = re.compile(r"label_values\((?P<series>.*), *(?P<label>\w+)\)", re.DOTALL)


@dataclass(frozen=True)
class Prometheus:
    """Where to ask: the URL of a Prometheus, and who asks, if it wants to know."""

    url: str
    user: str = ""
    password: str = field(default="", repr=False)

    def at(self, promql: str, moment: datetime) -> tuple[Series, ...]:
        """What a query gives at a moment; a QueryError says why there is no answer."""
        data = self._data("query", {"query": promql, "time": moment.timestamp()}, promql)
        return tuple(_series(one["metric"], [one["value"]]) for one in data["result"])

    def over(self, promql: str, start: datetime, end: datetime, step: timedelta) -> tuple[Series, ...]:
        """The same at every step of a time range, whose moments are multiples of the step, as Grafana's."""
        size = step.total_seconds()
        first, last = (moment.timestamp() // size * size for moment in (start, end))
        asked = {"query": promql, "start": first, "end": last, "step": size}
        return tuple(
            _series(one["metric"], one["values"]) for one in self._data("query_range", asked, promql)["result"]
        )

    def label_values(self, text: str, start: datetime, end: datetime) -> tuple[Series, ...]:
        """The values of `label_values(series, label)` in a time range, as one column."""
        if (found := _LABEL_VALUES.fullmatch(text)) is None:
            raise QueryError(f"{text!r} is no label_values(series, label)")
        asked = {"match[]": found["series"], "start": start.timestamp(), "end": end.timestamp()}
        values: list[str] = self._data(f"label/{quote(found['label'])}/values", asked, text)
        rows = tuple((int(end.timestamp() * 1000), value) for value in values)
        return (Series("", {}, ("time", found["label"]), rows),) if rows else ()

    def _data(self, path: str, asked: Mapping[str, Any], text: str) -> Any:  # noqa: ANN401  # JSON, as it is asked
        login = {"Authorization": basic(self.user, self.password)} if self.user else {}
        url = f"{self.url.rstrip('/')}/api/v1/{path}?{urlencode(asked)}"
        try:
            reply = Web(Deadline(PATIENCE), PATIENCE, LARGEST).ask(Question(url, login))
        except FetchError as why:
            raise QueryError(f"Prometheus at {self.url} does not answer: {why}") from why
        return _data(reply, text)


def _data(reply: Reply, text: str) -> Any:  # noqa: ANN401
    answer = reply.json()
    if not isinstance(answer, dict) or answer.get("status") not in ("success", "error"):
        raise QueryError(f"what answered {reply.status} is no Prometheus, to: {text}")
    if answer["status"] == "error":
        said = reply.without_secrets(str(answer.get("error", "")))
        raise QueryError(f"Prometheus says {said!r} ({reply.status}), to: {text}")
    return answer["data"]


def _series(labels: Mapping[str, str], values: list[tuple[float, str]]) -> Series:
    named = {name: value for name, value in labels.items() if name != "__name__"}
    rows = tuple((int(moment * 1000), float(value)) for moment, value in values)
    return Series(labels.get("__name__", ""), named, ("time", "Value"), rows)
