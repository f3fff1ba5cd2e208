"""The public model: what is not allowed is not in it."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path

import pytest

from telegraf_cvmfs.history.spool import rows_of
from telegraf_cvmfs.model import FINDINGS, ConfigError
from telegraf_cvmfs.statuspage.incidents import Outage, incidents
from telegraf_cvmfs.statuspage.public import site
from telegraf_cvmfs.statuspage.reasons import REASONS, reason
from telegraf_cvmfs.statuspage.settings import FIELDS, Settings, slug
from telegraf_cvmfs.statuspage.site import Day, Repository, Server, Site, State
from tests.builders.statuspage import NOW, S1, S2, SECRETS, SETTINGS, seen, settings

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
NOTHING = Settings({}, ())


@pytest.fixture
def allowed(tmp_path: Path) -> Settings:
    return settings(tmp_path)


def server(of: Site, name: str) -> Server:
    (found,) = (one for one in of.servers if one.name == name)
    return found


def repository(of: Site, name: str) -> Repository:
    (found,) = (one for one in of.repositories if one.name == name)
    return found


def test_what_is_not_named_is_not_there(allowed: Settings) -> None:
    told = site(rows_of(seen(NOW, lag=26 * HOUR)), allowed)
    assert [one.name for one in told.servers] == ["Source", "America", "Europe 1"]
    assert [one.name for one in told.repositories] == ["atlas.lab.example", "software.lab.example"]
    text = repr(asdict(told))
    assert [secret for secret in SECRETS if secret in text] == []


def test_a_server_has_its_class_and_a_repository_who_serves_it(allowed: Settings) -> None:
    told = site(rows_of(seen(NOW, lag=26 * HOUR)), allowed)
    first, second = server(told, "Europe 1"), server(told, "America")
    assert (first.state, first.served, len(first.replicas)) == (State.CRITICAL, 0, 2)
    assert (second.state, second.reason, second.geoapi) == (
        State.WARNING,
        "its GeoAPI puts servers into a wrong order",
        "does not work",
    )
    atlas = repository(told, "atlas.lab.example")
    assert (atlas.state, atlas.served_by, atlas.of) == (State.WARNING, 1, 2)
    (lagging,) = (one for one in atlas.replicas if one.server == "Europe 1")
    assert (lagging.state, lagging.reason, lagging.lag) == (State.CRITICAL, "behind what was published", 26 * HOUR)
    assert told.verdict == "All repositories are served; 2 by fewer servers than they should be."
    down = site(rows_of(seen(NOW, lag=26 * HOUR, is_down=True)), allowed)
    assert repository(down, "atlas.lab.example").state is State.UNKNOWN
    assert server(down, "America").state is State.CRITICAL
    assert server(down, "America").reason == "does not answer"
    assert site(rows_of(seen(NOW)), allowed).verdict == "All 2 repositories are served as they should be."


def test_only_the_fields_that_are_named_are_told(allowed: Settings) -> None:
    rows = list(rows_of(seen(NOW, lag=26 * HOUR)))
    bare = site(rows, replace(allowed, fields=()))
    for one in bare.servers:
        assert (one.reason, one.geoapi, one.version) == (None, None, None)
        for each in one.replicas:
            assert {each.reason, each.revision, each.published, each.lag, each.snapshot, each.size} == {None}
    whole = site(rows, replace(allowed, fields=tuple(FIELDS)))
    replicas = server(whole, "Europe 1").replicas
    assert (replicas[0].size, replicas[0].revision) == (57344, 6)
    assert server(whole, "Europe 1").version == "2.13.2-1"
    assert [one.why for one in whole.maintenance] == ["canary-why"]
    assert [one.why for one in bare.maintenance] == [None]


def test_a_version_that_is_no_version_is_not_told(allowed: Settings) -> None:
    rows = [{**row, "cvmfs_version": "<b>2.13"} for row in rows_of(seen(NOW))]
    assert {one.version for one in site(rows, replace(allowed, fields=("version",))).servers} == {None}


def test_a_name_that_is_no_repositorys_makes_no_page(allowed: Settings) -> None:
    rows = [
        row | {"repo": "atlas.../../x"} if row.get("repo") == "atlas.lab.example" else row for row in rows_of(seen(NOW))
    ]
    assert [one.name for one in site(rows, allowed).repositories] == ["software.lab.example"]


def test_nothing_allowed_is_nothing_told() -> None:
    told = site(rows_of(seen(NOW)), NOTHING)
    assert (told.servers, told.repositories, told.state, told.verdict) == (
        [], [], State.UNKNOWN, "Nothing is known of any repository."
    )  # fmt: skip


def test_maintenance_is_told_that_is_not_over_and_covers_something_told(tmp_path: Path) -> None:
    window = "[[maintenance]]\n{}\nfrom = 2026-11-{}T00:00:00Z\nuntil = 2026-11-{}T00:00:00Z\n"
    more = "".join(
        window.format(*one)
        for one in (
            ('server = "s1-hidden*"', 26, 27),
            ('repository = "secret*"', 26, 27),
            ('repository = "atlas*"', 24, 27),
            ('server = "*"', 20, 21),
        )
    )
    told = site(rows_of(seen(NOW)), settings(tmp_path, SETTINGS + more))
    assert [(one.servers, one.repositories) for one in told.maintenance] == [
        (["America", "Europe 1", "Source"], ["atlas.lab.example"]), (["America"], [])
    ]  # fmt: skip


def test_every_finding_has_a_phrase_for_strangers() -> None:
    assert set(REASONS) == set(FINDINGS)
    assert (reason("nothing"), reason(None), reason(["x"])) == (None, None, None)


def test_a_day_is_what_most_felt_of_it() -> None:
    def state(up: float, down: float, maintenance: float = 0) -> State:
        return Day(NOW.date(), up, down, maintenance).state

    assert [state(0, 0), state(9, 0), state(99, 1), state(9, 1), state(1, 0, 9)] == [
        State.UNKNOWN, State.OK, State.WARNING, State.CRITICAL, State.MAINTENANCE
    ]  # fmt: skip
    assert Day(NOW.date(), 3, 1, 0).availability == 0.75


# --- incidents --------------------------------------------------------------------------------------


def outage(
    begins: float, ends: float, name: str = S1.name, repository: str = "", finding: str = "server_down"
) -> Outage:
    """From minute to minute of the hour before now."""
    start = NOW - HOUR
    return Outage(start + begins * MINUTE, start + ends * MINUTE, name, repository, finding)


def spans(found: list[Outage], allowed: Settings) -> list[tuple[float, float | None]]:
    start = NOW - HOUR
    return [
        ((one.begins - start) / MINUTE, None if one.ends is None else (one.ends - start) / MINUTE)
        for one in incidents(found, allowed, NOW)
    ]


def test_an_incident_opens_and_closes_after_a_grace(allowed: Settings) -> None:
    assert spans([outage(0, 9)], allowed) == []
    assert spans([outage(0, 10)], allowed) == [(0, 10)]
    assert spans([outage(30, 46)], allowed) == [(30, None)]  # it was well for 14 minutes
    assert spans([outage(30, 45)], allowed) == [(30, 45)]
    assert spans([outage(0, 10), outage(26, 40)], allowed) == [(26, 40), (0, 10)]


def test_two_probes_that_disagree_in_turn_are_one_incident(allowed: Settings) -> None:
    assert spans([outage(number, number + 5) for number in range(0, 40, 10)], allowed) == [(0, 35)]


def test_what_happened_to_many_repositories_is_one_incident(allowed: Settings) -> None:
    names = ("atlas.lab.example", "software.lab.example", "secret.lab.example")
    found = [outage(number, 30 + number, repository=name, finding="lagging") for number, name in enumerate(names)]
    (one,) = incidents(found, allowed, NOW)
    assert (one.server, one.repositories, one.reason) == ("Europe 1", list(names[:2]), "behind what was published")
    assert one.took == 31 * MINUTE
    others = [outage(0, 30, "", name, "redundancy") for name in names]
    assert [(one.server, one.repositories) for one in incidents(others, allowed, NOW)] == [
        (None, ["software.lab.example"]), (None, ["atlas.lab.example"])
    ]  # fmt: skip


def test_incidents_of_what_is_hidden_are_not_told(allowed: Settings) -> None:
    hidden = [outage(0, 30, "s1-hidden.internal.example"), outage(0, 30, S2.name, "secret.lab.example", "lagging")]
    assert incidents(hidden, allowed, NOW) == []


# --- settings ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('repositories = ["atlas.*", "soft*"]', "", "[tell]: repositories is missing"),
        ('repositories = ["atlas.*", "soft*"]', 'repositories = "x"', "[tell] repositories: is 'x', expected"),
        ('fleet = "lab"', 'flet = "lab"', "line 7: [tell] flet: unknown key; known are fleet, fleet_file"),
        ('fleet = "lab"', 'fields = ["lag", "contact"]', "expected some of finding, revision, lag, snapshot"),
        ('url = "https://status.lab.example"', 'url = "https://a:b@x/"', "where the page will be, such as"),
        ('"s1-b.internal.example" = "America"', '"s1-b.internal.example" = "europe-1"', "'europe-1' is too much like the public name of s1-a.internal.example"),
        ('"s1-b.internal.example" = "America"', '"s1-b.internal.example" = "..."', "'...' has no letter or digit"),
        ("[page]", "[pages]", "unknown section or key 'pages'; known are [page], [tell], [incidents], [servers], [[maintenance]]"),
        ("[page]", "[page]\ndays = 0", "a number of days from 1 to 366"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_settings_is_said_with_its_place(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in SETTINGS
    with pytest.raises(ConfigError) as error:
        settings(tmp_path, SETTINGS.replace(old, new))
    assert str(error.value).startswith(f"status page's settings {tmp_path / 'statuspage.toml'}")
    assert said in str(error.value)


def test_settings_without_servers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\[servers\]: must be a table with the public name of each server"):
        settings(tmp_path, '[tell]\nrepositories = ["*"]\n')


def test_windows_of_the_fleet_file_and_of_the_command_are_taken(tmp_path: Path) -> None:
    window = '[[maintenance]]\nserver = "*"\nfrom = 2026-12-01T08:00:00Z\nuntil = 2026-12-01T12:00:00Z\n'
    (tmp_path / "fleet.toml").write_text('[[server]]\nurl = "http://x.example"\n' + window)
    (tmp_path / "fleet.toml.maintenance.toml").write_text(window)
    found = settings(tmp_path, SETTINGS.replace('fleet = "lab"', 'fleet_file = "fleet.toml"'))
    assert len(found.maintenance) == 3


def test_a_slug_is_plain() -> None:
    assert slug(" Europe/1, Köln… ") == "europe-1-k-ln"
