"""Incidents: what users felt, from the times that something was down. Pure.

Opened when it was down for long enough, closed when it was well again for long enough: two probes that disagree in turn
make one incident. What happened to many repositories of a server at once, for the same reason, is one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from telegraf_cvmfs.statuspage.reasons import reason
from telegraf_cvmfs.statuspage.settings import Settings, slug
from telegraf_cvmfs.statuspage.site import Incident


@dataclass(frozen=True, slots=True)
class Outage:
    """A time that a server, a repository on it, or one wherever it is served was down, by names in the fleet."""

    begins: datetime
    ends: datetime
    server: str
    repository: str
    finding: str


def incidents(outages: Iterable[Outage], settings: Settings, scraped: datetime) -> list[Incident]:
    """Those of what may be told, the latest first; what was down in the last run, or a moment before, lasts."""
    by_subject: dict[tuple[str, str, str], list[Outage]] = {}
    for one in sorted(outages, key=lambda one: (one.begins, one.repository)):
        if _is_told(one, settings):
            by_subject.setdefault(_subject(one), []).append(one)
    found = [
        _incident(group, settings, scraped)
        for together in by_subject.values()
        for group in _groups(together, settings)
        if max(one.ends for one in group) - group[0].begins >= settings.open_after
    ]
    return sorted(found, key=lambda one: (one.begins, one.id), reverse=True)


def _is_told(one: Outage, settings: Settings) -> bool:
    server = not one.server or one.server in settings.servers
    return server and (not one.repository or settings.tells(one.repository))


def _subject(one: Outage) -> tuple[str, str, str]:
    """What makes outages one incident, if they touch: a server; a finding on a server; a repository everywhere."""
    if not one.repository:
        return "server", one.server, ""
    return ("replica", one.server, one.finding) if one.server else ("repository", one.repository, "")


def _groups(outages: Iterable[Outage], settings: Settings) -> list[list[Outage]]:
    groups = list[list[Outage]]()
    for one in outages:
        if groups and one.begins - max(other.ends for other in groups[-1]) <= settings.close_after:
            groups[-1].append(one)
        else:
            groups.append([one])
    return groups


def _incident(group: list[Outage], settings: Settings, scraped: datetime) -> Incident:
    first, ends = group[0], max(one.ends for one in group)
    server = settings.servers.get(first.server)
    repositories = sorted({one.repository for one in group} - {""})
    about = slug(server) if server else first.repository
    why = reason(first.finding) if "finding" in settings.fields else None
    return Incident(
        id=f"{first.begins:%Y%m%dT%H%M%SZ}-{about}" + (f"-{len(repositories)}" if server and repositories else ""),
        begins=first.begins,
        ends=None if scraped - ends < settings.close_after else ends,
        server=server,
        repositories=repositories,
        reason=why,
    )
