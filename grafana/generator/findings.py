"""Panels about what is wrong now: the most serious finding of each server and replica, and all of them."""

from __future__ import annotations

from collections.abc import Sequence

from grafana.generator import links, question, scale
from grafana.generator.columns import looks
from grafana.generator.look import Look
from grafana.generator.panel import NOTHING_FOUND, Panel, Stat, Table
from telegraf_cvmfs.model import LIMITS, REPLICA_FINDINGS, SERVER_FINDINGS
from telegraf_cvmfs.points.schema import REPO, REPOSITORY, SERVER

NOTHING_WRONG = "empty where nothing is found"

REPLICAS_OF_SERVER = ("replicas_critical", "replicas_warning", "replicas_unknown", "replicas_ok")
SERVED = {"replicas_ok": Look("Ok", decimals=0, width=70)}
_SERVER_COLUMNS = ("server", *REPLICAS_OF_SERVER, "finding", "problem", "role", "address", "fleet")
_REPOSITORY_COLUMNS = ("repo", "replicas_ok", "replicas", "problem", "fleet")
_MAINTENANCE_COLUMNS = ("server", "repo", "problem", "address", "fleet")
_REPO_COLUMNS = ("repo", "server", "finding", "problem", "address", "alias", "fleet")


def servers(most: int) -> Panel:
    """Servers that are not ok, they or their replicas, worst first."""
    return Panel(
        "Servers that are not ok, worst first",
        "*Status* is the worst of the server and of its replicas, which are counted beside it. The finding is the"
        " server's own, and leads to its page: what it means, how to confirm it by hand, what to do.",
        Table(looks(("status_severity", *_SERVER_COLUMNS), **SERVED), sort="status_severity", nothing=NOTHING_FOUND),
        question.Worst(SERVER, _SERVER_COLUMNS, most=most, severity="status_severity"),
        quiet=NOTHING_WRONG,
    )


def repositories(most: int) -> Panel:
    """Repositories that too few servers serve, worst first."""
    return Panel(
        "Repositories that too few serve, worst first",
        "Clients go on to the next stratum 1, so one that serves it badly is not felt yet. Red: none serves the"
        " repository as it should. Orange: fewer than the fleet file's min_replicas_ok.",
        Table(looks(("severity", *_REPOSITORY_COLUMNS)), nothing=NOTHING_FOUND),
        question.Worst(REPOSITORY, _REPOSITORY_COLUMNS, most=most),
        quiet=NOTHING_WRONG,
        links=(links.to_page_of("redundancy"),),
    )


def under_maintenance() -> Panel:
    """What is worked on, which is in none of the other panels about what is wrong."""
    return Panel(
        "Under maintenance",
        "Servers and replicas that are worked on: until when and why, and what would be wrong otherwise. They are"
        " measured as ever, but no alert is fired, and no count or verdict has them.",
        Table(
            looks(_MAINTENANCE_COLUMNS, problem=Look("Until when and why")),
            sort="repo",
            rising=True,
            nothing=NOTHING_FOUND,
        ),
        question.UnderMaintenance(_MAINTENANCE_COLUMNS),
        quiet="empty where nothing is under maintenance",
    )


def replicas(most: int, of: Sequence[str] = question.FLEET) -> Panel:
    """Replicas that have a finding, worst first."""
    return Panel(
        "Replicas with a finding, worst first",
        f"The most serious finding of each repository on each server; no more than {most} are listed. A finding leads"
        " to its page: what it means, how to confirm it by hand, what to do.",
        Table(looks(("severity", *_REPO_COLUMNS)), nothing=NOTHING_FOUND),
        question.Worst(REPO, _REPO_COLUMNS, of=of, most=most),
        quiet=NOTHING_WRONG,
    )


def matrix_of_replicas() -> Panel:
    """A row for each replica with a finding, a column for each finding."""
    return _matrix(
        "All findings of replicas",
        "All findings of each replica that has one, by name, not only the most serious. A coloured cell leads to the"
        " finding's page; what is purple is not known.",
        REPLICA_FINDINGS,
        ("repo", "server", "address", "alias", "fleet"),
    )


def matrix_of_servers() -> Panel:
    """A row for each server with a finding, a column for each finding."""
    return _matrix(
        "All findings of servers",
        "All findings of each server that has one, by name, not only the most serious. A coloured cell leads to the"
        " finding's page; what is purple is not known.",
        SERVER_FINDINGS,
        ("server", "role", "address", "fleet"),
    )


def count(slug: str, title: str, meaning: str, *, width: int, of: Sequence[str] = question.FLEET) -> Panel:
    """How many have a finding now, red if it can be critical, with a link to its page."""
    colors = scale.NONE_IS_GOOD if LIMITS[slug].critical else scale.NONE_IS_GOOD_ORANGE
    query = question.HowMany(slug, of=of)
    return Panel(title, meaning, Stat(Look(scale=colors)), query, width=width, links=(links.to_page_of(slug),))


def _matrix(title: str, meaning: str, slugs: Sequence[str], columns: Sequence[str]) -> Panel:
    cells = {slug: _cell(slug) for slug in slugs}
    view = Table(looks(columns) | cells, sort=columns[0], rising=True, nothing=NOTHING_FOUND)
    return Panel(title, meaning, view, question.FoundNow(slugs, columns), quiet=NOTHING_WRONG)


def _cell(slug: str) -> Look:
    return Look(scale=scale.FOUND, cell="color-background", width=110, links=(links.to_page_of(slug),))
