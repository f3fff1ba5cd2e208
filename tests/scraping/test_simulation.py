"""A month in a minute: what the program says of a simulated world, held against that world's own history."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from telegraf_cvmfs.model import Health, ReplicaVerdict, Run
from telegraf_cvmfs.points.rows import points
from telegraf_cvmfs.points.schema import PUBLISH, REPO
from tests.builders.simulation import (
    DAY,
    HOUR,
    MINUTE,
    ORIGINAL,
    SECOND,
    START,
    Edition,
    Fault,
    Monitor,
    World,
    fleet_of,
)
from tests.builders.simulation import origin_of as origin

pytestmark = pytest.mark.slow

OK, WARNING, CRITICAL, UNKNOWN = Health.OK, Health.WARNING, Health.CRITICAL, Health.UNKNOWN
ODD = timedelta(microseconds=123456)
"""Runs do not begin at whole seconds; what servers write is whole seconds."""

Said = set[tuple[str, Health]]


# --- what should be said ----------------------------------------------------------------------------


@dataclass
class Observer:
    """Sees what the program sees, forgets nothing, and does the sums of the contract in the plainest way."""

    seen: dict[str, dict[int, datetime]] = field(default_factory=lambda: defaultdict(dict))
    publications: dict[str, dict[int, set[datetime]]] = field(default_factory=lambda: defaultdict(dict))

    def check(self, world: World, run: Run) -> None:
        """Every replica of a run, field by field; AssertionError names the moment and the replica."""
        self._learn(world)
        self._check_publications(world, run)
        rows = {
            (point.tags["server"], point.tags["repo"]): point.fields
            for point in points(run)
            if point.measurement == REPO
        }
        expected = {(server.stratum.server.name, repo) for server in run.servers for repo in world.publish_every}
        assert set(rows) == expected, f"{world.now}: the repositories are not those that there are"
        for verdict in run.replicas:
            self._check_replica(world, verdict, rows[verdict.replica.server.name, verdict.replica.repo])

    def reference(self, world: World, repo: str) -> Edition | None:
        """The stratum 0's edition; while that is down the newest replica's."""
        if not world.fails("down", ORIGINAL):
            return world.copies[ORIGINAL][repo].edition
        there = [world.copies[one][repo].edition for one in world.replicas if not world.fails("down", one)]
        return max(there, key=lambda edition: edition.revision, default=None)

    def lag(self, world: World, repo: str, mine: Edition) -> timedelta:
        """Since when the oldest revision of the reference that was ever seen there is missing here."""
        reference = self.reference(world, repo)
        if reference is None:
            return timedelta(0)
        known = {reference.revision: reference.published} | self.seen[repo]
        missing = [first for revision, first in known.items() if mine.revision < revision <= reference.revision]
        return max(timedelta(0), world.now - min(missing)) if missing else timedelta(0)

    def _learn(self, world: World) -> None:
        for repo in world.publish_every:
            one = self.reference(world, repo)
            # What stands in for the stratum 0 may have a revision that was passed over: then that is known from now on.
            if one is not None:
                self.seen[repo].setdefault(one.revision, one.published)

    def _check_publications(self, world: World, run: Run) -> None:
        for point in points(run):
            if point.measurement == PUBLISH:
                revision, repo = int(point.fields["revision"]), point.tags["repo"]
                assert point.time == world.history[repo][revision - 100].first, f"{world.now}, {repo}: {point}"
                self.publications[repo].setdefault(revision, set()).add(point.time)

    def _check_replica(self, world: World, verdict: ReplicaVerdict, row: object) -> None:
        server, repo = origin(verdict.replica.server), verdict.replica.repo
        copy, reference = world.copies[server][repo], self.reference(world, repo)
        assert isinstance(row, dict)
        place = f"{world.now}, {repo} on {server} (revision {copy.edition.revision}, reference {reference})"
        found = {(one.slug, one.health) for one in verdict.findings}
        assert found == set(self._findings(world, server, repo)), place
        if world.fails("down", server):
            assert (row["up"], row["health"]) == (0, 3), place
            assert not {"lag", "revision", "revisions_behind"} & set(row), place
            return
        assert reference is not None
        behind = reference.revision - copy.edition.revision
        assert row["up"] == 1, place
        alone = len([one for one in world.copies if not world.fails("down", one) and repo in world.copies[one]]) == 1
        lag = None if alone and server != ORIGINAL else self.lag(world, repo, copy.edition) // SECOND
        assert row.get("lag") == lag, f"{place}: lag"
        assert row.get("revisions_behind", 0) == behind, place
        self._check_against_history(world, repo, copy.edition, reference)

    def _check_against_history(self, world: World, repo: str, mine: Edition, reference: Edition) -> None:
        """What can be known is never more than what is so, and the same where every publication was seen."""
        lag, missing = self.lag(world, repo, mine), world.history[repo][mine.revision - 99 : reference.revision - 99]
        truth = world.now - missing[0].first if missing else timedelta(0)
        complete = all(one.revision in self.seen[repo] for one in missing)
        assert lag == truth if complete else lag <= truth, f"{world.now}, {repo}: {lag} instead of {truth}"

    def _findings(self, world: World, server: str, repo: str) -> Iterator[tuple[str, Health]]:
        if world.fails("down", server):
            yield "manifest", UNKNOWN
            return
        copy, now = world.copies[server][repo], world.now
        yield from _late("gc_old", copy.last_gc, now, 10 * DAY, 20 * DAY)
        left = copy.expires.replace(minute=0, second=0) - now
        if left < 48 * HOUR:
            yield "whitelist", WARNING if left > timedelta(0) else CRITICAL
        if server != ORIGINAL:
            yield from _late("snapshot_old", copy.last_snapshot, now, 8 * HOUR, 24 * HOUR)
            yield from _late("snapshot_stuck", copy.running_since, now, 24 * HOUR, 9999 * DAY)
            yield from _late("lagging", now - self.lag(world, repo, copy.edition), now, 8 * HOUR, 24 * HOUR)


def _late(slug: str, since: datetime | None, now: datetime, warning: timedelta, critical: timedelta) -> Said:
    if since is None or now - since < warning:
        return set()
    return {(slug, CRITICAL if now - since >= critical else WARNING)}


def _moments(days: float, every: timedelta) -> Iterator[datetime]:
    number = int(days * DAY / every)
    return (START + every * one + ODD for one in range(1, number + 1))


def _assert_one_point_for_each_publication(world: World, observer: Observer) -> None:
    for repo, history in world.history.items():
        expected = {one.revision: {one.first} for one in history if START < one.first <= world.now}
        assert observer.publications[repo] == expected, repo


# --- a quiet week -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("every", "seed"), [(5 * MINUTE, 1), (15 * MINUTE, 2), (15 * MINUTE, 3)])
def test_normal_replication_is_never_a_finding(tmp_path: Path, every: timedelta, seed: int) -> None:
    days = 3 if every < 15 * MINUTE else 7
    world = World({"busy.tld": HOUR, "daily.tld": DAY, "dormant.tld": None}, seed=seed)
    observer, monitor, behind = Observer(), Monitor(tmp_path / "memory.json"), 0
    for now in _moments(days, every):
        world.advance(now)
        run = monitor.look(world, fleet_of(world))
        unwell = [(one.replica.server.name, one.replica.repo, one.findings) for one in run.replicas if one.health]
        assert not unwell, f"{now}: {unwell}"
        assert all(server.health is OK for server in run.servers), now
        observer.check(world, run)
        behind += sum(one.revisions_behind == 1 for one in run.replicas)
    assert behind > 20, "replicas are a revision behind now and then, or this shows nothing"
    assert world.signed_anew > 1
    _assert_one_point_for_each_publication(world, observer)


def test_a_day_of_whole_scrapes_is_as_true(tmp_path: Path) -> None:
    outages = (
        Fault("down", "a", START + 5 * HOUR, START + 9 * HOUR),
        Fault("down", ORIGINAL, START + 15 * HOUR, START + 16 * HOUR),
        Fault("stale", "b", START + 2 * HOUR, START + 20 * HOUR),
    )
    world = World({"busy.tld": HOUR, "daily.tld": DAY, "dormant.tld": None}, faults=outages, seed=4)
    observer, monitor = Observer(), Monitor(tmp_path / "memory.json", through_file_every=3)
    for now in _moments(1, 15 * MINUTE):
        world.advance(now)
        observer.check(world, monitor.scrape(world, fleet_of(world)))
    _assert_one_point_for_each_publication(world, observer)


# --- a month ----------------------------------------------------------------------------------------

EVERY = 15 * MINUTE
OUTAGE = Fault("down", "a", START + 4 * DAY + 100 * SECOND, START + 7 * DAY + 3 * HOUR)
SOURCE_DOWN = Fault("down", ORIGINAL, START + 9 * DAY + 7 * MINUTE, START + 9 * DAY + 67 * MINUTE)
STALE = Fault("stale", "b", START + 10 * DAY, START + 13 * DAY)
STOPS = Fault("stops", "c", START + 15 * DAY + 4 * MINUTE, START + 17 * DAY)
NO_GC = Fault("no gc", "c", START + 12 * DAY, START + 23 * DAY)
RENAMED = START + 18 * DAY
EXPIRES = START + 26 * DAY + 30 * MINUTE
RENEWED = START + 26 * DAY + 6 * HOUR

Times = dict[tuple[str, str, str], list[datetime]]


@dataclass
class Month:
    """What was found in it: the moments at which each finding was there, by server, repository (or "") and slug."""

    world: World
    observer: Observer
    found: Times = field(default_factory=lambda: defaultdict(list))

    def note(self, run: Run) -> None:
        for server in run.servers:
            name = origin(server.stratum.server)
            for one in server.findings:
                self.found[name, "", one.slug].append(run.started)
            for verdict in server.replicas:
                for one in verdict.findings:
                    self.found[name, verdict.replica.repo, f"{one.slug} {one.health}"].append(run.started)

    def span(self, server: str, repo: str, slug: str) -> tuple[datetime, datetime]:
        """The first and the last run that found it; they found it all the time between."""
        found = self.found[server, repo, slug]
        assert found, f"{slug} of {repo} on {server} was never found"
        assert found == [found[0] + EVERY * number for number in range(len(found))], f"{slug} comes and goes"
        return found[0], found[-1]

    def snapshot(self, server: str, repo: str, after: datetime) -> datetime:
        """When the first one ended after this moment."""
        return min(when for one, of, when in self.world.snapshots if (one, of) == (server, repo) and when > after)

    def snapshot_before(self, server: str, repo: str, before: datetime) -> datetime:
        return max(when for one, of, when in self.world.snapshots if (one, of) == (server, repo) and when < before)


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Month:
    """Every run of it is checked against the history on the way."""
    faults = (OUTAGE, SOURCE_DOWN, STALE, STOPS, NO_GC)
    world = World({"busy.tld": HOUR, "daily.tld": DAY, "dormant.tld": None}, faults=faults, seed=5)
    for copies in world.copies.values():
        copies["daily.tld"].expires = EXPIRES
    world.at(RENEWED, lambda: world.renew("daily.tld"))
    month = Month(world, Observer())
    monitor = Monitor(tmp_path_factory.mktemp("month") / "memory.json")
    for now in _moments(30, EVERY):
        world.advance(now)
        run = monitor.look(world, fleet_of(world, {"b": "b-renamed.tld"} if now > RENAMED else None))
        month.observer.check(world, run)
        month.note(run)
    return month


def _is_found_from_to(span: tuple[datetime, datetime], since: datetime, until: datetime) -> None:
    """By the first run that could, and no longer by the first that could know better."""
    first, last = span
    assert since <= first < since + EVERY, f"began {since}, found {first}"
    assert until - EVERY <= last < until, f"ended {until}, last found {last}"


def test_in_a_month_each_publication_is_one_point(month: Month) -> None:
    assert len(month.world.history["busy.tld"]) > 600
    _assert_one_point_for_each_publication(month.world, month.observer)


@pytest.mark.parametrize("fault", [OUTAGE, SOURCE_DOWN], ids=lambda fault: str(fault.server))
def test_a_server_is_down_as_long_as_it_is_down(month: Month, fault: Fault) -> None:
    _is_found_from_to(month.span(fault.server, "", "server_down"), fault.since, fault.until)


def test_no_other_server_is_ever_down(month: Month) -> None:
    assert {server for server, _, slug in month.found if slug == "server_down"} == {"a", ORIGINAL}


@pytest.mark.parametrize("repo", ["busy.tld", "daily.tld", "dormant.tld"])
def test_snapshots_that_stopped_are_found_until_the_next_one_ends(month: Month, repo: str) -> None:
    last, again = month.snapshot_before("c", repo, STOPS.since + HOUR), month.snapshot("c", repo, STOPS.until)
    _is_found_from_to(month.span("c", repo, "snapshot_old 1"), last + 8 * HOUR, last + 24 * HOUR)
    _is_found_from_to(month.span("c", repo, "snapshot_old 2"), last + 24 * HOUR, again)


def test_a_source_that_stands_still_is_found_as_lag_although_snapshots_succeed(month: Month) -> None:
    missed = min(one.first for one in month.world.history["busy.tld"] if one.first > STALE.since)
    again = month.snapshot("b", "busy.tld", STALE.until)
    _is_found_from_to(month.span("b", "busy.tld", "lagging 1"), missed + 8 * HOUR, missed + 24 * HOUR)
    _is_found_from_to(month.span("b", "busy.tld", "lagging 2"), missed + 24 * HOUR, again)
    assert ("b", "busy.tld", "snapshot_old 1") not in month.found


def test_a_dormant_repository_is_never_lagging(month: Month) -> None:
    assert not [key for key in month.found if key[1] == "dormant.tld" and key[2].startswith("lagging")]


def test_a_whitelist_that_is_renewed_too_late_is_found_in_time_and_forgiven_on_renewal(month: Month) -> None:
    refused = EXPIRES.replace(minute=0)
    _is_found_from_to(month.span(ORIGINAL, "daily.tld", "whitelist 1"), refused - 48 * HOUR, refused)
    _is_found_from_to(month.span(ORIGINAL, "daily.tld", "whitelist 2"), refused, RENEWED)
    for server in "abc":
        again = month.snapshot(server, "daily.tld", RENEWED + 10 * MINUTE)
        assert month.span(server, "daily.tld", "whitelist 2")[1] < again + EVERY


def test_garbage_that_is_not_collected_is_found_after_ten_days(month: Month) -> None:
    last = START + 11 * DAY
    _is_found_from_to(month.span("c", "busy.tld", "gc_old 1"), last + 10 * DAY, NO_GC.until)


def test_renaming_a_server_is_no_finding(month: Month) -> None:
    quiet = (RENAMED - 12 * HOUR, RENAMED + 12 * HOUR)
    assert not [
        key for key, times in month.found.items() if key[0] == "b" and any(quiet[0] < t < quiet[1] for t in times)
    ]


def test_nothing_else_was_found_in_the_month(month: Month) -> None:
    slugs = {(server, slug.partition(" ")[0]) for server, _, slug in month.found}
    late = {"snapshot_old", "lagging", "whitelist"}
    assert slugs == {
        *((ORIGINAL, slug) for slug in ("server_down", "manifest", "whitelist")),
        *(("a", slug) for slug in late | {"server_down", "manifest"}),
        *(("b", slug) for slug in ("lagging", "whitelist")),
        *(("c", slug) for slug in late | {"gc_old"}),
    }


# --- whatever happens -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Deed:
    """Something that happens after a while: "publish", "sign", "copy a", "copy b", "look", "look without s0 a"."""

    what: str
    after: int = 600


LOOKS = [
    " ".join(["look", *(["without", *gone] if gone else [])]) for gone in ((), ("s0",), ("a",), ("b",), ("s0", "a"))
]
DEEDS = st.builds(
    Deed, st.sampled_from(["publish", "publish", "sign", "copy a", "copy b", *LOOKS]), st.integers(1, 5400)
)


@dataclass
class Play:
    """One repository, done to as told; more than one publication may come between two looks."""

    monitor: Monitor
    world: World = field(default_factory=lambda: World({"repo.tld": None}, replicas=("a", "b")))
    observer: Observer = field(default_factory=Observer)
    known: set[int] = field(default_factory=lambda: {100})

    def __post_init__(self) -> None:
        self.look(())

    def do(self, deed: Deed) -> None:
        self.world.now += timedelta(seconds=deed.after)
        what, *on = deed.what.split()
        original = self.world.copies[ORIGINAL]["repo.tld"]
        if what == "publish":
            one = Edition(
                original.edition.revision + 1, f"{original.edition.revision:040x}", self.world.now, self.world.now
            )
            original.edition = one
            self.world.history["repo.tld"].append(one)
        elif what == "sign" and original.edition.revision in self.known:
            original.edition = replace(original.edition, published=self.world.now)
        elif what == "copy":
            self.world.copies[on[0]]["repo.tld"].edition = original.edition
        elif what == "look":
            self.look(tuple(on[1:]))

    def look(self, gone: tuple[str, ...]) -> None:
        now = self.world.now
        for copies in self.world.copies.values():
            copies["repo.tld"].last_gc = now
        for server in self.world.replicas:
            self.world.copies[server]["repo.tld"].last_snapshot = now
        self.world.faults = tuple(Fault("down", one, now, now + SECOND) for one in gone)
        run = self.monitor.look(self.world, fleet_of(self.world))
        self.observer.check(self.world, run)
        self._check_the_newest_publication(run)
        self.world.faults = ()
        if ORIGINAL not in gone:
            self.known.add(self.world.copies[ORIGINAL]["repo.tld"].edition.revision)

    def _check_the_newest_publication(self, run: Run) -> None:
        reference = self.observer.reference(self.world, "repo.tld")
        expected = []
        if reference is not None and run.started - reference.first <= DAY:
            expected = [(reference.first, reference.revision)]
        assert [(one.time, one.fields["revision"]) for one in points(run) if one.measurement == PUBLISH] == expected, (
            f"{run.started}: publications"
        )


@settings(max_examples=300, deadline=None)
@given(st.lists(DEEDS, max_size=30))
@example([*map(Deed, ["publish", "look", "sign", "copy a", "copy b", "publish", "look", "look without s0"])])
@example([*map(Deed, ["publish", "copy a", "publish", "look", "look without s0"])])
def test_lag_and_publications_are_true_whatever_happens(
    tmp_path_factory: pytest.TempPathFactory, deeds: list[Deed]
) -> None:
    play = Play(Monitor(tmp_path_factory.getbasetemp() / "play.json", through_file_every=5))
    for deed in [*deeds, Deed("look")]:
        play.do(deed)
