"""For how much of the time were servers and repositories available."""

from __future__ import annotations

from collections.abc import Sequence

from grafana.generator import links, question
from grafana.generator.columns import COLUMNS, looks
from grafana.generator.dashboard import Dashboard, Row
from grafana.generator.dashboards.fleet import NAMED
from grafana.generator.panel import FEW, Curves, Panel, Table
from telegraf_cvmfs.points.schema import REPO, REPOSITORY, SERVER

_WHAT = (
    "The share of the runs of 30 days before this time range's end in which it was not critical. Runs in which it was"
    " unknown or under maintenance do not count. `telegraf-cvmfs report` works it out in seconds, by the month."
)
_SERVER_COLUMNS = ("server", "role", "address", "fleet")
_REPOSITORY_COLUMNS = ("repo", "fleet")


def table(
    measurement: str, title: str, meaning: str, columns: Sequence[str], of: Sequence[str], *, width: int = 24
) -> Panel:
    """What was available for how much of 30 days, the least first."""
    view = Table(looks(("available", *columns)), sort="available", rising=True, nothing="no run in 30 days")
    return Panel(title, f"{meaning} {_WHAT}", view, question.Availability(measurement, columns, of=of), width=width)


def of_server() -> tuple[Panel, Panel]:
    """A server, and its replicas."""
    of = ("fleet", "server")
    return (
        table(SERVER, "Available in 30 days", "The server itself.", ("address", "fleet"), of, width=8),
        table(
            REPO,
            "Its replicas in 30 days, least available first",
            "Every repository on it.",
            ("repo", "address", "alias", "fleet"),
            of,
            width=16,
        ),
    )


def of_repository() -> tuple[Panel, Panel]:
    """A repository for its users, and each of its replicas."""
    of = ("fleet", "repo")
    meaning = "It was available while a stratum 1 served it as it should: clients fail over."
    return (
        table(REPOSITORY, "Available in 30 days, for its users", meaning, ("fleet",), of, width=8),
        table(
            REPO,
            "Its replicas in 30 days, least available first",
            "On every server that has it.",
            ("server", "address", "alias", "fleet"),
            of,
            width=16,
        ),
    )


_CURVES = Panel(
    "Servers over time",
    "The share of the runs of each step in which the server was not critical. A gap is a time without runs, or without"
    " a verdict.",
    Curves(COLUMNS["available"], NAMED, buckets=FEW),
    question.OverTime("mean", SERVER, "available", ("fleet", "server", "address")),
)
AVAILABILITY = Dashboard(
    links.AVAILABILITY,
    "CVMFS: availability",
    "For how much of the last 30 days servers and repositories were available.",
    (
        Row(9, (table(SERVER, "Servers, least available first", "Every server.", _SERVER_COLUMNS, question.FLEET),)),
        Row(
            12,
            (
                table(
                    REPOSITORY,
                    "Repositories for their users, least available first",
                    "A repository was available while a stratum 1 served it as it should: clients fail over.",
                    _REPOSITORY_COLUMNS,
                    question.FLEET,
                ),
            ),
        ),
        Row(9, (_CURVES,), "Over time"),
    ),
    range="now-30d",
)
