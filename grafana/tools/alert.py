"""`alerts`: what fires in Grafana now, worst first, as lines, as JSON, or as the output of a Nagios check.

Source: Grafana's own Alertmanager, `/api/alertmanager/grafana/api/v2/alerts`. It has the alerts that fire, those that
are silenced, inhibited or muted too; not those that are pending or over.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from grafana.tools.line import tame
from grafana.tools.server import GrafanaError, Need, Server
from telegraf_cvmfs.words.duration import in_words

PATH = "/api/alertmanager/grafana/api/v2/alerts"
OK, WARNING, CRITICAL, UNKNOWN = 0, 1, 2, 3
_WORDS = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
_NEED = Need("look at alerts", "Viewer")
_SUPPRESSED = {"silencedBy": "silenced", "inhibitedBy": "inhibited", "mutedBy": "muted"}
_MOST_LINES = 20
"""Alerts that a Nagios check lists: Nagios keeps a few kilobytes of its output."""


@dataclass(frozen=True)
class Alert:
    """One alert.

    Attributes:
        state: "firing", or why nobody is told of it: "silenced", "inhibited", "muted" or "suppressed".
        since: when it began to fire; None if Grafana does not say it in a way that we understand.
        labels, annotations: as Grafana has them, from whoever wrote the rule: not to be trusted.
        link: its page in Grafana, or that of its finding; "" if there is none.
    """

    state: str
    since: datetime | None
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    link: str

    @property
    def counts(self) -> bool:
        """Whether it fires and nobody has silenced it."""
        return self.state == "firing"

    @property
    def code(self) -> int:
        """What it means to Nagios: only `info` is no reason to warn, an alert without a severity is one."""
        return {"critical": CRITICAL, "info": OK}.get(self.labels.get("severity", ""), WARNING)

    @property
    def summary(self) -> str:
        """What it says of itself, or the name of its rule."""
        return self.annotations.get("summary") or self.labels.get("alertname", "")


def firing(server: Server, labels: Mapping[str, str]) -> list[Alert]:
    """The alerts that have all these labels, worst first, those that are suppressed last."""
    rows = server.get(PATH, _NEED, active="true", silenced="true", inhibited="true")
    if not isinstance(rows, list):
        raise GrafanaError(f"{server.url}{PATH}: the answer is not a list of alerts")
    alerts = [_alert(server, row, number) for number, row in enumerate(rows, 1)]
    return sorted((alert for alert in alerts if labels.items() <= alert.labels.items()), key=_order)


def _order(alert: Alert) -> tuple[Any, ...]:
    names = [alert.labels.get(name, "") for name in ("severity", "finding", "server", "repo", "alertname")]
    since = alert.since or datetime.min.replace(tzinfo=UTC)
    return (not alert.counts, -alert.code, since, names, sorted(alert.labels.items()))


def _alert(server: Server, row: object, number: int) -> Alert:
    if not isinstance(row, dict) or not _is_text(row.get("labels")) or not _is_text(row.get("annotations", {})):
        raise GrafanaError(f"{server.url}{PATH}: alert {number} of the answer is not understood")
    annotations = row.get("annotations", {})
    links = (row.get("generatorURL"), annotations.get("runbook_url"))
    link = next((link for link in links if isinstance(link, str) and link.startswith(("http://", "https://"))), "")
    return Alert(_state(row.get("status")), _since(row.get("startsAt")), row["labels"], annotations, link)


def _is_text(labels: object) -> bool:
    return isinstance(labels, dict) and all(isinstance(value, str) for value in labels.values())


def _state(status: object) -> str:
    """Suppressed only where Grafana says so clearly: an alert must not get lost by an answer that is not understood."""
    if not isinstance(status, dict) or status.get("state") != "suppressed":
        return "firing"
    return next((word for key, word in _SUPPRESSED.items() if status.get(key)), "suppressed")


def _since(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else None


# --- said -------------------------------------------------------------------------------------------


def lines(alerts: Sequence[Alert], now: datetime) -> list[str]:
    """One line for each: severity, finding, server, repository, since when, what, and where to read on."""
    rows = [_cells(alert, now) for alert in alerts]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(5)]
    return ["  ".join([*map(str.ljust, row, widths), *filter(None, row[5:])]).rstrip() for row in rows]


def _cells(alert: Alert, now: datetime) -> list[str]:
    severity = alert.labels.get("severity") or "-"
    told = severity if alert.counts else f"{severity} ({alert.state})"
    names = [tame(alert.labels.get(name) or "-", 80) for name in ("finding", "server", "repo")]
    since = "-" if alert.since is None else f"{alert.since.astimezone(UTC):%Y-%m-%d %H:%M} UTC ({_ago(alert, now)})"
    return [tame(told, 40), *names, since, tame(alert.summary), tame(alert.link, 300)]


def _ago(alert: Alert, now: datetime) -> str:
    return "" if alert.since is None else "in the future" if alert.since > now else in_words(now - alert.since)


def total(alerts: Sequence[Alert]) -> str:
    """How many of each: "1 critical, 2 warning, 1 silenced"; "no alerts" of none."""
    count = _counts(alerts)
    said = [f"{count[name]} {name}" for name in ("critical", "warning", "info", *_SUPPRESSED.values(), "suppressed")]
    return ", ".join(part for part in said if not part.startswith("0 ")) or "no alerts"


def _counts(alerts: Sequence[Alert]) -> Counter[str]:
    severities = {OK: "info", WARNING: "warning", CRITICAL: "critical"}
    return Counter(severities[alert.code] if alert.counts else alert.state for alert in alerts)


def document(alerts: Sequence[Alert]) -> str:
    """The alerts as JSON, `schema` 1: what is not known is left out; labels and annotations as Grafana has them."""
    rows = [
        {
            "state": alert.state,
            **{name: alert.labels[name] for name in ("severity", "finding", "server", "repo") if name in alert.labels},
            **({"since": alert.since.astimezone(UTC).isoformat()} if alert.since else {}),
            **({"summary": alert.summary} if alert.summary else {}),
            **({"link": alert.link} if alert.link else {}),
            "labels": dict(alert.labels),
            "annotations": dict(alert.annotations),
        }
        for alert in alerts
    ]
    return json.dumps({"schema": 1, "counts": dict(_counts(alerts)), "alerts": rows}, indent=2)


def nagios(alerts: Sequence[Alert], now: datetime) -> tuple[int, str]:
    """Exit code and output of a check: status, counts, the worst alert, perfdata; then a line for each."""
    counting = [alert for alert in alerts if alert.counts]
    code = max((alert.code for alert in counting), default=OK)
    count = _counts(alerts)
    suppressed = len(alerts) - len(counting)
    worst = f": {counting[0].summary}" if code else ""
    numbers = f"critical={count['critical']};;0;0 warning={count['warning']};0;;0 info={count['info']};;;0"
    first = f"CVMFS {_WORDS[code]} - {total(alerts)}{_unpiped(tame(worst, 160))}"
    more = [f"and {len(alerts) - _MOST_LINES} more"] if len(alerts) > _MOST_LINES else []
    listed = map(_unpiped, lines(alerts[:_MOST_LINES], now))
    return code, "\n".join([f"{first} | {numbers} suppressed={suppressed};;;0", *listed, *more])


def cannot_ask(why: str) -> tuple[int, str]:
    """The same when there is no answer."""
    return UNKNOWN, f"CVMFS UNKNOWN - {_unpiped(tame(why, 300))}"


def _unpiped(text: str) -> str:
    """What follows a | is perfdata to Nagios."""
    return text.replace("|", "/")
