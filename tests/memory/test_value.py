from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from telegraf_cvmfs.assess.compare import manifest_of
from telegraf_cvmfs.assess.verdicts import assess
from telegraf_cvmfs.fleet.targets import listed_replicas, remembered_replicas
from telegraf_cvmfs.memory import file as memory_file
from telegraf_cvmfs.memory.value import MOST_PUBLICATIONS, NOTHING, Memory, Publication, Remembered, remember
from telegraf_cvmfs.model import (
    Backend,
    Entry,
    Fleet,
    Health,
    Listed,
    Listing,
    Manifest,
    Replica,
    ReplicaVerdict,
    Result,
    Role,
    RootCatalog,
    Run,
    Scrape,
    Server,
    Signature,
    Stratum,
    Trust,
)
from telegraf_cvmfs.points.rows import Point, points
from telegraf_cvmfs.points.schema import PUBLISH, REPO
from tests.builders.runs import MANIFEST, NOW, S0, S1, S1_NL, STATUS, WHITELIST, missed, ok

SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
REPO_TLD = "repo.tld"
REFUSED = missed(Result.CONNECTION_FAILED, "Connection refused")


# --- runs, one after another ------------------------------------------------------------------------


def manifest(revision: int, published: datetime | None, root: str | None = None, repo: str = REPO_TLD) -> Manifest:
    """Its root catalog is that of its revision unless another is given."""
    return replace(
        MANIFEST, repository=repo, revision=revision, published=published, root_catalog=root or f"{revision:040x}"
    )


def held(
    on: Server,
    has: Manifest | None,
    *,
    alias: str | None = None,
    repo: str = REPO_TLD,
    pass_through: bool = False,
    listed: Listed | None = None,
) -> Replica:
    """A repository that is listed on a server that is up; it has no manifest if there is none."""
    return Replica(
        on,
        repo,
        f"{on.url}/cvmfs/{alias or repo}/.cvmfspublished",
        listed or (Listed.SOURCE if on.role is Role.STRATUM0 else Listed.REPLICA),
        alias,
        pass_through,
        manifest=missed() if has is None else ok(has),
        status=ok(STATUS),
        snapshotting=missed(),
        whitelist=ok(WHITELIST),
        root_catalog=missed() if has is None else ok(RootCatalog(4096)),
    )


def up(*replicas: Replica) -> Stratum:
    """A server that lists these."""
    listing = Listing(tuple(Entry(one.repo, "/cvmfs/x", replica=True) for one in replicas))
    return Stratum(replicas[0].server, ok(listing), backend=Backend.CVMFS, replicas=replicas)


def empty(server: Server) -> Stratum:
    return Stratum(server, ok(Listing(())), backend=Backend.CVMFS)


def silent(server: Server, memory: Memory, now: datetime, fleet: Fleet | None = None) -> Stratum:
    """A server that is down: what is known of it is what is remembered and still wanted."""
    entries = memory.entries(server.name, now)
    seen = remembered_replicas(fleet or Fleet((server,)), server, entries, Listed.UNKNOWN)
    return Stratum(server, REFUSED, replicas=tuple(replace(one, manifest=REFUSED) for one in seen))


def look(memory: Memory, now: datetime, *strata: Stratum) -> tuple[Run, Memory]:
    """One run: what was made of it, and what is remembered after it."""
    fleet = Fleet(tuple(stratum.server for stratum in strata))
    run = assess(Scrape(fleet, now, strata), SECOND, memory)
    return run, remember(memory, run)


def on(server: Server, run: Run) -> ReplicaVerdict:
    (verdict,) = (one for one in run.replicas if one.replica.server.name == server.name)
    return verdict


def lags(memory: Memory, now: datetime, newest: Manifest, mine: Manifest) -> tuple[timedelta | None, Memory]:
    """The lag of a replica behind the stratum 0."""
    run, memory = look(memory, now, up(held(S0, newest)), up(held(S1, mine)))
    return on(S1, run).lag, memory


def slugs(verdict: ReplicaVerdict) -> set[str]:
    """Of all findings but old snapshots, for nothing here takes one."""
    return {finding.slug for finding in verdict.findings} - {"snapshot_old"}


def published(run: Run) -> list[tuple[datetime, object, object]]:
    return [(p.time, p.fields["revision"], p.fields["root_hash"]) for p in points(run) if p.measurement == PUBLISH]


def keys(run: Run) -> set[tuple[str, str, str | None]]:
    """Of the points of repositories."""

    def key(point: Point) -> tuple[str, str, str | None]:
        return point.tags["server"], point.tags["repo"], point.tags.get("alias")

    return {key(point) for point in points(run) if point.measurement == REPO}


def keys_while_down(server: Server, memory: Memory, now: datetime, fleet: Fleet | None = None) -> set[str]:
    """The repositories of a server that is down, each with its alias if it has one."""
    run, _ = look(memory, now, silent(server, memory, now, fleet))
    assert all(one.health is Health.UNKNOWN and not one.replica.up for one in run.replicas)
    return {" ".join(filter(None, key[1:])) for key in keys(run)}


# --- what a server had ------------------------------------------------------------------------------


def test_a_first_run_remembers_nothing_from_before() -> None:
    assert NOTHING.entries(S1.name, NOW) == ()
    assert NOTHING.newest_seen(held(S1, None), NOW) is None
    assert NOTHING.first_published(REPO_TLD, manifest(6, NOW)) == NOW
    assert NOTHING.missing_since(REPO_TLD, 5, manifest(6, NOW)) == NOW


@pytest.mark.parametrize(
    ("after", "expected"), [(SECOND, {REPO_TLD}), (7 * DAY, {REPO_TLD}), (7 * DAY + SECOND, set())]
)
def test_a_repository_is_asked_for_until_seven_days_after_it_was_seen(after: timedelta, expected: set[str]) -> None:
    _, memory = look(NOTHING, NOW, up(held(S1, manifest(6, NOW))))
    assert keys_while_down(S1, memory, NOW + after) == expected


def test_to_be_asked_for_while_the_server_is_down_is_not_to_be_seen() -> None:
    _, memory = look(NOTHING, NOW, up(held(S1, manifest(6, NOW))))
    for day in range(1, 8):
        now = NOW + day * DAY
        run, memory = look(memory, now, silent(S1, memory, now))
        assert keys(run) == {(S1.name, REPO_TLD, None)}
    assert keys_while_down(S1, memory, NOW + 7 * DAY + SECOND) == set()


def test_a_repository_that_is_listed_but_not_served_is_seen() -> None:
    _, memory = look(NOTHING, NOW, up(held(S1, None)))
    assert keys_while_down(S1, memory, NOW + HOUR) == {REPO_TLD}


def test_a_repository_that_is_served_but_no_longer_listed_is_seen() -> None:
    _, memory = look(NOTHING, NOW, up(held(S1, manifest(6, NOW))))
    _, memory = look(memory, NOW + 6 * DAY, up(held(S1, manifest(6, NOW), listed=Listed.UNLISTED)))
    assert keys_while_down(S1, memory, NOW + 12 * DAY) == {REPO_TLD}


def test_a_repository_that_was_never_seen_is_not_remembered_for_being_asked_for() -> None:
    _, memory = look(NOTHING, NOW, up(held(S1, None, listed=Listed.UNLISTED)))
    assert memory.entries(S1.name, NOW) == ()


def test_a_repository_that_was_taken_off_the_list_is_kept_for_seven_days_and_no_longer() -> None:
    _, memory = look(NOTHING, NOW, up(held(S1, manifest(6, NOW))))
    for hours in range(1, 8 * 24):
        now = NOW + hours * HOUR
        assert bool(memory.entries(S1.name, now)) == (hours <= 7 * 24), hours
        _, memory = look(memory, now, empty(S1))
    assert not memory.replicas.get(S1.name)
    assert not memory.publications


def test_where_it_lay_and_what_it_was_is_remembered_with_it() -> None:
    aliased = held(S1, manifest(6, NOW), alias="short")
    through = held(S1, manifest(6, NOW, repo="through.tld"), repo="through.tld", pass_through=True)
    own = held(S1, manifest(6, NOW, repo="own.tld"), repo="own.tld", listed=Listed.SOURCE)
    _, memory = look(NOTHING, NOW, up(aliased, through, own))
    run, _ = look(memory, NOW + HOUR, silent(S1, memory, NOW + HOUR))
    found = [(one.replica.url, one.replica.alias, one.replica.pass_through, one.replica.source) for one in run.replicas]
    assert found == [
        (f"{S1.url}/cvmfs/short/.cvmfspublished", "short", False, False),
        (f"{S1.url}/cvmfs/through.tld/.cvmfspublished", None, True, False),
        (f"{S1.url}/cvmfs/own.tld/.cvmfspublished", None, False, True),
    ]
    assert [one.health for one in run.replicas] == [Health.UNKNOWN, None, Health.UNKNOWN]


def test_two_servers_remember_each_their_own() -> None:
    other = held(S1_NL, manifest(4, NOW, repo="other.tld"), repo="other.tld")
    _, memory = look(NOTHING, NOW, up(held(S1, manifest(6, NOW))), up(other))
    assert keys_while_down(S1, memory, NOW + HOUR) == {REPO_TLD}
    assert keys_while_down(S1_NL, memory, NOW + HOUR) == {"other.tld"}


def test_another_alias_takes_the_place_of_the_one_before() -> None:
    _, memory = look(NOTHING, NOW, up(held(S1, manifest(6, NOW), alias="old")))
    run, memory = look(memory, NOW + HOUR, up(held(S1, manifest(6, NOW), alias="new")))
    assert keys(run) == {(S1.name, REPO_TLD, "new")}
    assert keys_while_down(S1, memory, NOW + 2 * HOUR) == {f"{REPO_TLD} new"}


def test_a_server_that_is_renamed_begins_anew_under_its_new_name() -> None:
    renamed = replace(S1, name="new-name.tld")
    _, memory = look(NOTHING, NOW, up(held(S1, manifest(6, NOW))))
    run, memory = look(memory, NOW + HOUR, up(held(renamed, manifest(5, NOW))))
    assert slugs(on(renamed, run)) == set()
    assert memory.entries(renamed.name, NOW + HOUR)


def test_a_repository_that_the_fleet_file_ignores_is_not_asked_for_and_comes_back_with_it() -> None:
    _, memory = look(NOTHING, NOW, up(held(S1, manifest(6, NOW))))
    ignoring = Fleet((S1,), ignore_repos=("repo.*",))
    now = NOW + HOUR
    assert keys_while_down(S1, memory, now, ignoring) == set()
    _, memory = look(memory, now, silent(S1, memory, now, ignoring))
    assert keys_while_down(S1, memory, now + HOUR) == {REPO_TLD}


def test_a_server_that_is_taken_out_of_the_fleet_for_a_run_is_still_remembered() -> None:
    _, memory = look(NOTHING, NOW, up(held(S1, manifest(6, NOW))), up(held(S1_NL, manifest(6, NOW))))
    _, memory = look(memory, NOW + HOUR, up(held(S1_NL, manifest(6, NOW))))
    assert keys_while_down(S1, memory, NOW + 2 * HOUR) == {REPO_TLD}


def test_a_server_that_was_taken_out_of_the_fleet_is_forgotten_after_seven_days() -> None:
    _, memory = look(NOTHING, NOW, up(held(S1, manifest(6, NOW))), up(held(S1_NL, manifest(6, NOW))))
    for day in range(1, 9):
        _, memory = look(memory, NOW + day * DAY, up(held(S1_NL, manifest(6, NOW))))
    assert not memory.replicas.get(S1.name)


# --- backwards --------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", [S1, S0], ids=lambda server: server.name)
def test_a_revision_below_the_one_seen_before_is_backwards_for_a_day(where: Server) -> None:
    _, memory = look(NOTHING, NOW, up(held(where, manifest(7, NOW))))
    for hours in range(1, 24):
        run, memory = look(memory, NOW + hours * HOUR, up(held(where, manifest(5, NOW - DAY))))
        assert slugs(on(where, run)) == {"backwards"}, hours
    run, memory = look(memory, NOW + DAY, up(held(where, manifest(5, NOW - DAY))))
    assert slugs(on(where, run)) == set()
    run, _ = look(memory, NOW + DAY + HOUR, up(held(where, manifest(4, NOW - DAY))))
    assert slugs(on(where, run)) == {"backwards"}, "of the one that is now remembered"


def test_backwards_ends_when_the_revision_is_reached_again() -> None:
    _, memory = look(NOTHING, NOW, up(held(S1, manifest(7, NOW))))
    for revision, expected in ((5, {"backwards"}), (6, {"backwards"}), (7, set()), (8, set())):
        run, memory = look(memory, NOW + revision * MINUTE, up(held(S1, manifest(revision, NOW))))
        assert slugs(on(S1, run)) == expected, revision


def test_a_replica_that_is_not_read_for_a_while_does_not_forget_its_revision() -> None:
    _, memory = look(NOTHING, NOW, up(held(S1, manifest(7, NOW))))
    _, memory = look(memory, NOW + HOUR, silent(S1, memory, NOW + HOUR))
    run, _ = look(memory, NOW + 2 * HOUR, up(held(S1, manifest(6, NOW))))
    assert slugs(on(S1, run)) == {"backwards"}


def test_the_same_repository_under_two_aliases_has_two_revisions() -> None:
    two = (held(S1, manifest(7, NOW)), held(S1, manifest(5, NOW), alias="short"))
    _, memory = look(NOTHING, NOW, up(*two))
    run, _ = look(memory, NOW + HOUR, up(*two))
    assert [slugs(one) for one in run.replicas] == [set(), set()]


# --- since when something is missing ----------------------------------------------------------------


def test_lag_counts_from_the_oldest_revision_missed() -> None:
    memory = NOTHING
    for revision in range(100, 110):
        now = NOW + revision * HOUR
        lag, memory = lags(memory, now, manifest(revision, now - MINUTE), manifest(100, NOW))
        assert lag == (timedelta(0) if revision == 100 else (revision - 101) * HOUR + MINUTE)


def test_lag_shrinks_as_the_replica_catches_up_and_is_never_of_revisions_that_it_has() -> None:
    memory = NOTHING
    for revision in range(100, 110):
        _, memory = lags(memory, NOW, manifest(revision, NOW + revision * MINUTE), manifest(100, NOW))
    for mine in range(100, 110):
        lag, memory = lags(memory, NOW + 200 * MINUTE, manifest(109, NOW + 109 * MINUTE), manifest(mine, NOW))
        assert lag == (timedelta(0) if mine == 109 else (200 - 101 - (mine - 100)) * MINUTE)


def test_signing_anew_does_not_shorten_the_lag() -> None:
    _, memory = lags(NOTHING, NOW, manifest(6, NOW - HOUR), manifest(5, NOW - DAY))
    lag, memory = lags(memory, NOW + HOUR, manifest(6, NOW + MINUTE), manifest(5, NOW - DAY))
    assert lag == 2 * HOUR
    lag, _ = lags(memory, NOW + 2 * HOUR, manifest(6, NOW + 2 * MINUTE), manifest(5, NOW - DAY))
    assert lag == 3 * HOUR


def test_a_replica_that_went_backwards_does_not_miss_less_as_more_is_published() -> None:
    _, memory = lags(NOTHING, NOW, manifest(6, NOW - 2 * HOUR), manifest(6, NOW - 2 * HOUR))
    _, memory = lags(memory, NOW, manifest(7, NOW - HOUR), manifest(7, NOW - HOUR))
    lag, memory = lags(memory, NOW + MINUTE, manifest(7, NOW - HOUR), manifest(5, NOW - DAY))
    assert lag == HOUR + MINUTE
    for revision in range(8, 12):
        now = NOW + revision * HOUR
        lag, memory = lags(memory, now, manifest(revision, now - MINUTE), manifest(5, NOW - DAY))
        assert lag == now - (NOW - HOUR), revision


def test_a_server_that_is_down_keeps_what_it_misses() -> None:
    _, memory = lags(NOTHING, NOW, manifest(6, NOW), manifest(6, NOW))
    for revision in range(7, 31):
        now = NOW + (revision - 6) * HOUR
        _, memory = look(memory, now, up(held(S0, manifest(revision, now))), silent(S1, memory, now))
    lag, _ = lags(memory, NOW + 25 * HOUR, manifest(30, NOW + 24 * HOUR), manifest(6, NOW))
    assert lag == 24 * HOUR


def test_a_replica_that_was_never_read_may_miss_everything() -> None:
    memory = NOTHING
    for revision in range(100, 110):
        original, other = held(S0, manifest(revision, NOW + revision * MINUTE)), held(S1_NL, manifest(revision, NOW))
        _, memory = look(memory, NOW + revision * MINUTE, up(original), up(other), up(held(S1, None)))
    lag, _ = lags(memory, NOW + 110 * MINUTE, manifest(109, NOW + 109 * MINUTE), manifest(103, NOW))
    assert lag == 6 * MINUTE


def test_publications_are_forgotten_once_every_replica_has_them() -> None:
    memory = NOTHING
    for revision in range(1, 500):
        _, memory = lags(
            memory, NOW + revision * MINUTE, manifest(revision, NOW + revision * MINUTE), manifest(revision, NOW)
        )
    assert len(memory.publications[REPO_TLD]) <= 2


def test_at_most_256_publications_are_kept_of_a_repository_and_the_oldest_is_one_of_them() -> None:
    memory = NOTHING
    for revision in range(1, 1000):
        now = NOW + revision * MINUTE
        lag, memory = lags(memory, now, manifest(revision, now), manifest(1, NOW))
        assert lag == max(0, revision - 2) * MINUTE
        assert len(memory.publications[REPO_TLD]) <= MOST_PUBLICATIONS == 256
    kept = [one.revision for one in memory.publications[REPO_TLD]]
    assert kept == sorted(set(kept))
    assert kept[-1] == 999


def test_a_reference_that_does_not_say_when_it_published_is_not_remembered() -> None:
    lag, memory = lags(NOTHING, NOW, manifest(6, None), manifest(5, None))
    assert lag is None
    assert not memory.publications


def test_a_revision_that_was_doubtful_is_not_held_against_what_comes_after_it() -> None:
    def trust(replica: Replica, _now: datetime) -> Trust:
        return Trust(Signature.NOT_CHECKED if manifest_of(replica).revision == 999999 else Signature.OK)

    memory, verdicts = NOTHING, []
    for number, revision in enumerate((7, 999999, 7)):
        moment = NOW + number * MINUTE
        strata = up(held(S1, manifest(revision, NOW - HOUR))), up(held(S1_NL, manifest(7, NOW - HOUR)))
        run = assess(Scrape(Fleet((S1, S1_NL)), moment, strata), SECOND, memory, trust)
        memory = remember(memory, run)
        verdicts.append(slugs(on(S1, run)) - {"signature"})
    assert verdicts == [set(), set(), set()]


def judged(trust: Trust, _replica: Replica, _now: datetime) -> Trust:
    return trust


def test_what_could_have_been_verified_and_was_not_is_not_remembered_as_published() -> None:
    """Else who withholds a certificate while others are down could invent a revision, and how long it is missing."""
    strata = (up(held(S1, manifest(7, NOW - 30 * DAY))),)
    for signature, expected in ((Signature.NOT_CHECKED, ()), (Signature.NO_KEY, (7,)), (Signature.OK, (7,))):
        scrape = Scrape(Fleet((S1,)), NOW, strata)
        run = assess(scrape, SECOND, NOTHING, partial(judged, Trust(signature)))
        assert tuple(one.revision for one in remember(NOTHING, run).publications.get(REPO_TLD, ())) == expected


def test_a_stratum_0_that_is_down_for_a_run_does_not_shorten_the_lag() -> None:
    third = held(S1_NL, manifest(8, NOW - HOUR))
    late = held(S1, manifest(6, NOW - DAY))
    memory = NOTHING
    for revision in (6, 7, 8):
        first = up(held(S0, manifest(revision, NOW - (9 - revision) * HOUR)))
        _, memory = look(memory, NOW, first, up(third), up(late))
    run, memory = look(memory, NOW, silent(S0, memory, NOW), up(third), up(late))
    assert (on(S1, run).lag, on(S1, run).revisions_behind) == (2 * HOUR, 2)
    run, _ = look(memory, NOW, up(held(S0, manifest(8, NOW - HOUR))), up(third), up(late))
    assert on(S1, run).lag == 2 * HOUR


# --- a stratum 0 that is restored from a backup -----------------------------------------------------


def test_what_a_restored_stratum_0_took_back_is_not_missing_anywhere() -> None:
    memory = NOTHING
    for revision in (6, 7, 8):
        _, memory = lags(memory, NOW, manifest(revision, NOW - (9 - revision) * HOUR), manifest(6, NOW - 3 * HOUR))
    lag, memory = lags(memory, NOW, manifest(6, NOW - 3 * HOUR), manifest(6, NOW - 3 * HOUR))
    assert lag == timedelta(0)
    lag, memory = lags(memory, NOW + HOUR, manifest(7, NOW + MINUTE, "7" * 40), manifest(6, NOW - 3 * HOUR))
    assert lag == 59 * MINUTE, "since the new revision 7, not since the one that was taken back"


def test_a_restored_stratum_0_goes_backwards_and_its_replicas_are_ahead() -> None:
    _, memory = lags(NOTHING, NOW, manifest(8, NOW), manifest(8, NOW))
    run, _ = look(memory, NOW + HOUR, up(held(S0, manifest(6, NOW))), up(held(S1, manifest(8, NOW))))
    assert slugs(on(S0, run)) == {"backwards"}
    assert slugs(on(S1, run)) == {"ahead"}
    assert (on(S1, run).lag, on(S1, run).revisions_behind) == (timedelta(0), -2)


def test_a_revision_that_is_published_once_more_with_other_content_is_a_publication_of_its_own() -> None:
    """The stratum 0 was down while it was restored, so nobody saw it with less."""
    first, again = manifest(8, NOW), manifest(8, NOW + 3 * HOUR, "8" * 40)
    _, memory = look(NOTHING, NOW + MINUTE, up(held(S0, first)))
    _, memory = look(memory, NOW + HOUR, silent(S0, memory, NOW + HOUR))
    run, memory = look(memory, NOW + 4 * HOUR, up(held(S0, again)), up(held(S1, manifest(7, NOW - DAY))))
    assert published(run) == [(NOW + 3 * HOUR, 8, "8" * 40)]
    assert on(S1, run).lag == HOUR


# --- publications -----------------------------------------------------------------------------------


def test_a_publication_is_one_point_at_its_own_time_run_after_run() -> None:
    memory, found = NOTHING, set()
    for minutes in range(0, 48 * 60, 60):
        run, memory = look(memory, NOW + minutes * MINUTE, up(held(S0, manifest(6, NOW))))
        assert bool(published(run)) == (minutes <= 24 * 60), minutes
        found |= set(published(run))
    assert found == {(NOW, 6, f"{6:040x}")}


def test_signing_anew_is_no_publication() -> None:
    memory, found = NOTHING, set()
    for hours in range(72):
        now = NOW + hours * HOUR
        run, memory = look(memory, now, up(held(S0, manifest(6, now))))
        found |= set(published(run))
    assert found == {(NOW, 6, f"{6:040x}")}


def test_signing_anew_is_no_publication_where_a_replica_stands_in_for_the_stratum_0() -> None:
    """The replica has the manifest that was signed anew, and not yet the revision after it."""
    memory, found = NOTHING, set()
    again = manifest(6, NOW + HOUR)
    steps = (
        (manifest(6, NOW), manifest(6, NOW)),
        (again, again),
        (manifest(7, NOW + 2 * HOUR), again),
        (None, again),
    )
    for hours, (original, copy) in enumerate(steps):
        now = NOW + hours * HOUR + MINUTE
        first = silent(S0, memory, now) if original is None else up(held(S0, original))
        run, memory = look(memory, now, first, up(held(S1, copy)))
        found |= set(published(run))
    assert found == {(NOW, 6, f"{6:040x}"), (NOW + 2 * HOUR, 7, f"{7:040x}")}


# --- how much it is ---------------------------------------------------------------------------------


def _site(server: Server, revision: int, moment: datetime) -> Iterable[Replica]:
    for number in range(60):
        name = f"software-{number:02}.example.org"
        yield held(server, manifest(revision, moment, repo=name), repo=name)


@pytest.mark.slow
def test_the_file_has_less_than_200_bytes_for_a_replica(tmp_path: Path) -> None:
    """Ten servers with sixty repositories, all published every hour for a week, and three servers late since then."""
    servers = [replace(S1, url=f"http://stratum1-{n}.example.org", name=f"stratum1-{n}.example.org") for n in range(9)]
    origin, memory, hours = replace(S0, name="stratum0.example.org"), NOTHING, 48
    for hour in range(hours):
        now = NOW + hour * HOUR
        strata = [up(*_site(origin, 1000 + hour, now))]
        strata += [up(*_site(one, 1000 if n < 3 else 1000 + hour, now)) for n, one in enumerate(servers)]
        _, memory = look(memory, now, *strata)
    memory_file.write(tmp_path / "memory.json", memory)
    replicas = sum(map(len, memory.replicas.values()))
    assert replicas == 600
    assert all(len(known) >= hours - 1 for known in memory.publications.values()), "what three replicas miss"
    assert (tmp_path / "memory.json").stat().st_size < 200 * replicas


def test_an_idle_fleet_does_not_grow(tmp_path: Path) -> None:
    memory, sizes = NOTHING, []
    for day in range(60):
        _, memory = lags(memory, NOW + day * DAY, manifest(6, NOW), manifest(6, NOW))
        memory_file.write(tmp_path / "memory.json", memory)
        sizes.append((tmp_path / "memory.json").stat().st_size)
    assert len(set(sizes)) == 1


# --- small questions --------------------------------------------------------------------------------


def _known(*revisions: int) -> Memory:
    return Memory(publications={REPO_TLD: tuple(Publication(one, NOW + one * HOUR) for one in revisions)})


@pytest.mark.parametrize(
    ("mine", "newest", "since"),
    [(4, 7, 5), (5, 7, 6), (6, 7, 7), (3, 5, 5), (1, 9, 5), (7, 9, 90), (0, 4, 90)],
)
def test_missing_since_is_when_the_first_was_published_that_is_not_here(mine: int, newest: int, since: int) -> None:
    given = manifest(newest, NOW + 90 * HOUR)
    assert _known(5, 6, 7).missing_since(REPO_TLD, mine, given) == NOW + since * HOUR


def test_first_published_is_what_was_remembered_of_that_revision_alone() -> None:
    memory = _known(5, 6)
    assert memory.first_published(REPO_TLD, manifest(6, NOW + DAY)) == NOW + 6 * HOUR
    assert memory.first_published(REPO_TLD, manifest(7, NOW + DAY)) == NOW + DAY
    assert memory.first_published("other.tld", manifest(6, NOW + DAY)) == NOW + DAY


def test_the_newest_seen_is_of_this_server_this_repository_and_this_alias() -> None:
    one = Remembered(Entry(REPO_TLD, "/cvmfs/short", replica=True, alias="short"), NOW, 7, "a" * 40, NOW)
    memory = Memory({S1.name: (one,)})
    assert memory.newest_seen(held(S1, None, alias="short"), NOW) == 7
    assert memory.newest_seen(held(S1, None), NOW) is None
    assert memory.newest_seen(held(S1_NL, None, alias="short"), NOW) is None
    assert memory.newest_seen(held(S1, None, alias="short", repo="other.tld"), NOW) is None


def test_what_is_listed_and_what_is_remembered_of_it_are_the_same_replica() -> None:
    entry = Entry(REPO_TLD, "/cvmfs/deep/path", replica=True, alias="path", pass_through=True)
    (listed,) = listed_replicas(Fleet((S1,)), S1, Listing((entry,)))
    _, memory = look(NOTHING, NOW, up(listed))
    assert memory.entries(S1.name, NOW) == (entry,)
