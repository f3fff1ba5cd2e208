from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraf_cvmfs.assess.compare import NOBODY, Comparison, compare, manifest_of
from telegraf_cvmfs.model import Fleet, Listed, Replica, Result, Role, Scrape, Server, Signature, Trust
from tests.builders.runs import MANIFEST, NOW, S0, S1, S1_NL, missed, ok, replica, server

SYNC = Server("http://sync.tld", "sync.tld", Role.SYNC)
S0_B = Server("http://stratum0-b.tld", "stratum0-b.tld", Role.STRATUM0)
S1_DE = Server("http://stratum1-de.tld", "stratum1-de.tld", Role.STRATUM1)

HOUR = timedelta(hours=1)
OTHER = "0000000000000000000000000000000000000bad"


def copy_of(
    on: Server,
    revision: int,
    *,
    root: str | None = None,
    published: datetime | None = NOW - 2 * HOUR,
    repo: str = "repo.tld",
    pass_through: bool = False,
) -> Replica:
    """A replica that was read; its root catalog is that of its revision unless another is given."""
    manifest = replace(
        MANIFEST, repository=repo, revision=revision, published=published, root_catalog=root or f"{revision:040x}"
    )
    return replica(repo, on=on, manifest=ok(manifest), pass_through=pass_through).replica


def beside(*replicas: Replica, trust: Mapping[int, Trust | None] = NOBODY) -> list[Comparison]:
    """Each replica compared with the others, in the order given; an empty comparison if it was not."""
    strata = tuple(
        replace(server(one.server).stratum, server=one.server, replicas=tuple(r for r in replicas if r is one))
        for one in replicas
    )
    compared = compare(Scrape(Fleet(tuple(one.server for one in replicas)), NOW, strata), trusts=trust)
    return [compared.get(id(one), Comparison()) for one in replicas]


def reference_of(*replicas: Replica) -> str:
    (name,) = {one.reference.server.name for one in beside(*replicas) if one.reference is not None}
    (itself,) = (one.server.name for one, found in zip(replicas, beside(*replicas), strict=True) if found.is_reference)
    assert itself == name
    return name


# --- the reference ----------------------------------------------------------------------------------


def test_the_reference_is_the_stratum_0_even_if_others_are_newer() -> None:
    assert reference_of(copy_of(S1, 9), copy_of(SYNC, 8), copy_of(S0, 3)) == S0.name


def test_without_a_stratum_0_the_reference_is_the_sync_server_even_if_others_are_newer() -> None:
    assert reference_of(copy_of(S1, 9), copy_of(SYNC, 3)) == SYNC.name


def test_without_either_the_reference_is_the_newest_replica() -> None:
    assert reference_of(copy_of(S1, 4), copy_of(S1_NL, 6), copy_of(S1_DE, 5)) == S1_NL.name


def test_of_two_sync_servers_the_newest_is_the_reference() -> None:
    newer = replace(SYNC, name="sync2.tld", url="http://sync2.tld")
    assert reference_of(copy_of(SYNC, 4), copy_of(newer, 5)) == "sync2.tld"


def test_a_stratum_0_that_was_not_read_is_no_reference() -> None:
    silent = replica(on=S0, manifest=missed(Result.TIMEOUT)).replica
    assert reference_of(silent, copy_of(S1, 4), copy_of(S1_NL, 6)) == S1_NL.name


def test_a_stratum_0_is_the_reference_for_what_it_serves_and_for_nothing_else() -> None:
    data, main = copy_of(S0, 3, repo="data.tld"), copy_of(S0_B, 5, repo="main.tld")
    a, b = copy_of(S1, 2, repo="data.tld"), copy_of(S1, 4, repo="main.tld")
    found = beside(data, main, a, b)
    assert [one.reference for one in found] == [data, main, data, main]


def test_a_pass_through_replica_is_neither_compared_nor_the_reference() -> None:
    through, behind = copy_of(S1, 9, pass_through=True), copy_of(S1_NL, 6)
    assert beside(through, behind)[0] == Comparison()
    assert beside(through, behind)[1].is_reference


def test_a_replica_that_was_not_read_is_not_compared() -> None:
    absent = replica(manifest=missed()).replica
    assert beside(copy_of(S0, 6), absent)[1] == Comparison()


def test_a_repository_that_a_stratum_1_publishes_itself_has_it_for_a_reference() -> None:
    own = replace(copy_of(S1, 3), listed=Listed.SOURCE)
    assert reference_of(own, copy_of(S1_NL, 4)) == S1.name


# --- behind -----------------------------------------------------------------------------------------


def test_the_reference_itself_has_no_revisions_behind() -> None:
    found = beside(copy_of(S0, 6))[0]
    assert (found.revisions_behind, found.published_behind) == (None, None)


@pytest.mark.parametrize(("mine", "behind"), [(6, 0), (5, 1), (1, 5), (7, -1)])
def test_revisions_behind_is_the_references_revision_minus_this_one(mine: int, behind: int) -> None:
    assert beside(copy_of(S0, 6), copy_of(S1, mine))[1].revisions_behind == behind


def test_published_behind_is_the_references_time_minus_this_one() -> None:
    late, early = copy_of(S1, 5, published=NOW - 9 * HOUR), copy_of(S1_NL, 7, published=NOW - HOUR)
    _, one, two = beside(copy_of(S0, 6, published=NOW - 2 * HOUR), late, early)
    assert (one.published_behind, two.published_behind) == (7 * HOUR, -HOUR)


def test_lag_without_memory_is_the_time_since_the_reference_published() -> None:
    assert beside(copy_of(S0, 6, published=NOW - 3 * HOUR), copy_of(S1, 2))[1].lag == 3 * HOUR


@pytest.mark.parametrize("mine", [6, 7])
def test_there_is_no_lag_if_nothing_is_missing_however_long_ago_it_was_published(mine: int) -> None:
    assert beside(copy_of(S0, 6, published=NOW - 900 * HOUR), copy_of(S1, mine))[1].lag == timedelta(0)


def test_lag_is_not_known_if_the_reference_does_not_say_when_it_published() -> None:
    found = beside(copy_of(S0, 6, published=None), copy_of(S1, 5))[1]
    assert (found.revisions_behind, found.lag, found.published_behind) == (1, None, None)


@pytest.mark.parametrize(("ahead", "lag"), [(24 * HOUR, timedelta(0)), (25 * HOUR, None), (99_999 * HOUR, None)])
def test_lag_is_not_known_if_the_reference_published_in_the_far_future(ahead: timedelta, lag: timedelta | None) -> None:
    assert beside(copy_of(S0, 6, published=NOW + ahead), copy_of(S1, 5))[1].lag == lag


def test_lag_is_never_negative() -> None:
    assert beside(copy_of(S0, 6, published=NOW + HOUR), copy_of(S1, 5))[1].lag == timedelta(0)


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(-86400, 10**9))
def test_lag_is_more_than_nothing_only_where_a_revision_is_missing(newest: int, mine: int, seconds: int) -> None:
    found = beside(copy_of(S0, newest, published=NOW - timedelta(seconds=seconds)), copy_of(S1, mine))[1]
    assert found.lag is not None
    assert found.lag >= timedelta(0)
    assert found.lag == timedelta(0) or mine < newest


# --- diverged ---------------------------------------------------------------------------------------


def diverged(*replicas: Replica) -> list[bool | None]:
    return [one.diverged for one in beside(*replicas)]


@pytest.mark.parametrize("authority", [S0, SYNC])
def test_who_differs_from_a_reference_with_authority_has_diverged_and_the_reference_has_not(authority: Server) -> None:
    told = diverged(copy_of(authority, 6), copy_of(S1, 6, root=OTHER), copy_of(S1_NL, 6))
    assert not told[0]
    assert told[1:] == [True, False]


def test_without_authority_both_of_two_that_differ_are_told() -> None:
    assert diverged(copy_of(S1, 6), copy_of(S1_NL, 6, root=OTHER), copy_of(S1_DE, 5)) == [True, True, None]


def test_of_several_that_agree_and_one_that_does_not_only_that_one_is_told() -> None:
    assert diverged(copy_of(S1, 6), copy_of(S1_NL, 6, root=OTHER), copy_of(S1_DE, 6)) == [False, True, False]


def test_two_machines_behind_one_name_are_not_several_servers() -> None:
    twin = replace(copy_of(S1, 6, root=OTHER), server=replace(S1, address="192.0.2.2"))
    assert diverged(copy_of(S1, 6, root=OTHER), twin, copy_of(S1_NL, 6)) == [True, True, True]


def test_two_that_are_behind_and_differ_are_both_told() -> None:
    told = diverged(copy_of(S0, 7), copy_of(S1, 6), copy_of(S1_NL, 6, root=OTHER))
    assert not told[0]
    assert told[1:] == [True, True]


def test_another_revision_has_another_root_catalog_and_that_is_no_divergence() -> None:
    assert not any(diverged(copy_of(S0, 7), copy_of(S1, 6), copy_of(S1_NL, 5), copy_of(S1_DE, 8)))


def test_resigning_is_no_divergence() -> None:
    again = copy_of(S0, 6, published=NOW - HOUR)
    manifest = again.manifest.value
    assert manifest is not None
    again = replace(again, manifest=ok(replace(manifest, certificate=OTHER)))
    assert diverged(again, copy_of(S1, 6))[1] is False


def test_the_same_hash_by_another_algorithm_is_another_hash() -> None:
    assert diverged(copy_of(S0, 6, root=OTHER), copy_of(S1, 6, root=f"{OTHER}-rmd160"))[1] is True


ROOTS = st.sampled_from(["a" * 40, "b" * 40])


@given(st.lists(st.tuples(st.integers(1, 3), ROOTS), min_size=1, max_size=5))
def test_without_authority_who_differs_is_told_unless_several_agree_with_it_and_none_with_the_other(
    copies: list[tuple[int, str]],
) -> None:
    servers = [Server(f"http://s{n}.tld", f"s{n}.tld", Role.STRATUM1) for n in range(len(copies))]
    told = diverged(*(copy_of(on, revision, root=root) for on, (revision, root) in zip(servers, copies, strict=True)))
    for (revision, root), bad in zip(copies, told, strict=True):
        agreeing = copies.count((revision, root)) > 1
        others = [one for one in copies if one[0] == revision and one[1] != root]
        assert bool(bad) == any(copies.count(one) > 1 for one in others) if agreeing else bool(bad) == bool(others)


def test_two_paths_of_one_repository_on_one_server_are_compared_each() -> None:
    aliased = replace(copy_of(S1, 5), alias="short")
    found = beside(copy_of(S0, 6), copy_of(S1, 6), aliased)
    assert [one.revisions_behind for one in found] == [None, 0, 1]


# --- whose word counts ------------------------------------------------------------------------------

S1_FR = Server("http://stratum1-fr.tld", "stratum1-fr.tld", Role.STRATUM1)
GOOD, NO_KEY, NOT_CHECKED = Trust(Signature.OK), Trust(Signature.NO_KEY), Trust(Signature.NOT_CHECKED)
FORGED = [Trust(one, otherwise=False) for one in Signature if one.ok is False]


def vars_of(one: Replica) -> dict[str, Any]:
    """What makes its claim."""
    manifest = manifest_of(one)
    return {"repository": one.repo, "revision": manifest.revision, "root_catalog": manifest.root_catalog}


def believing(*copies: tuple[Replica, Trust | None]) -> list[Comparison]:
    return beside(*(one for one, _ in copies), trust={id(one): trust for one, trust in copies})


@pytest.mark.parametrize("forged", FORGED, ids=lambda trust: trust.signature.slug)
@pytest.mark.parametrize("server", [S0, SYNC, S1_FR])
@pytest.mark.parametrize(("revision", "root"), [(999999, None), (6, OTHER), (0, None)])
def test_what_fails_its_own_signature_or_hash_is_compared_with_nothing(
    forged: Trust, server: Server, revision: int, root: str | None
) -> None:
    liar = copy_of(server, revision, root=root)
    *honest, told = believing((copy_of(S1, 6), GOOD), (copy_of(S1_NL, 6), GOOD), (liar, forged))
    assert told == Comparison(believed=False)
    assert [(one.revisions_behind, one.diverged, one.lag) for one in honest] == [
        (None, False, timedelta(0)),
        (0, False, timedelta(0)),
    ]


def test_where_nothing_is_genuine_nothing_is_compared() -> None:
    forged = Trust(Signature.MANIFEST_INVALID)
    assert believing((copy_of(S0, 7), forged), (copy_of(S1, 6), forged)) == [Comparison(believed=False)] * 2


@pytest.mark.parametrize("outdated", [Signature.WHITELIST_EXPIRED, Signature.BLACKLISTED])
def test_what_was_good_before_it_expired_is_compared_as_ever(outdated: Signature) -> None:
    source = copy_of(S0, 7), Trust(outdated, otherwise=True)
    assert [one.revisions_behind for one in believing(source, (copy_of(S1, 5), GOOD))] == [None, 2]
    forged = copy_of(S0, 7), Trust(outdated, otherwise=False)
    assert [one.believed for one in believing(forged, (copy_of(S1, 5), GOOD))] == [False, True]


@pytest.mark.parametrize("unknown", [NO_KEY, NOT_CHECKED, None])
def test_what_no_key_verified_is_no_reference_where_a_key_verified_others(unknown: Trust | None) -> None:
    doubtful, one, other = believing(
        (copy_of(S1_FR, 999999), unknown), (copy_of(S1, 6), GOOD), (copy_of(S1_NL, 5), GOOD)
    )
    assert (doubtful.believed, doubtful.revisions_behind) == (True, 6 - 999999)
    assert (one.is_reference, other.revisions_behind) == (True, 1)


def test_a_stratum_0_whose_signatures_could_not_be_checked_stays_the_reference_if_a_verified_replica_agrees() -> None:
    source, copy = believing((copy_of(S0, 6), NOT_CHECKED), (copy_of(S1, 6), GOOD))
    assert (source.is_reference, copy.revisions_behind, copy.diverged) == (True, 0, False)


def test_another_catalog_that_no_key_verified_is_no_proof_of_divergence_for_those_that_are() -> None:
    doubtful, one, other = believing(
        (copy_of(S1_FR, 6, root=OTHER), NOT_CHECKED), (copy_of(S1, 6), GOOD), (copy_of(S1_NL, 6), GOOD)
    )
    assert (doubtful.diverged, one.diverged, other.diverged) == (True, False, False)


@pytest.mark.parametrize("server", [S0, SYNC, S1_FR])
@pytest.mark.parametrize("changed", [{"published": NOW - 400 * HOUR}, {"published": None}, {"root_size": 1}])
def test_of_what_no_key_verified_no_field_counts_though_it_serves_what_a_key_verified(
    server: Server, changed: Mapping[str, Any]
) -> None:
    """Who withholds a certificate, or is slow, could state any time of publication for what others serve."""
    doubtful = copy_of(server, 6)
    doubtful = replace(doubtful, manifest=ok(replace(MANIFEST, **vars_of(doubtful), **changed)))
    first, one, late = believing((doubtful, NOT_CHECKED), (copy_of(S1, 6), GOOD), (copy_of(S1_NL, 5), GOOD))
    assert (first.doubtful, one.doubtful, late.doubtful) == (True, False, False)
    assert (one.is_reference, late.lag, late.published_behind) == (True, 2 * HOUR, timedelta(0))


def test_a_verified_copy_beside_one_that_could_not_be_checked_has_nothing_to_compare_with() -> None:
    _, good = believing((copy_of(S1_FR, 5), NOT_CHECKED), (copy_of(S1, 6), GOOD))
    assert (good.is_reference, good.lag) == (True, None)


@pytest.mark.parametrize(
    ("trust", "known"),
    [
        (NOT_CHECKED, False),
        (Trust(Signature.WHITELIST_EXPIRED), False),
        (GOOD, True),
        (NO_KEY, True),
        (Trust(Signature.UNSUPPORTED), True),
        (None, True),
    ],
)
def test_when_it_was_published_is_not_known_of_what_could_have_been_checked_and_was_not(
    trust: Trust | None, known: bool
) -> None:
    (alone,) = believing((copy_of(S1, 6), trust))
    assert alone.is_reference
    assert (alone.first_published is not None) is known


def test_a_stratum_1_that_says_itself_that_it_publishes_has_no_say_over_a_stratum_0() -> None:
    claims = replace(copy_of(S1_FR, 999999), listed=Listed.SOURCE)
    assert reference_of(claims, copy_of(S0, 6), copy_of(S1, 6)) == S0.name


@pytest.mark.parametrize(("revision", "root"), [(999999, None), (6, OTHER), (1, None)])
def test_without_keys_a_stratum_1_that_says_itself_that_it_publishes_is_not_believed_against_several(
    revision: int, root: str | None
) -> None:
    claims = replace(copy_of(S1_FR, revision, root=root), listed=Listed.SOURCE)
    told, one, other = beside(claims, copy_of(S1, 6), copy_of(S1_NL, 6))
    assert (told.alone_against, one.is_reference, other.revisions_behind, other.diverged) == (2, True, 0, False)


def test_without_keys_the_time_of_publication_is_what_most_say_that_serve_the_same() -> None:
    liar = copy_of(S1_FR, 6, published=NOW - 400 * HOUR)
    *_, late = beside(liar, copy_of(S1, 6), copy_of(S1_DE, 6), copy_of(S1_NL, 5))
    assert late.lag == 2 * HOUR


def test_without_keys_one_that_is_newer_than_several_that_agree_is_not_the_reference() -> None:
    liar, one, other = beside(copy_of(S1_FR, 999999), copy_of(S1, 6), copy_of(S1_NL, 6))
    assert (liar.alone_against, liar.revisions_behind) == (2, 6 - 999999)
    assert (one.is_reference, other.revisions_behind, other.lag) == (True, 0, timedelta(0))


def test_without_keys_what_two_servers_have_is_believed() -> None:
    found = beside(copy_of(S1_FR, 7), copy_of(S1_DE, 7), copy_of(S1, 6), copy_of(S1_NL, 6))
    assert [one.revisions_behind for one in found] == [None, 0, 1, 1]


def test_who_is_older_than_several_that_agree_is_behind_and_nothing_worse() -> None:
    old = beside(copy_of(S1_FR, 4), copy_of(S1, 6), copy_of(S1_NL, 6))[0]
    assert (old.revisions_behind, old.alone_against, old.diverged) == (2, 0, None)


# --- nothing to compare with ------------------------------------------------------------------------


def test_a_copy_that_was_compared_with_none_but_itself_has_no_lag() -> None:
    (alone,) = beside(copy_of(S1, 6))
    assert alone.is_reference
    assert (alone.lag, alone.revisions_behind) == (None, None)


def test_two_paths_on_one_server_are_no_comparison() -> None:
    assert [one.lag for one in beside(copy_of(S1, 6), copy_of(S1, 6)) if one.is_reference] == [None]


def test_what_is_published_here_and_the_newest_of_several_are_not_behind() -> None:
    assert beside(copy_of(S0, 6))[0].lag == timedelta(0)
    newest, older = beside(copy_of(S1, 6), copy_of(S1_NL, 5))
    assert (newest.lag, older.revisions_behind) == (timedelta(0), 1)
