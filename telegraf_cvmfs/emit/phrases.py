"""Facts about repositories in words, for a page that a person reads: "3 behind", "snapshot 5m ago"."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from telegraf_cvmfs.model import SEVERITY, Health, Manifest, Replica, ReplicaVerdict, Result, Signature
from telegraf_cvmfs.words.duration import in_words

WORDS = {
    Health.OK: "ok",
    Health.WARNING: "warning",
    Health.CRITICAL: "critical",
    Health.UNKNOWN: "unknown",
    None: "not judged",
}


def size(octets: int) -> str:
    """A number of bytes in binary units: "512 B", "56.0 KiB"."""
    unit, name = 1, "B"
    for larger in ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB"):
        if octets < unit * 1024:
            break
        unit, name = unit * 1024, larger
    # Whole numbers throughout: a float overflows on what a hostile manifest may claim.
    return f"{octets} B" if unit == 1 else f"{octets // unit}.{octets % unit * 10 // unit} {name}"


def rank(health: Health | None) -> int:
    """How serious, the higher the worse; what is never judged comes after what is well."""
    return -1 if health is None else SEVERITY.index(health)


def counts(healths: Iterable[Health | None]) -> str:
    """How many of each kind, worst first: "1 critical, 5 ok"."""
    count = Counter(healths)
    return ", ".join(f"{count[health]} {WORDS[health]}" for health in sorted(count, key=rank, reverse=True))


def ended(result: Result) -> str:
    """How a reading ended, where it did not end well."""
    return _ENDED.get(result) or result.slug.replace("_", " ")


_ENDED = {
    Result.DEADLINE: "the run ended first",
    Result.OWN_LIMIT: "the scraper itself had too few files, too little memory or too few threads",
}


def hosts(verdicts: Iterable[ReplicaVerdict]) -> list[str]:
    """The servers of these replicas, each once, in their order."""
    return list(dict.fromkeys(verdict.replica.server.label for verdict in verdicts))


def where(verdicts: Sequence[ReplicaVerdict]) -> str:
    """A single server by its name, more of them by their number."""
    names = hosts(verdicts)
    return names[0] if len(names) == 1 else f"{len(names)} servers"


def facts(verdict: ReplicaVerdict, now: datetime) -> str:
    """What is known of one replica; what is not known is not mentioned, unless that is the news."""
    replica, manifest = verdict.replica, verdict.replica.manifest.value
    phrases = [
        *_revision(verdict),
        *(_published(manifest, now) if manifest else ()),
        *_partial([verdict]),
        *_snapshot(replica, now),
        *_whitelist(replica, now),
        *(_root_catalog(manifest) if manifest else ()),
        *_signed([verdict]),
        *(_unread(verdict) if verdict.health is Health.UNKNOWN else ()),
        *((f"served as {replica.alias}",) if replica.alias else ()),
    ]
    return ", ".join(phrases)


def newest(verdicts: Sequence[ReplicaVerdict], now: datetime, *, named: bool = False) -> str:
    """The reference's revision, else the highest one that was read; `named` says on which server."""
    read = [(one, one.replica.manifest.value) for one in verdicts if one.replica.manifest.value is not None]
    if not read:
        return "no revision known"
    verdict, manifest = max(read, key=lambda pair: (pair[0].is_reference, pair[0].believed, pair[1].revision))
    on = f" on {verdict.replica.server.label}" if named else ""
    return ", ".join((f"rev {manifest.revision}{on}", *_published(manifest, now)))


def together(verdicts: Sequence[ReplicaVerdict], now: datetime) -> str:
    """Replicas that are well, in one phrase; a small lag is well too, so it is told."""
    what = (*_alone(verdicts), *_late(verdicts), *_partial(verdicts), *_snapshots(verdicts, now), *_signed(verdicts))
    return ", ".join((newest(verdicts, now), *what))


def _revision(verdict: ReplicaVerdict) -> Iterator[str]:
    manifest = verdict.replica.manifest
    yield (f"not read: {ended(manifest.result)}" if manifest.value is None else f"rev {manifest.value.revision}")
    if verdict.is_reference:
        yield from _alone([verdict]) or ("source" if verdict.replica.source else "reference",)
    if verdict.revisions_behind:
        yield f"{abs(verdict.revisions_behind)} {'behind' if verdict.revisions_behind > 0 else 'ahead'}"
    if verdict.lag:
        yield f"lag {in_words(verdict.lag)}"
    if verdict.diverged:
        yield "diverged"


def _published(manifest: Manifest, now: datetime) -> Iterator[str]:
    if manifest.published is not None:
        yield f"published {in_words(_since(manifest.published, now))} ago"


def _root_catalog(manifest: Manifest) -> Iterator[str]:
    if manifest.root_size is not None:
        yield f"root catalog {size(manifest.root_size)}"


def _snapshot(replica: Replica, now: datetime) -> Iterator[str]:
    if replica.status.value is not None and replica.status.value.last_snapshot is not None:
        yield f"snapshot {in_words(_since(replica.status.value.last_snapshot, now))} ago"
    running = replica.snapshotting.value
    if running is not None:
        yield (f"snapshot running for {in_words(_since(running.since, now))}" if running.since else "snapshot running")


def _whitelist(replica: Replica, now: datetime) -> Iterator[str]:
    if replica.whitelist.value is not None:
        left = replica.whitelist.value.refused_from - now
        refused = left <= timedelta(0)
        yield f"whitelist refused for {in_words(left)}" if refused else f"whitelist {in_words(left)} left"


def _unread(verdict: ReplicaVerdict) -> Iterator[str]:
    """Why there is no verdict: the documents that did not come, or why the manifest did not."""
    replica = verdict.replica
    if not replica.up:
        yield from () if verdict.findings else (replica.manifest.why,)
        return
    for name, reading in (
        ("status", replica.status),
        ("snapshot marker", replica.snapshotting),
        ("whitelist", replica.whitelist),
    ):
        if not reading.answered:
            yield f"{name} not read: {ended(reading.result)}"


def _alone(verdicts: Sequence[ReplicaVerdict]) -> tuple[str, ...]:
    """Said where the reference is a copy that no other was compared with: whether it is late is not known."""
    alone = any(one.is_reference and one.lag is None and not one.replica.source for one in verdicts)
    return ("nothing to compare with",) if alone else ()


def _late(verdicts: Sequence[ReplicaVerdict]) -> Iterator[str]:
    late = [verdict for verdict in verdicts if (verdict.revisions_behind or 0) > 0]
    if late:
        most = max(verdict.revisions_behind or 0 for verdict in late)
        lag = max(verdict.lag or timedelta(0) for verdict in late)
        since = f" (lag {in_words(lag)})" if lag else ""
        yield f"{where(late)} {'up to ' * (len(late) > 1)}{most} behind{since}"


def _partial(verdicts: Sequence[ReplicaVerdict]) -> Iterator[str]:
    """Said of replicas that have only a part of their repository: not everything is to be had there."""
    some = [one for one in verdicts if one.replica.partial is not None and one.replica.partial.value]
    if some:
        yield "partial" if len(verdicts) == 1 else f"partial on {where(some)}"


def _snapshots(verdicts: Sequence[ReplicaVerdict], now: datetime) -> Iterator[str]:
    ages = [
        _since(status.last_snapshot, now)
        for verdict in verdicts
        if (status := verdict.replica.status.value) is not None and status.last_snapshot is not None
    ]
    if ages:
        first, last = in_words(min(ages)), in_words(max(ages))
        yield f"snapshot{'s' * (len(ages) > 1)} {first if first == last else f'{first} to {last}'} ago"


def _signed(verdicts: Sequence[ReplicaVerdict]) -> Iterator[str]:
    """By which master key, where the signatures were found good; what is wrong with others is a finding."""
    keys = {one.trust.key.name.rpartition("/")[2] for one in verdicts if one.trust and one.trust.key}
    good = all(one.trust is not None and one.trust.signature is Signature.OK for one in verdicts)
    if keys and good:
        yield f"signed by {', '.join(sorted(keys))}"


def _since(moment: datetime, now: datetime) -> timedelta:
    """Never negative: a server's clock may be ahead of ours."""
    return max(timedelta(0), now - moment)
