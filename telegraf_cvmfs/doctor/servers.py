"""What `--check` says of the servers of a fleet, in plain words: each was tried once, nothing was scraped. Pure.

The sentences are for somebody who sees the word "whitelist" for the first time, or is too tired to think.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from telegraf_cvmfs.model import Backend, Cause, Fleet, Reading, Replica, Result, Role, Signature, Stratum, Trust
from telegraf_cvmfs.net.answer import NOT_SERVED
from telegraf_cvmfs.net.question import Status
from telegraf_cvmfs.words.duration import in_words
from telegraf_cvmfs.words.text import listed, tame

LONGEST_LINE = 400
"""Characters: what a server says may be quoted, and it may say much."""

NOT_SHOWN = (*NOT_SERVED, Status.FORBIDDEN)

ADVICE: Mapping[tuple[Result, Cause | None], str] = {
    (Result.DNS_ERROR, None): (
        "the name cannot be looked up from here: is it spelt right, and has this machine a DNS server?"
    ),
    (Result.CONNECTION_FAILED, Cause.PROXY): (
        "the proxy was not reached, and the server not asked: is [scrape] proxy right in the fleet file?"
    ),
    (Result.CONNECTION_FAILED, Cause.REFUSED): (
        "the machine is there, but nothing listens at this port: is it right (80, 8000)? Does its web server run?"
    ),
    (Result.CONNECTION_FAILED, Cause.UNREACHABLE): (
        "there is no way to it from here: is the address right, is a firewall between, does it take a proxy?"
    ),
    (Result.CONNECTION_FAILED, None): (
        "it hung up before it had answered: is this the port of its web server (80, 8000)? Does it want https?"
    ),
    (Result.TIMEOUT, Cause.UNCONNECTED): (
        "no connection came about: is the address right? a firewall that drops packets, or a dead machine?"
    ),
    (Result.TIMEOUT, None): (
        "it did not answer in time: a firewall that drops packets looks like this, and so does an overloaded server"
    ),
    (Result.TLS_ERROR, Cause.EXPIRED_CERTIFICATE): (
        "its operators must renew the certificate of its web server; or is the clock of this machine wrong?"
    ),
    (Result.TLS_ERROR, Cause.OTHER_NAME): (
        "the certificate of its web server is for another name: write that name into `url`, if it is the same server"
    ),
    (Result.TLS_ERROR, Cause.NOT_TLS): "write http:// instead of https:// into `url`, or the port that speaks https",
    (Result.TLS_ERROR, Cause.UNTRUSTED): (
        "nobody whom this machine trusts signed its certificate: the variable SSL_CERT_FILE can name an authority"
    ),
    (Result.TLS_ERROR, None): (
        "the encrypted connection failed: does this port speak https? If not, write http:// into `url`"
    ),
    (Result.INVALID, None): (
        "something answers, but not with a list of repositories: is there another web site at this address or port?"
    ),
    (Result.TOO_LARGE, None): (
        "that is more than any CernVM-FS server has to say: is there another web site at this address or port?"
    ),
    (Result.DEADLINE, None): "there was no time left to ask it: give more with --deadline, or [scrape] deadline",
    (
        Result.OWN_LIMIT,
        None,
    ): "that is a limit of this machine, and says nothing of the server: raise it, and try again",
    (Result.REDIRECTED, Cause.NOT_FOLLOWED): (
        "write that address into `url`; or, if its clients have CVMFS_FOLLOW_REDIRECTS, follow_redirects = true for it"
    ),
    (Result.REDIRECTED, Cause.OTHER_SERVER): "write the address to which it redirects into `url`, if you trust it",
    (Result.REDIRECTED, Cause.REDIRECTS): (
        "its web server is set up wrongly: nothing can be read through such redirects"
    ),
    (Result.HTTP_ERROR, Cause.NOT_HTTP): "what listens at this port is no web server: is the port right?",
    (Result.HTTP_ERROR, Cause.SERVER_ERROR): (
        "the web server is there, but in trouble (or what it stands before is): its operators find why in its log"
    ),
    (Result.HTTP_ERROR, None): (
        "the web server is there, but does not give its list to this machine: ask its operators"
    ),
}
"""What to do about a result of this cause; with None, of any other cause."""


def check(
    fleet: Fleet, strata: Iterable[Stratum], trust_of: Callable[[Replica], Trust | None] = lambda _replica: None
) -> Iterator[str]:
    """Lines that say what would be scraped, and what is wrong with each server and what to do.

    Args:
        fleet: what is watched.
        strata: each of its servers, as far as it was tried.
        trust_of: what a client with the fleet's keys would make of a repository now; by default nobody asks.
    """
    yield tame(
        f"fleet {fleet.name}: {_many(len(fleet.servers), 'server')}, a run takes at most {in_words(fleet.deadline)}",
        LONGEST_LINE,
    )
    strata = tuple(strata)
    for stratum in strata:
        server = stratum.server
        lines = (f"{server.role.value} at {server.url}", *_server(fleet, stratum), *_keys(stratum, trust_of))
        yield from (tame(f"{server.name}: {line}", LONGEST_LINE) for line in lines)
    yield from (tame(line, LONGEST_LINE) for line in _alone(strata))


def is_wrong(stratum: Stratum, trust_of: Callable[[Replica], Trust | None] = lambda _replica: None) -> bool:
    """Does `check` call anything of this server wrong?"""
    unread = stratum.backend is not Backend.S3 and stratum.listing.value is None
    tried = [replica for replica in stratum.replicas if not replica.manifest.untried][:1]
    trusts = [trust_of(replica) for replica in stratum.replicas if replica.up][:1]
    refused = any(trust and trust.signature not in (Signature.OK, Signature.NO_KEY) for trust in trusts)
    return unread or refused or not stratum.replicas or not all(replica.up for replica in tried)


def _alone(strata: Iterable[Stratum]) -> Iterator[str]:
    """A line if there are copies that can be compared with nothing: nobody would see that they lag behind."""
    servers: dict[str, set[str]] = defaultdict(set)
    published = set()
    for stratum in strata:
        for replica in stratum.replicas:
            servers[replica.repo].add(replica.server.label)
            if replica.source:
                published.add(replica.repo)
    if alone := sorted(repo for repo, names in servers.items() if len(names) == 1 and repo not in published):
        yield (
            f"nothing to compare with, so nobody sees how far behind it is: {listed(alone)}. Name the stratum 0 in the "
            "fleet file (or with --stratum0), or a second server that has it"
        )


def _keys(stratum: Stratum, trust_of: Callable[[Replica], Trust | None]) -> Iterator[str]:
    """Lines that say whether the master keys fit one repository: each of them is judged when it is scraped."""
    for replica in [replica for replica in stratum.replicas if replica.up][:1]:
        trust = trust_of(replica)
        if trust is None:
            continue
        if trust.signature is Signature.NO_KEY:
            yield (
                f"no master key is given for {replica.repo}, or none that fits, so its signatures are not all verified:"
                ' keys = ["the.key.pub"] or key_dirs = ["/etc/cvmfs/keys"] in the fleet file, or --key'
            )
        elif trust.signature is Signature.OK and trust.key is not None:
            yield f"ok: the signatures of {replica.repo} are good, with the key {trust.key.name}"
        elif trust.signature is Signature.WHITELIST_INVALID:
            yield f"wrong: the master keys do not fit {replica.repo}, or it is forged: {trust.why}"
            yield "compare them with the keys of its clients, /etc/cvmfs/keys/<domain>/*.pub"
        else:
            yield f"wrong: clients would not take {replica.repo}: {trust.why}"


def _server(fleet: Fleet, stratum: Stratum) -> Iterator[str]:
    if stratum.backend is Backend.S3:
        yield from _s3(stratum)
    elif stratum.listing.value is not None:
        yield from _listed(fleet, stratum)
    else:
        yield from _unlisted(stratum)


def _listed(fleet: Fleet, stratum: Stratum) -> Iterator[str]:
    entries = () if stratum.listing.value is None else stratum.listing.value.entries
    watched = len(stratum.replicas)
    verdict = "ok" if watched else "wrong"
    yield f"{verdict}: it lists {_many(len(entries), 'repository')}; {watched} would be scraped"
    if entries and not watched:
        left = listed(fleet.only)
        why = f"`only` lets none of them through ({left})" if left else "`ignore_repos` leaves none of them"
        yield f"nothing would be scraped: {why}; it has {listed([entry.name for entry in entries])}"
    if not entries:
        yield "it has no repositories (yet); if it should, run `cvmfs_server update-info` on it, as root"
    yield from _role(stratum)
    yield from _first_manifest(stratum)


def _role(stratum: Stratum) -> Iterator[str]:
    """A line if a server is not what the fleet file calls it; one that publishes and replicates may be either."""
    kinds = {entry.replica for entry in stratum.listing.value.entries} if stratum.listing.value else set()
    role = stratum.server.role
    if kinds == {False} and role is not Role.STRATUM0:
        yield f'it publishes all of them and replicates none: should its role be "stratum0", not "{role.value}"?'
    if kinds == {True} and role is Role.STRATUM0:
        yield 'it replicates all of them and publishes none: should its role be "stratum1" (or "sync"), not "stratum0"?'


def _s3(stratum: Stratum) -> Iterator[str]:
    if stratum.replicas:
        named = listed([replica.repo for replica in stratum.replicas])
        yield f"ok: S3 has no list of repositories; what the fleet file names would be scraped: {named}"
        yield from _first_manifest(stratum)
    else:
        yield "wrong: nothing would be scraped: S3 has no list of repositories, and the fleet file names none for it"
        yield 'write the names of its repositories into the fleet file: repos = ["a.example.org", "b.example.org"]'


def _unlisted(stratum: Stratum) -> Iterator[str]:
    listing = stratum.listing
    yield f"wrong: its list of repositories cannot be read: {listing.why}"
    if listing.http_status in NOT_SHOWN:
        yield (
            "it is a web server without such a list: perhaps an S3 bucket. Then say so in the fleet file: "
            'backend = "s3" and repos = ["a.example.org", "b.example.org"], the names of its repositories'
        )
        yield (
            "or `url` is not that of the server itself: it is what stands before /@fqrn@ in CVMFS_SERVER_URL of its "
            "clients, or behind -w of `cvmfs_server mkfs -s`"
        )
    else:
        yield from _advice(listing)
    yield from _first_manifest(stratum)


def _advice(reading: Reading[Any]) -> Iterator[str]:
    """A line that says what to do about a document that was not read; none where nobody knows."""
    advice = ADVICE.get((reading.result, reading.cause)) or ADVICE.get((reading.result, None))
    if advice is not None:
        yield advice


def _first_manifest(stratum: Stratum) -> Iterator[str]:
    tried = [replica for replica in stratum.replicas if not replica.manifest.untried]
    for replica in tried[:1]:
        if replica.up:
            at = f" from {replica.url.removesuffix('/.cvmfspublished')}" if stratum.backend is Backend.S3 else ""
            yield f"ok: {replica.repo} can be read{at}"
        else:
            yield f"wrong: {replica.repo} cannot be read from {replica.url}: {replica.manifest.why}"


def _many(count: int, noun: str) -> str:
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{count} {noun if count == 1 else plural}"
