"""Replicas beside each other: which one is the reference, how far behind it are the others, do they differ. Pure.

Whose word counts? What fails its own signature or hash is compared with nothing: it proves nothing about others. Where
a master key verified some, nothing else can speak against them. Where no key did, one server alone against several
that agree is the suspect.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from telegraf_cvmfs.memory.value import NOTHING, Memory
from telegraf_cvmfs.model import Manifest, Replica, Role, Scrape, Signature, Stratum, Trust
from telegraf_cvmfs.words.duration import MOST_AHEAD

Trusts = Mapping[int, Trust | None]
"""What the signatures of replicas are worth, by the identity of the replica; nothing where nobody judged them."""

NOBODY: Trusts = {}
"""Nobody judged any signature."""

SEVERAL = 2
"""So many servers that agree are believed more than one that does not."""


@dataclass(frozen=True)
class Comparison:
    """One replica beside the reference of its repository, and beside all that have its revision.

    It is not `believed` if it fails its own signature or hash; then it was compared with nothing. `alone_against` is
    how many servers agree on something else, where only this one has what it serves and no key can tell who is right.
    Of one that is `doubtful` nothing is held against others: keys verified what they serve, and not what it does.
    """

    reference: Replica | None = None
    is_reference: bool = False
    revisions_behind: int | None = None
    published_behind: timedelta | None = None
    lag: timedelta | None = None
    diverged: bool | None = None
    first_published: datetime | None = None
    believed: bool = True
    alone_against: int = 0
    doubtful: bool = False


def compare(scrape: Scrape, memory: Memory = NOTHING, trusts: Trusts = NOBODY) -> Mapping[int, Comparison]:
    """A comparison for each replica that was read; by identity, for a replica is not its own key."""
    by_repo = _by_repo(scrape.strata)
    return {
        id(replica): comparison
        for replicas in by_repo.values()
        for replica, comparison in _compare_all(replicas, memory, scrape.started, trusts)
    }


def _compare_all(
    replicas: list[Replica], memory: Memory, now: datetime, trusts: Trusts
) -> Iterator[tuple[Replica, Comparison]]:
    believed = _believed(replicas, trusts)
    witnesses, alone = _witnesses(believed, trusts)
    reference, counting = _reference(witnesses), {id(witness) for witness in witnesses}
    for replica in replicas:
        if reference is None or _genuine(replica, trusts) is False:
            yield replica, Comparison(believed=False)
            continue
        if replica is reference:
            beside = _itself(reference, witnesses, memory, trusts)
        else:
            beside = _behind(replica, reference, memory, now)
        diverged = _diverged(replica, reference, believed if id(replica) in alone else witnesses)
        against, doubtful = alone.get(id(replica), 0), id(replica) not in counting
        yield replica, replace(beside, diverged=diverged, alone_against=against, doubtful=doubtful)


def _reference(witnesses: Sequence[Replica]) -> Replica | None:
    """Who has most authority; of several that serve the same, one whose time of publication most of them state."""
    stated = Counter((_claim(one), manifest_of(one).published) for one in witnesses)
    return max(
        witnesses, key=lambda one: (_authority(one), stated[_claim(one), manifest_of(one).published]), default=None
    )


def _believed(replicas: Iterable[Replica], trusts: Trusts) -> list[Replica]:
    """Those that do not fail their own signature or hash."""
    return [replica for replica in replicas if _genuine(replica, trusts) is not False]


def _genuine(replica: Replica, trusts: Trusts) -> bool | None:
    trust = trusts.get(id(replica))
    return None if trust is None else trust.genuine


def _is_unchecked(replica: Replica, trusts: Trusts) -> bool:
    """Could its signatures have been checked, had all that this takes been read?"""
    trust = trusts.get(id(replica))
    if trust is None or trust.signature in (Signature.NO_KEY, Signature.UNSUPPORTED):
        return False
    return trust.genuine is None


def _witnesses(believed: Sequence[Replica], trusts: Trusts) -> tuple[list[Replica], Mapping[int, int]]:
    """Those whose word counts when others are judged, and of who stands alone, against how many.

    What a key verified, and who serves the very same manifest, for of another nothing is known to be true, not even
    when it was published; without such, all but those who stand alone.
    """
    verified = {manifest_of(replica) for replica in believed if _genuine(replica, trusts)}
    if verified:
        return [replica for replica in believed if manifest_of(replica) in verified], {}
    alone = _alone(believed)
    return [replica for replica in believed if id(replica) not in alone], alone


def _alone(replicas: Sequence[Replica]) -> dict[int, int]:
    """Who claims what no other server does, against how many that agree on what is not newer.

    What the fleet file calls a stratum 0 or a sync server is right, for all of that revision, and a stratum 1 that says
    itself that it publishes is not; and who is older is only behind.
    """
    servers: dict[tuple[int, str], set[str]] = defaultdict(set)
    for replica in replicas:
        servers[_claim(replica)].add(replica.server.name)
    agreed = {claim: len(names) for claim, names in servers.items() if len(names) >= SEVERAL}
    newest = max((revision for revision, _ in agreed), default=None)
    named = [one for one in replicas if one.server.role is not Role.STRATUM1 and _authority(one)[0] > 0]
    settled = {manifest_of(one).revision for one in named}
    alone = {}
    for replica in replicas:
        revision, root = _claim(replica)
        if (revision, root) in agreed or newest is None or revision in settled:
            continue
        against = newest if replica.source else min(revision, newest)
        if most := max((count for claim, count in agreed.items() if claim[0] == against), default=0):
            alone[id(replica)] = most
    return alone


def _claim(replica: Replica) -> tuple[int, str]:
    manifest = manifest_of(replica)
    return manifest.revision, manifest.root_catalog


def _itself(reference: Replica, witnesses: Iterable[Replica], memory: Memory, trusts: Trusts) -> Comparison:
    """A copy that nobody else has is behind or not, who knows; what is published here, or newest of several, is not.

    What could have been verified, and was not, is not known to have been published at all.
    """
    vouched_for = not _is_unchecked(reference, trusts) or any(_genuine(one, trusts) for one in witnesses)
    first = memory.first_published(reference.repo, manifest_of(reference)) if vouched_for else None
    compared = reference.source or any(other.server.label != reference.server.label for other in witnesses)
    lag = timedelta(0) if compared else None
    return Comparison(reference, is_reference=True, lag=lag, first_published=first)


def _behind(replica: Replica, reference: Replica, memory: Memory, now: datetime) -> Comparison:
    """How far one is behind the other: revisions, time of publication, and for how long that has been so.

    Without memory of earlier publications the last is a lower bound: since the newest of them. It is not known where
    that is dated far in the future.
    """
    newest, mine = manifest_of(reference), manifest_of(replica)
    revisions = newest.revision - mine.revision
    between = newest.published - mine.published if newest.published and mine.published else None
    lag: timedelta | None = timedelta(0)
    if revisions > 0:
        since = memory.missing_since(replica.repo, mine.revision, newest)
        lag = max(timedelta(0), now - since) if since and since - now <= MOST_AHEAD else None
    return Comparison(reference, revisions_behind=revisions, published_behind=between, lag=lag)


def _authority(replica: Replica) -> tuple[int, int]:
    """The reference is where it is published, first of all a stratum 0; else a sync server; else whoever is newest."""
    role = replica.server.role
    rank = (3 if role is Role.STRATUM0 else 2) if replica.source else 1 if role is Role.SYNC else 0
    return rank, manifest_of(replica).revision


def _diverged(replica: Replica, reference: Replica, witnesses: Iterable[Replica]) -> bool | None:
    """Same revision, other root catalog? None where nobody whose word counts has this revision.

    A reference that has authority is right, and others differ from it. Otherwise nobody can say which of
    them is wrong, and all are told.
    """
    mine = manifest_of(replica)
    same = [other for other in witnesses if manifest_of(other).revision == mine.revision]
    if reference in same and _authority(reference)[0] > 0:
        if replica is reference:
            return None
        return mine.root_catalog != manifest_of(reference).root_catalog
    others = [other for other in same if other is not replica]
    return any(manifest_of(other).root_catalog != mine.root_catalog for other in others) if others else None


def members_differ(
    strata: Sequence[Stratum], memory: Memory = NOTHING, trusts: Trusts = NOBODY
) -> Mapping[str, tuple[Replica, datetime]]:
    """For each server of several machines what some of them lack, and since when; of several such the longest.

    Clients are sent now to one of them and now to another, and go back and forth.
    """
    differing: dict[str, tuple[Replica, datetime]] = {}
    for name, group in _by_name(strata).items():
        believed = (_believed(replicas, trusts) for replicas in _by_repo(group).values())
        witnesses = (_witnesses(replicas, trusts)[0] for replicas in believed)
        lacking = [found for replicas in witnesses if replicas and (found := _lacking(replicas, memory))]
        if lacking:
            differing[name] = min(lacking, key=lambda found: found[1])
    return differing


def _lacking(replicas: Sequence[Replica], memory: Memory) -> tuple[Replica, datetime] | None:
    """The newest of several, if they are not all the same, and when what the oldest lacks was published."""
    newest = max(replicas, key=lambda replica: manifest_of(replica).revision)
    lowest = min(manifest_of(replica).revision for replica in replicas)
    if len({(manifest_of(one).revision, manifest_of(one).root_catalog) for one in replicas}) == 1:
        return None
    since = memory.missing_since(newest.repo, lowest, manifest_of(newest))
    return None if since is None else (newest, since)


def _by_name(strata: Iterable[Stratum]) -> dict[str, list[Stratum]]:
    groups: dict[str, list[Stratum]] = defaultdict(list)
    for stratum in strata:
        if stratum.server.address is not None:
            groups[stratum.server.name].append(stratum)
    return groups


def _by_repo(strata: Iterable[Stratum]) -> dict[str, list[Replica]]:
    by_repo: dict[str, list[Replica]] = defaultdict(list)
    for stratum in strata:
        for replica in stratum.replicas:
            if replica.up and not replica.pass_through:
                by_repo[replica.repo].append(replica)
    return by_repo


def manifest_of(replica: Replica) -> Manifest:
    """The manifest of a replica that is up; ValueError for one that is not."""
    manifest = replica.manifest.value
    if manifest is None:
        raise ValueError(f"{replica.repo} on {replica.server.name} has no manifest to compare")
    return manifest
