"""What earlier runs saw, and what of it is worth keeping after this one. Pure; `file` keeps it.

Three things a single run cannot know: which repositories a server had while it could be asked, since when
a replica has been without something published, and whether a replica went backwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from itertools import accumulate
from typing import Any

from telegraf_cvmfs.fleet.bound import MOST_REPLICAS
from telegraf_cvmfs.model import Entry, Listed, Manifest, Partial, Replica, ReplicaVerdict, Run, ServerVerdict, Trust
from telegraf_cvmfs.wire.letter import is_object
from telegraf_cvmfs.wire.repositories import MOST_ENTRIES
from telegraf_cvmfs.words.log import Log
from telegraf_cvmfs.words.text import listed as names_in

SEEN_FOR = timedelta(days=7)
"""How long a repository that was seen on a server is asked for there."""

FOLLOWED_FOR = timedelta(days=7)
"""How long a server whose redirects are not followed any more is no fault, but a warning."""

BACKWARDS_FOR = timedelta(hours=24)
"""How long a revision that was seen is held against an older one; after that the older one is how it is now."""

HASH_LENGTH = 6
"""How much of a root catalog's name tells two publications apart."""

MOST_PUBLICATIONS = 256
"""Of one repository. More are only needed where a replica has missed more, and then the oldest is enough."""

MOST_UNLISTED = 256
"""Repositories of one server that its list no longer names."""

MOST_OF_A_SERVER = MOST_ENTRIES + MOST_UNLISTED
MOST_PUBLICATIONS_IN_ALL = 100_000
MOST_CERTIFICATE_BYTES = 8 << 20
"""Of all servers together: what they can make a run remember fits into a file that the next one still reads."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """One repository on one server: where it lay, when it was last seen there, its newest revision and when.

    `root_hash` is that of the revision last read, newest or not, `proved` is when the bytes of that root catalog were
    last hashed there and `proved_length` how many they were, `certificate` the name of the certificate object that was
    last read there, `partial` whether it had only a part of the repository when that was last asked.
    """

    entry: Entry
    seen: datetime
    revision: int | None = None
    root_hash: str | None = None
    revision_seen: datetime | None = None
    proved: datetime | None = None
    proved_length: int | None = None
    certificate: str | None = None
    partial: Partial | None = None


@dataclass(frozen=True, slots=True)
class Publication:
    """A revision of a repository, and when it was published (T of the manifest when it was first seen).

    `root_hash` is how the name of its root catalog begins, empty if not known: an original that was restored from a
    backup publishes the same revision again, with other content.
    """

    revision: int
    published: datetime
    root_hash: str = ""

    def is_of(self, manifest: Manifest) -> bool:
        """Is this the publication of that manifest, however often it was signed anew?"""
        return self.revision == manifest.revision and manifest.root_catalog.startswith(self.root_hash)


@dataclass(frozen=True)
class Memory:
    """Of one fleet: replicas by the name of their server, publications by repository, oldest first.

    `certificates` are the objects, as stored and found good, by their content hash. `verified` are verdicts on
    chains of signatures that last, by their `proof`. `followed` are servers whose redirects were
    followed, and when last.
    """

    replicas: Mapping[str, tuple[Remembered, ...]] = field(default_factory=dict)
    publications: Mapping[str, tuple[Publication, ...]] = field(default_factory=dict)
    certificates: Mapping[str, bytes] = field(default_factory=dict)
    verified: Mapping[str, Trust] = field(default_factory=dict)
    followed: Mapping[str, datetime] = field(default_factory=dict)

    def entries(self, server: str, now: datetime) -> tuple[Entry, ...]:
        """The repositories seen on a server of late."""
        rows = _newest(_of_late(self.replicas.get(server, ()), now), MOST_OF_A_SERVER)
        return tuple(one.entry for one in rows)

    def were_followed(self, server: str, now: datetime) -> bool:
        """Were redirects of this server followed, not long ago?"""
        last = self.followed.get(server)
        return last is not None and timedelta(0) <= now - last < FOLLOWED_FOR

    def newest_seen(self, replica: Replica, now: datetime) -> int | None:
        """The newest revision that was seen of a replica, if that is not too long ago to matter."""
        one = self._find(replica)
        if one is None or one.revision_seen is None or not timedelta(0) <= now - one.revision_seen < BACKWARDS_FOR:
            return None
        return one.revision

    def certificate(self, replica: Replica, name: str) -> bytes | None:
        """The certificate object of this name, if it was read from this replica before."""
        one = self._find(replica)
        body = self.certificates.get(name) if one is not None and one.certificate == name else None
        return None if body is None or is_object(name, body) is False else body  # a file can be damaged

    def proved(self, replica: Replica, root_hash: str, length: int | None = None) -> datetime | None:
        """When the bytes of this root catalog were last hashed on this replica; None if it had another length then."""
        one = self._find(replica)
        if one is None or one.root_hash != root_hash:
            return None
        other = length is not None and one.proved_length is not None and length != one.proved_length
        return None if other else one.proved

    def partial(self, replica: Replica) -> Partial | None:
        """Whether this replica had only a part of the repository when that was last asked."""
        one = self._find(replica)
        return None if one is None else one.partial

    def _find(self, replica: Replica) -> Remembered | None:
        return self._by_place.get((replica.server.label, replica.repo, replica.alias))

    @cached_property
    def _by_place(self) -> Mapping[tuple[str, str, str | None], Remembered]:
        return {(server, *_key(one)): one for server, rows in self.replicas.items() for one in rows}

    def first_published(self, repo: str, manifest: Manifest) -> datetime | None:
        """When a revision was published; a manifest that is only signed anew has a later T."""
        known = (one.published for one in self.publications.get(repo, ()) if one.is_of(manifest))
        return next(known, manifest.published)

    def missing_since(self, repo: str, mine: int, newest: Manifest) -> datetime | None:
        """When the oldest revision was published that a replica with revision `mine` is known not to have."""
        known = self.publications.get(repo, ())
        missed = [one.published for one in known if mine < one.revision < newest.revision or one.is_of(newest)]
        return missed[0] if missed else newest.published


NOTHING = Memory()
"""The memory of a first run."""


def _nobody(_line: str) -> None:
    """Nobody wants to know what had to be forgotten."""


def remember(memory: Memory, run: Run, log: Log = _nobody) -> Memory:
    """The memory after a run; what has not been seen for long is forgotten.

    Servers that this run did not have are kept as long: the same fleet may be asked in parts. There are bounds for what
    servers can make us remember: the log is told, in one line, where they were reached.
    """
    others = {name: _of_late(replicas, run.started) for name, replicas in memory.replicas.items()}
    scraped = {server.stratum.server.label: _replicas_after(memory, server, run.started) for server in run.servers}
    replicas = _bounded({name: rows for name, rows in (others | scraped).items() if rows}, run, log)
    lowest = _lowest_revisions(replicas.values())
    references = {one.replica.repo: one.replica for one in run.replicas if one.is_reference and one.first_published}
    publications = {
        repo: _publications_after(memory.publications.get(repo, ()), references.get(repo), lowest[repo])
        for repo in sorted({*memory.publications, *references})
        if repo in lowest
    }
    each = max(3, MOST_PUBLICATIONS_IN_ALL // max(len(publications), 1))
    return Memory(
        replicas,
        {repo: _ends(known, each) for repo, known in publications.items() if known},
        _certificates_after(memory, run, replicas.values()),
        _verified_in(run),
        _followed_after(memory, run),
    )


def _followed_after(memory: Memory, run: Run) -> dict[str, datetime]:
    """Servers whose redirects were followed in this run, or before it and still would have to be."""
    after = {name: last for name, last in memory.followed.items() if memory.were_followed(name, run.started)}
    for stratum in (server.stratum for server in run.servers):
        if stratum.followed:
            after[stratum.server.label] = run.started
        elif stratum.up and not stratum.redirects:
            after.pop(stratum.server.label, None)
    return after


def _replicas_after(memory: Memory, server: ServerVerdict, now: datetime) -> tuple[Remembered, ...]:
    before = {_key(one): one for one in memory.replicas.get(server.stratum.server.label, ())}
    if (listing := server.stratum.listing.value) is not None:
        renamed = listing.renamed(one.entry for one in before.values())
        before = {key: one for key, one in before.items() if one.entry not in renamed}
    listed = {one.replica.repo for one in server.replicas if one.replica.listed in (Listed.SOURCE, Listed.REPLICA)}
    after = {key: one for key, one in before.items() if key[0] not in listed}  # its alias may be another now
    for verdict in server.replicas:
        key = verdict.replica.repo, verdict.replica.alias
        if (kept := _replica_after(before.get(key), verdict, now)) is not None:
            after[key] = kept
    return _of_late(after.values(), now)


def _bounded(replicas: dict[str, tuple[Remembered, ...]], run: Run, log: Log) -> dict[str, tuple[Remembered, ...]]:
    """As many as may be remembered, those seen last; of a server whose list was read, few that it does not have."""
    crowded = []
    for stratum in (server.stratum for server in run.servers):
        rows = replicas.get(stratum.server.label, ())
        if stratum.listing.value is not None and len(rows) > MOST_UNLISTED:
            listed = {one.name for one in stratum.listing.value.entries}
            unlisted = [one for one in rows if one.entry.name not in listed]
            kept = {id(one) for one in _newest(unlisted, MOST_UNLISTED)}
            replicas[stratum.server.label] = tuple(one for one in rows if one.entry.name in listed or id(one) in kept)
            crowded += [stratum.server.label] if len(unlisted) > MOST_UNLISTED else []
    if crowded:
        what = f"more than {MOST_UNLISTED} repositories that were listed there once, and no longer are"
        log(f"W! {names_in(crowded)}: {what}; the oldest are forgotten")
    return _bounded_in_all(replicas, log)


def _bounded_in_all(replicas: dict[str, tuple[Remembered, ...]], log: Log) -> dict[str, tuple[Remembered, ...]]:
    rows = [one for known in replicas.values() for one in known]
    if len(rows) <= MOST_REPLICAS:
        return replicas
    log(f"W! more than {MOST_REPLICAS} replicas to remember; those that were not seen for longest are forgotten")
    kept = {id(one) for one in _newest(rows, MOST_REPLICAS)}
    return {name: few for name, known in replicas.items() if (few := tuple(one for one in known if id(one) in kept))}


def _newest(rows: Sequence[Remembered], most: int) -> Sequence[Remembered]:
    """Those that were seen last, of equal ones those that came last."""
    return rows if len(rows) <= most else sorted(rows, key=lambda one: one.seen)[-most:]


def _of_late(replicas: Iterable[Remembered], now: datetime) -> tuple[Remembered, ...]:
    return tuple(one for one in replicas if now - one.seen <= SEEN_FOR)


def _replica_after(before: Remembered | None, verdict: ReplicaVerdict, now: datetime) -> Remembered | None:
    replica, manifest = verdict.replica, verdict.replica.manifest.value
    here = replica.listed in (Listed.SOURCE, Listed.REPLICA) or replica.up
    if before is None and not here:
        return None
    entry = _entry(replica)
    after = before or Remembered(entry, now)
    changes: dict[str, Any] = {"entry": entry, "seen": now if here else after.seen}
    if replica.partial is not None:
        changes["partial"] = replica.partial
    if manifest is not None:
        proved, length = _proved(replica, after, manifest)
        changes |= {"root_hash": manifest.root_catalog, "proved": proved, "proved_length": length}
        if verdict.believed and not verdict.doubtful and not _is_older(manifest.revision, after, now):
            changes |= {"revision": manifest.revision, "revision_seen": now}
        if _certificate_is_good(verdict):
            changes["certificate"] = manifest.certificate
    return replace(after, **changes)


def _is_older(revision: int, seen: Remembered, now: datetime) -> bool:
    """Older than one that was seen of late? Then that one is what is remembered, and the finding stays."""
    if seen.revision is None or seen.revision_seen is None:
        return False
    return revision < seen.revision and timedelta(0) <= now - seen.revision_seen < BACKWARDS_FOR


def _proved(replica: Replica, before: Remembered, manifest: Manifest) -> tuple[datetime | None, int | None]:
    """When the root catalog was last hashed here, and its length; what was not looked at stays as it was known."""
    same = before.root_hash == manifest.root_catalog
    proved, length = (before.proved, before.proved_length) if same else (None, None)
    catalog = replica.root_catalog.value
    if catalog is None:
        return proved, length
    if catalog.proved is None:
        return None, None
    return catalog.proved, length if catalog.length is None else catalog.length


def _certificate_is_good(verdict: ReplicaVerdict) -> bool:
    return verdict.trust is not None and verdict.trust.certificate_read


def _certificates_after(memory: Memory, run: Run, rows: Iterable[Iterable[Remembered]]) -> dict[str, bytes]:
    """The objects that some replica is remembered with, each once."""
    read = {
        verdict.replica.manifest.value.certificate: verdict.replica.certificate.value
        for verdict in run.replicas
        if verdict.replica.manifest.value is not None and _certificate_is_good(verdict)
    }
    needed = {one.certificate for replicas in rows for one in replicas if one.certificate is not None}
    known = {name: body for name, body in read.items() if name is not None and body is not None}
    found = sorted({**memory.certificates, **known}.items(), key=lambda pair: (len(pair[1]), pair[0]))
    wanted = [(name, body) for name, body in found if name in needed]
    sizes = accumulate(len(body) for _, body in wanted)  # small ones first: genuine certificates are
    return {name: body for (name, body), size in zip(wanted, sizes, strict=True) if size <= MOST_CERTIFICATE_BYTES}


def _verified_in(run: Run) -> dict[str, Trust]:
    """The lasting verdicts of this run; replicas of a repository that serve the same share one."""
    verdicts = (one.trust for one in run.replicas if one.trust is not None)
    return {trust.proof: trust for trust in verdicts if trust.proof is not None}


def _entry(replica: Replica) -> Entry:
    path = replica.url.removeprefix(replica.server.url).removesuffix("/.cvmfspublished")
    return Entry(replica.repo, path, not replica.source, replica.alias, replica.pass_through)


def _key(one: Remembered) -> tuple[str, str | None]:
    return one.entry.name, one.entry.alias


def _lowest_revisions(servers: Iterable[Iterable[Remembered]]) -> dict[str, int]:
    """For each repository the lowest revision that any server was last seen with; 0 where none was."""
    lowest: dict[str, int] = {}
    for replicas in servers:
        for one in replicas:
            revision = one.revision or 0
            lowest[one.entry.name] = min(lowest.get(one.entry.name, revision), revision)
    return lowest


def _publications_after(
    before: tuple[Publication, ...], reference: Replica | None, lowest: int
) -> tuple[Publication, ...]:
    """Those that some replica may still be without, and the newest, with what the reference has now."""
    known = list(before)
    manifest = None if reference is None else reference.manifest.value
    if reference is not None and manifest is not None and manifest.published is not None:
        if reference.source:  # what is newer than the original has been taken back
            known = [one for one in known if one.revision < manifest.revision or one.is_of(manifest)]
        if all(one.revision != manifest.revision for one in known):
            known.append(Publication(manifest.revision, manifest.published, manifest.root_catalog[:HASH_LENGTH]))
            known.sort(key=lambda one: one.revision)
    needed = [one for one in known[:-1] if one.revision >= lowest] + known[-1:]
    return _ends(tuple(needed), MOST_PUBLICATIONS)


def _ends(publications: tuple[Publication, ...], most: int) -> tuple[Publication, ...]:
    """The two oldest and the newest of them."""
    return publications[:2] + publications[2:][max(0, len(publications) - most) :]
