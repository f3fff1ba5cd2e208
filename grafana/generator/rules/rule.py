"""One alert rule, and how Grafana's provisioning spells it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from grafana.generator.rules.words import MINUTE, PATIENCE, SUMMARIES, Patience, description

DATASOURCE = "influxdb"
EXPRESSION = "__expr__"
"""The uid by which Grafana knows its own expressions."""

Object = dict[str, Any]


@dataclass(frozen=True)
class Rule:
    """What fires when.

    `query` is InfluxQL with `$timeFilter`. It gives one series for each thing that can be wrong, which `tags` tell
    apart, and the rule fires where its last value is `value`. `window` is how far it looks back. `alerts_on_nothing` is
    for the one rule for which no data, or a database that does not answer, is an alert. `dashboard` is the path of one,
    after `/d/`.
    """

    finding: str
    severity: str
    group: str
    uid: str
    title: str
    tags: tuple[str, ...]
    query: str
    window: timedelta
    value: int
    runbook: str
    dashboard: str
    alerts_on_nothing: bool = False

    @property
    def patience(self) -> Patience:
        """Its `for`; KeyError if nobody has thought about it."""
        return PATIENCE[self.finding, self.severity]

    def as_provisioned(self) -> Object:
        """The rule as a mapping for YAML, keys as in Grafana's documentation of file provisioning."""
        nothing = "Alerting" if self.alerts_on_nothing else "KeepLast"
        return {
            "uid": self.uid,
            "title": self.title,
            "condition": "C",
            "data": [self._asked(), self._reduced(), self._compared()],
            "noDataState": nothing,
            "execErrState": nothing,
            "for": in_grafana(self.patience.span),
            "annotations": {
                "summary": SUMMARIES[self.finding],
                "description": description(self.finding),
                "runbook_url": self.runbook,
                "dashboard_url": "{{ externalURL }}d/" + self.dashboard,
            },
            "labels": {"severity": self.severity, "finding": self.finding, "component": "cvmfs"},
            "isPaused": False,
        }

    def _asked(self) -> Object:
        model = {"query": self.query, "rawQuery": True, "resultFormat": "time_series"}
        return self._step("A", DATASOURCE, "influxdb", model)

    def _reduced(self) -> Object:
        return self._step("B", EXPRESSION, EXPRESSION, {"type": "reduce", "expression": "A", "reducer": "last"})

    def _compared(self) -> Object:
        """Equal, as an open range around the number: Grafana's `eq` is younger, and `math` would need a dollar sign."""
        evaluator = {"type": "within_range", "params": [self.value - 0.1, self.value + 0.1]}
        model = {"type": "threshold", "expression": "B", "conditions": [{"evaluator": evaluator}]}
        return self._step("C", EXPRESSION, EXPRESSION, model)

    def _step(self, name: str, uid: str, kind: str, model: Object) -> Object:
        seconds = self.window // timedelta(seconds=1)
        return {
            "refId": name,
            "relativeTimeRange": {"from": seconds, "to": 0},
            "datasourceUid": uid,
            "model": {"refId": name, "datasource": {"type": kind, "uid": uid}, **model},
        }


def in_grafana(span: timedelta) -> str:
    """A span of whole minutes as Prometheus writes it: 20m, 6h, 90m."""
    minutes = span // MINUTE
    return f"{minutes}m" if minutes % 60 else f"{minutes // 60}h"
