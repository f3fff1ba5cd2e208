"""What Grafana's webhook says, read from its JSON: one report for each alert. Pure.

The body is Grafana's unified-alerting webhook (`alerts` with `status`, `labels`, `annotations`, `startsAt`,
`fingerprint` and links). It is not trusted: every text is cleaned of control characters and cut, every link is
http or https, and what is not understood costs only itself.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

MOST_REPORTS = 2000
"""Alerts of one notification that are read."""
LONGEST_TEXT = 300
LONGEST_URL = 800
TEST_NAME = "TestAlert"
"""The `alertname` of what the button "Test" of a contact point sends."""

PLACE = ("fleet", "server", "address", "repo", "alias")
"""The labels that say where an alert is, as the tags of the measurements do."""


class PayloadError(ValueError):
    """The body is not Grafana's webhook; str() says why, for the one who sent it."""


@dataclass(frozen=True)
class Alert:
    """What is told about one alert; texts are printable and short, links are http or https or empty.

    `started` is Unix seconds, None if Grafana did not say.
    """

    fingerprint: str
    name: str
    severity: str
    place: str
    summary: str
    link: str
    runbook: str
    started: float | None


@dataclass(frozen=True)
class Report:
    """One alert, as one notification gives it: firing, or resolved."""

    alert: Alert
    firing: bool


@dataclass(frozen=True)
class Notification:
    """One body: its reports, tests apart, and how many alerts are not among them.

    `truncated` were left out by Grafana (the contact point's "Max alerts"), `skipped` were not understood.
    """

    reports: tuple[Report, ...]
    tests: tuple[Report, ...]
    truncated: int
    skipped: int


def read(body: bytes) -> Notification:
    """Read the body of a notification.

    Raises:
        PayloadError: it is not JSON, or has no list of alerts.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):  # RecursionError: arrays in arrays in arrays
        raise PayloadError("the body is not JSON") from None
    alerts = document.get("alerts") if isinstance(document, dict) else None
    if not isinstance(alerts, list):
        raise PayloadError("the body has no list `alerts`: expected the webhook of Grafana's unified alerting")
    understood = [report for item in alerts[:MOST_REPORTS] if (report := _report(item))]
    return Notification(
        reports=tuple(report for report in understood if report.alert.name != TEST_NAME),
        tests=tuple(report for report in understood if report.alert.name == TEST_NAME and report.firing),
        truncated=_count(document.get("truncatedAlerts")),
        skipped=len(alerts) - len(understood),
    )


def clean(value: object, longest: int = LONGEST_TEXT) -> str:
    """A text in one line: no control characters, no text direction marks, no lone surrogates; cut. Else empty."""
    if not isinstance(value, str):
        return ""
    # str.isprintable is false for all of Unicode's Other and Separator but the space.
    line = " ".join("".join(c if c.isprintable() else " " for c in value[: longest * 4]).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def web_address(value: object) -> str:
    """An http or https URL that can stand between any brackets, or nothing.

    What could end a link in Slack, Markdown or HTML is percent-encoded; a URL with a user in it is refused, for it
    shows another host than it leads to.
    """
    if not isinstance(value, str) or not re.fullmatch(r"https?://[^\s\\]+", value) or len(value) > LONGEST_URL:
        return ""
    try:
        parts = urlsplit(value)
        if not re.fullmatch(r"[\w.-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?", parts.netloc, re.ASCII):
            return ""
        origin = f"{parts.scheme}://{parts.netloc}"
        safe = origin + quote(value[len(origin) :], safe="/:?#!$&*+,;=%-._~")
    except ValueError:  # a bracket that is not closed, a lone surrogate
        return ""
    return safe if len(safe) <= LONGEST_URL else ""


def _report(item: object) -> Report | None:
    if not isinstance(item, dict) or item.get("status") not in ("firing", "resolved"):
        return None
    labels, annotations = _texts(item.get("labels")), _texts(item.get("annotations"))
    if not labels:
        return None
    of_alert = [
        item.get("panelURL"),
        item.get("dashboardURL"),
        annotations.get("dashboard_url"),
        item.get("generatorURL"),
    ]
    links = (web_address(link) for link in of_alert)
    alert = Alert(
        fingerprint=_fingerprint(item.get("fingerprint"), labels),
        name=clean(labels.get("finding") or labels.get("alertname"), 100) or "alert",
        severity=clean(labels.get("severity"), 20).lower(),
        place=_place(labels),
        summary=clean(annotations.get("summary") or annotations.get("description")),
        link=next((link for link in links if link), ""),
        runbook=web_address(annotations.get("runbook_url")),
        started=_time(item.get("startsAt")),
    )
    return Report(alert, firing=item["status"] == "firing")


def _texts(value: object) -> Mapping[str, str]:
    if not isinstance(value, dict):
        return {}
    return {key: text for key, text in value.items() if isinstance(text, str)}


def _fingerprint(value: object, labels: Mapping[str, str]) -> str:
    """Grafana's hash of the labels; without a usable one, our own of the same."""
    if isinstance(value, str) and re.fullmatch(r"[0-9A-Za-z_-]{1,64}", value):
        return value
    return hashlib.sha256(json.dumps(sorted(labels.items())).encode()).hexdigest()[:32]


def _place(labels: Mapping[str, str]) -> str:
    known = [labels[key] for key in PLACE if labels.get(key)]
    if known:
        return clean(" / ".join(known), 200)
    rest = {key: text for key, text in labels.items() if not key.startswith("__")}
    for key in ("alertname", "severity", "finding", "component", "grafana_folder"):
        rest.pop(key, None)
    return clean(", ".join(f"{key}={text}" for key, text in sorted(rest.items())), 200)


def _time(value: object) -> float | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    if moment is None or moment.tzinfo is None or moment.year < 1971:  # Go's zero time is the year 1  # noqa: PLR2004
        return None
    try:
        return moment.astimezone(UTC).timestamp()
    except OverflowError:
        return None


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 31 else 0
