"""What can be wrong with a repository on a server, check by check. Pure; `verdicts` puts them together.

What is not known is unknown and never red. A replica that is a revision behind for a while is how replication works.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from telegraf_cvmfs.assess.compare import Comparison, manifest_of
from telegraf_cvmfs.assess.finding import not_known, redirect_health, too_long
from telegraf_cvmfs.model import (
    Backend,
    Finding,
    Health,
    Limit,
    Listed,
    Manifest,
    Replica,
    Result,
    RootCatalogState,
    Signature,
    Snapshotting,
    Stratum,
    Trust,
)
from telegraf_cvmfs.words.duration import in_words

FIRST_SNAPSHOT_FACTOR = 9
"""How much longer a first snapshot may take than any other (cvmfs-servermon)."""


@dataclass(frozen=True)
class Case:
    """All that the judgement of one replica rests on."""

    replica: Replica
    stratum: Stratum
    server_down: bool
    comparison: Comparison
    limits: Mapping[str, Limit]
    factor: float
    now: datetime
    newest_seen: int | None
    missing_since: datetime | None  # behind the proxy, a revision that the server itself has
    trust: Trust | None
    followed: bool  # redirects of its server, until not long ago

    @property
    def first_snapshot(self) -> bool:
        """Is the very first snapshot of this replica running?"""
        running = self.replica.snapshotting.value is not None
        status = self.replica.status
        return running and status.answered and (status.value is None or status.value.last_snapshot is None)


Check = Callable[[Case], Iterator[Finding]]


def checks_for(case: Case) -> tuple[Check, ...]:
    """Those that have something to say of this replica: of one that is not there, little."""
    if case.server_down:
        return (_check_down,)
    if case.replica.manifest.result in (Result.NOT_FOUND, Result.UNLISTED):
        return (_check_manifest, _check_snapshot) if case.first_snapshot else (_check_manifest,)
    if case.replica.source:
        return _CHECKS_OF_ANY
    return _CHECKS_OF_ANY + _CHECKS_OF_REPLICA


def _check_down(case: Case) -> Iterator[Finding]:
    name, why = case.replica.server.label, case.replica.manifest.why
    yield Finding("manifest", Health.UNKNOWN, f"server {name} is down: {why}")


def _check_manifest(case: Case) -> Iterator[Finding]:
    manifest = case.replica.manifest
    if manifest.value is not None:
        yield from _check_letters(case, manifest.value)
        return
    health = _manifest_health(case)
    limit = case.limits["manifest"]
    if health is Health.WARNING and not limit.warning:
        return
    if health is Health.CRITICAL and not limit.critical:
        return
    if case.first_snapshot:
        yield Finding("manifest", health, "nothing is served yet: the first snapshot is running")
    else:
        yield Finding("manifest", health, f"manifest not read: {manifest.fault_or_why}")


def _check_letters(case: Case, manifest: Manifest) -> Iterator[Finding]:
    """Clients take what they do not understand for no; what was meant is not known."""
    if manifest.unreadable and case.limits["manifest"] != Limit():
        clauses = ", ".join(clause for _, clause in manifest.unreadable)
        yield Finding("manifest", Health.UNKNOWN, f"its manifest: {clauses}")


def _manifest_health(case: Case) -> Health:
    result = case.replica.manifest.result
    if result is Result.UNLISTED:
        return Health.WARNING
    if result is Result.NOT_FOUND:
        promised = case.replica.listed is not Listed.UNKNOWN or case.stratum.backend is Backend.S3
        return Health.CRITICAL if promised and not case.first_snapshot else Health.UNKNOWN
    if result is Result.REDIRECTED:
        return redirect_health(case.replica.manifest.cause, followed=case.followed)
    return Health.CRITICAL if case.replica.manifest.broken else Health.UNKNOWN


def _check_snapshot(case: Case) -> Iterator[Finding]:
    """Has the replica been brought up to date recently?"""
    limit = case.limits["snapshot_old"]
    status = case.replica.status
    if limit == Limit():
        return
    if status.value is not None and status.value.last_snapshot is not None:
        age = case.now - status.value.last_snapshot
        yield from too_long(limit, "snapshot_old", age, case.factor, "the last snapshot was {} ago")
    elif status.answered and not (status.value and "last_snapshot" in dict(status.value.unreadable)):
        yield from _check_first_snapshot(case, limit)


def _check_first_snapshot(case: Case, limit: Limit) -> Iterator[Finding]:
    running = case.replica.snapshotting
    if not running.answered:
        yield not_known("snapshot_old", "whether a first snapshot is running", running.why)
    elif running.value is None:
        yield not_known("snapshot_old", "when the last snapshot was", "none is recorded, and none is running")
    elif running.value.since is None:
        yield not_known("snapshot_old", "since when the first snapshot is running", _undated(running.value))
    else:
        age = case.now - running.value.since
        factor = case.factor * FIRST_SNAPSHOT_FACTOR
        yield from too_long(limit, "snapshot_old", age, factor, "the first snapshot has been running for {}")


def _check_stuck(case: Case) -> Iterator[Finding]:
    limit, running = case.limits["snapshot_stuck"], case.replica.snapshotting
    if limit == Limit():
        return
    if not running.answered:
        yield not_known("snapshot_stuck", "whether a snapshot is running", running.why)
    elif running.value is not None and running.value.since is None:
        yield not_known("snapshot_stuck", "since when a snapshot is running", _undated(running.value))
    elif running.value is not None and running.value.since is not None:
        age = case.now - running.value.since
        text = "a snapshot has been running for {}, or was killed and left its marker"
        yield from too_long(limit, "snapshot_stuck", age, case.factor, text)


def _undated(running: Snapshotting) -> str:
    return f"its date is not understood: {running.unread}"


def _check_lag(case: Case) -> Iterator[Finding]:
    behind, reference = case.comparison.revisions_behind, case.comparison.reference
    if behind is None or behind <= 0 or reference is None or case.limits["lagging"] == Limit():
        return
    name = reference.server.label
    if case.comparison.lag is None:
        undated = manifest_of(reference).published is None
        why = "does not say when it published" if undated else "dates what it published in the future"
        yield not_known("lagging", "for how long it has been behind", f"{name} {why}")
        return
    text = f"{behind} revision{'s' if behind > 1 else ''} behind {name}, for {{}}"
    yield from too_long(case.limits["lagging"], "lagging", case.comparison.lag, case.factor, text)


def _check_status(case: Case) -> Iterator[Finding]:
    """Is there anything that the server's status should say, and could not be read?"""
    status = case.replica.status
    if status.answered and (status.value is None or not status.value.unreadable):
        return
    needed = [
        (slug, key)
        for key, slug in _IN_STATUS.items()
        if case.limits[slug] != Limit() and not (case.replica.source and key == "last_snapshot")
    ]
    if not status.answered:
        yield from (not_known(slug, f"what its {key} is", status.why) for slug, key in needed[:1])
    elif status.value is not None:
        clauses = dict(status.value.unreadable)
        unread = [(slug, key) for slug, key in needed if key in clauses]
        yield from (not_known(slug, f"what its {key} is", clauses[key]) for slug, key in unread)


_IN_STATUS = {
    "last_snapshot": "snapshot_old",
    "last_gc": "gc_old",
    "check_status": "check_failed",
    "last_check": "check_failed",
}
"""By which finding it is told that a key of the status is not understood."""


def _check_gc(case: Case) -> Iterator[Finding]:
    """Only where there has ever been one, for most repositories are never collected, and something came since.

    cvmfs_server skips one where nothing was published since the last, and before 2.14 does not note that it did.
    """
    status, manifest = case.replica.status.value, case.replica.manifest.value
    if status is None or status.last_gc is None:
        return
    published = None if manifest is None else manifest.published
    if published is None or not published <= status.last_gc <= case.now:
        age = case.now - status.last_gc
        yield from too_long(case.limits["gc_old"], "gc_old", age, 1.0, "the last garbage collection was {} ago")


def _check_integrity(case: Case) -> Iterator[Finding]:
    status = case.replica.status.value
    if status is not None and status.check_ok is False and case.limits["check_failed"].warning:
        yield Finding("check_failed", Health.WARNING, "the server's last cvmfs_server check failed")


def _check_whitelist(case: Case) -> Iterator[Finding]:
    limit, whitelist = case.limits["whitelist"], case.replica.whitelist
    if limit == Limit():
        return
    if whitelist.value is not None:
        yield from _check_expiry(limit, whitelist.value.refused_from - case.now)
    elif whitelist.result is Result.NOT_FOUND:
        if limit.critical:
            yield Finding("whitelist", Health.CRITICAL, f"clients refuse the repository: whitelist {whitelist.why}")
    elif not whitelist.broken:  # what is broken is told with the signatures
        yield not_known("whitelist", "whether the whitelist is valid", whitelist.why)


def _check_expiry(limit: Limit, left: timedelta) -> Iterator[Finding]:
    if left <= timedelta(0):
        if limit.critical:
            text = f"clients refuse the repository: its whitelist expired {in_words(-left)} ago"
            yield Finding("whitelist", Health.CRITICAL, text)
    elif isinstance(limit.warning, timedelta) and left < limit.warning:
        yield Finding("whitelist", Health.WARNING, f"clients refuse the whitelist in {in_words(left)}")


def _check_signature(case: Case) -> Iterator[Finding]:
    """Would clients refuse what is signed? A whitelist that is missing or expired is a finding of its own."""
    trust = case.trust
    if trust is None or case.limits["signature"] == Limit():
        return
    if trust.signature.ok is False and trust.signature not in _OF_WHITELIST:
        yield Finding("signature", Health.CRITICAL, f"clients refuse the repository: {trust.why}")
    elif trust.signature is Signature.NOT_CHECKED:
        yield not_known("signature", "whether the signatures are good", trust.why)


def _check_root_catalog(case: Case) -> Iterator[Finding]:
    """Without its root catalog a repository cannot be mounted, however new its manifest is (CernVM-FS issue 4270)."""
    reading = case.replica.root_catalog
    state = case.replica.root_catalog_state
    if not case.replica.up or case.limits["root_catalog"] == Limit():
        return
    if state is RootCatalogState.NOT_CHECKED:
        yield not_known("root_catalog", "whether the root catalog is there", reading.why)
    elif state is not RootCatalogState.OK:
        what = _ROOT_CATALOG_IN_WORDS[state]
        yield Finding("root_catalog", Health.CRITICAL, f"clients cannot mount the repository: its root catalog {what}")


_ROOT_CATALOG_IN_WORDS = {
    RootCatalogState.MISSING: "is not there",
    RootCatalogState.EMPTY: "is empty",
    RootCatalogState.CORRUPT: "is corrupt, its bytes do not have the hash that the manifest names",
}
_OF_WHITELIST = (Signature.WHITELIST_MISSING, Signature.WHITELIST_EXPIRED)


def _check_divergence(case: Case) -> Iterator[Finding]:
    if not case.comparison.diverged or not case.limits["diverged"].critical:
        return
    revision, reference = manifest_of(case.replica).revision, case.comparison.reference
    other = "another server" if reference is None or case.comparison.is_reference else reference.server.label
    if reference is not None and manifest_of(reference).revision != revision:
        other = "another server"
    if case.comparison.alone_against:
        other = f"{case.comparison.alone_against} others that agree; without a key it is not believed"
    text = f"revision {revision} has another root catalog here than on {other}"
    yield Finding("diverged", Health.CRITICAL, text)


def _check_ahead(case: Case) -> Iterator[Finding]:
    """Ahead of where it is published; ahead of a sync server only means that it was quicker."""
    reference = case.comparison.reference
    if reference is None or not reference.source or not case.limits["ahead"].warning:
        return
    if case.comparison.revisions_behind is not None and case.comparison.revisions_behind < 0:
        mine, newest = manifest_of(case.replica).revision, manifest_of(reference).revision
        text = f"revision {mine} is newer than {newest}, the newest on {reference.server.label}"
        yield Finding("ahead", Health.WARNING, text)


def _check_alone(case: Case) -> Iterator[Finding]:
    """Newer than several that agree, without a key to tell who is right: told once it is not just the quickest."""
    against, reference = case.comparison.alone_against, case.comparison.reference
    if not against or reference is None or reference.source or not case.limits["ahead"].warning:
        return
    mine, theirs = manifest_of(case.replica), manifest_of(reference)
    if mine.revision > theirs.revision and not _is_quicker(mine, theirs, case):
        text = f"revision {mine.revision} is only here, and {against} servers agree on {theirs.revision}: without a key"
        yield Finding("ahead", Health.WARNING, f"{text} it is not believed")


def _is_quicker(mine: Manifest, theirs: Manifest, case: Case) -> bool:
    """Could it have been published since, and so lately that the others may still be without it?"""
    if mine.published is None or theirs.published is None:
        return False
    late = case.limits["lagging"].warning
    in_time = not isinstance(late, timedelta) or case.now - mine.published < late * case.factor
    return in_time and mine.revision - theirs.revision <= (mine.published - theirs.published).total_seconds()


def _check_backwards(case: Case) -> Iterator[Finding]:
    """Clients that have seen the newer revision refuse the older one."""
    manifest = case.replica.manifest.value
    if manifest is None or case.newest_seen is None or not case.limits["backwards"].warning:
        return
    if manifest.revision < case.newest_seen:
        text = f"revision {manifest.revision} is older than {case.newest_seen}, which was here before"
        yield Finding("backwards", Health.WARNING, text)


def _check_proxy(case: Case) -> Iterator[Finding]:
    """Do clients behind the proxy get what the server has? A manifest lives for a minute; an hour is stale."""
    manifest, proxied, limit = case.replica.manifest.value, case.replica.proxied, case.limits["proxy_stale"]
    if manifest is None or proxied is None or limit == Limit():
        return
    if proxied.value is None:
        yield not_known("proxy_stale", "what clients behind the proxy get", proxied.why)
        return
    behind = timedelta(0) if case.missing_since is None else case.now - case.missing_since
    text = f"the proxy still gives revision {proxied.value.revision}, {{}} after the next was published"
    late = list(too_long(limit, "proxy_stale", behind, 1.0, text)) if case.missing_since else []
    kept = timedelta(seconds=proxied.age or 0)
    yield from late or too_long(limit, "proxy_stale", kept, 1.0, "the manifest has been in the proxy for {}")


_CHECKS_OF_ANY: tuple[Check, ...] = (
    _check_manifest,
    _check_whitelist,
    _check_signature,
    _check_root_catalog,
    _check_divergence,
    _check_ahead,
    _check_alone,
    _check_backwards,
    _check_proxy,
    _check_status,
    _check_gc,
    _check_integrity,
)
_CHECKS_OF_REPLICA: tuple[Check, ...] = (_check_snapshot, _check_stuck, _check_lag)
