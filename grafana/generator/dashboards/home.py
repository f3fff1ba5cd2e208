"""The first page: is anything wrong now, and where to look."""

from __future__ import annotations

from grafana.generator import findings, links, question, scale
from grafana.generator.columns import looks
from grafana.generator.dashboard import Dashboard, Row
from grafana.generator.look import Look
from grafana.generator.panel import Panel, Stat, Table, Text
from telegraf_cvmfs.points.schema import SCRAPE

_TO_FLEET = (links.to_page(links.FLEET, "Fleet overview"),)

_SERVED = Panel(
    "What users feel",
    "Of each fleet, how many repositories all of their stratum 1s serve as they should, and how many fewer do. Clients"
    " go on to the next one.",
    Table(looks(("served", "fleet")), sort="fleet", rising=True),
    question.Newest(SCRAPE, ["served", "fleet"]),
)
_SILENT = Panel(
    "Silent scrapers",
    "Fleets that had a run in the week before this time range's end, but none that counts as now. While it is not 0,"
    " the numbers beside it leave those fleets out. See whether Telegraf runs, and what its log says.",
    Stat(Look(scale=scale.NONE_IS_GOOD, links=(links.TO_SILENCE,)), nothing="no run in the last week"),
    question.SilentFleets(),
    width=4,
    links=(links.TO_SILENCE,),
)
_LAST_RUN = Panel(
    "Last run",
    "When the newest run started, of whatever fleet. Each fleet's own is at the bottom of the fleet overview.",
    Stat(Look(unit="dateTimeFromNow"), column="Time", nothing="no run in the last week"),
    question.NewestRun(),
    width=4,
)
_SERVERS_DOWN = findings.count(
    "server_down",
    "Servers down",
    "Servers of which neither the list nor any manifest could be read in the newest run.",
    width=4,
)


def _replicas(field: str, title: str, meaning: str, colors: scale.Scale) -> Panel:
    return Panel(title, meaning, Stat(Look(scale=colors)), question.TotalNow(field), width=4, links=_TO_FLEET)


_CRITICAL = _replicas(
    "repos_critical",
    "Replicas critical",
    "Repositories on servers that clients refuse, cannot mount, or that are far behind. Somebody should look now.",
    scale.NONE_IS_GOOD,
)
_WARNING = _replicas(
    "repos_warning",
    "Replicas warned of",
    "Repositories on servers that will need somebody soon. Nothing fails for clients yet.",
    scale.NONE_IS_GOOD_ORANGE,
)
_UNKNOWN = _replicas(
    "repos_unknown",
    "Replicas unknown",
    "Repositories on servers of which too little could be read to judge them, for instance because the server is down.",
    scale.NONE_IS_GOOD_PURPLE,
)

_HOW_TO_READ = """
**Green** is well, **orange** needs somebody soon, **red** needs somebody now, **purple** is not known (and never red),
**blue** is under maintenance.

* *Now* is the end of the time range above, and data count as now for as long as chosen above. A scraper that stopped
  shows as "no data" and in *Silent scrapers*, never as health. Choose a range that ended last night to see last night.
* A *replica* is one repository on one server. Some revisions behind for a while is how replication works, and is green.
* Each *finding* is a link to its page: what it means, how to confirm it by hand, what to do.
* Servers and repositories are links to their own dashboards. The others are linked above.
"""
_READ_ME = Panel("How to read this", "What the colours mean and where to go from here.", Text(_HOW_TO_READ.strip()))

HOME = Dashboard(
    links.HOME,
    "CVMFS: home",
    "Is anything wrong with the CernVM-FS servers now, and where to look.",
    (
        Row(3, (_SERVED,)),
        Row(5, (findings.repositories(100),)),
        Row(4, (_SILENT, _LAST_RUN, _SERVERS_DOWN, _CRITICAL, _WARNING, _UNKNOWN)),
        Row(6, (findings.servers(100),)),
        Row(11, (findings.replicas(100),)),
        Row(4, (findings.under_maintenance(),)),
        Row(5, (_READ_ME,)),
    ),
)
