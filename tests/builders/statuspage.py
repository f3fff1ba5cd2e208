"""A spool of a fleet with secrets in every text that can be one, and what may be told of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from telegraf_cvmfs.history.spool import write
from telegraf_cvmfs.model import GeoAPIStatus, Health, Listing, Role, Run, Server, ServerVerdict
from telegraf_cvmfs.statuspage.settings import Settings, load
from tests.builders.runs import STATUS, WHITELIST, down, down_server, finding, ok, replica, run, server

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
S0 = Server("http://10.9.8.7:8000", "origin.internal.example", Role.STRATUM0)
S1 = Server("http://s1-a.internal.example:8080", "s1-a.internal.example", Role.STRATUM1, address="192.0.2.77")
S2 = Server("http://s1-b.internal.example", "s1-b.internal.example", Role.STRATUM1)
HIDDEN = Server("http://s1-hidden.internal.example", "s1-hidden.internal.example", Role.STRATUM1)
SECRETS = (
    *("internal.example", "10.9.8.7", "8000", "8080", "192.0.2.77", "secret.lab.example", "canary", "s1-hidden"),
    *("s1-a", "s1-b", "stratum1-no", "Operator"),
)
REPOSITORIES = ("atlas.lab.example", "software.lab.example")
SETTINGS = """
[page]
title = "The lab's CernVM-FS"
url = "https://status.lab.example"
announcement = "New disks on Friday."
[tell]
fleet = "lab"
repositories = ["atlas.*", "soft*"]
[servers]
"origin.internal.example" = "Source"
"s1-a.internal.example" = "Europe 1"
"s1-b.internal.example" = "America"
[[maintenance]]
server = "s1-b.*"
from = 2026-11-26T08:00:00Z
until = 2026-11-26T10:00:00Z
why = "canary-why"
"""


def settings(folder: Path, text: str = SETTINGS) -> Settings:
    """Of this text, in a folder where its file is written."""
    path = folder / "statuspage.toml"
    path.write_text(text)
    return load(path)


def seen(
    moment: datetime,
    *,
    lag: timedelta = timedelta(0),
    is_down: bool = False,
    repositories: Sequence[str] = REPOSITORIES,
) -> Run:
    """A run with a hidden server and repository, and a canary in every sentence and version."""
    names = [*repositories, "secret.lab.example"]
    source = server(S0, *(replica(name, on=S0, is_reference=True, first_published=None) for name in names))
    critical = [finding("lagging", Health.CRITICAL, "canary-problem 26 h behind")] if lag > timedelta(hours=24) else []
    status = replace(STATUS, last_snapshot=moment - timedelta(minutes=30))
    first = [
        replica(
            name, on=S1, lag=lag, findings=critical, alias="canary-alias" if name.startswith("atlas") else None,
            status=ok(status), whitelist=ok(replace(WHITELIST, fingerprints=("canary-print",))),
        )
        for name in names
    ]  # fmt: skip
    hidden = down_server(HIDDEN, *(down(name, on=HIDDEN) for name in names))
    second: ServerVerdict = server(
        S2, *(replica(name, on=S2, lag=timedelta(0), status=ok(status)) for name in names),
        geoapi_status=GeoAPIStatus.LOCATION_ERROR,
        listing=ok(Listing((), None, "2.13-canary")),
        findings=[finding("geoapi_wrong", Health.WARNING, "canary-order 10.9.8.7")],
    )  # fmt: skip
    if is_down:
        second = down_server(S2, *(down(name, on=S2) for name in names))
    return run(source, server(S1, *first), second, hidden, started=moment, fleet="lab")


def lived(folder: Path, days: int = 3, every: timedelta = timedelta(hours=1)) -> Path:
    """A spool: the second server was down for four hours, two days ago; the first lags by a day in the last two runs."""
    moment = NOW - timedelta(days=days)
    while moment <= NOW:
        before = NOW - moment
        is_down = timedelta(days=2) - timedelta(hours=4) < before <= timedelta(days=2)
        lag = timedelta(hours=26) if before <= every else timedelta(0)
        write(folder, seen(moment, lag=lag, is_down=is_down))
        moment += every
    return folder
