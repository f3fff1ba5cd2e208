"""`--check`: why Telegraf shows nothing, in plain words. Each server is tried once, nothing is scraped. Pure.

The sentences are for somebody who sees the word "whitelist" for the first time, or is too tired to think.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from telegraf_cvmfs.duration import duration, in_words
from telegraf_cvmfs.model import Backend, Fleet, Result, Role, Stratum

TELEGRAF_TIMEOUT = timedelta(seconds=5)
"""What inputs.exec gives a command unless it is told otherwise."""

NOT_SHOWN = (403, 404)

ADVICE: Mapping[Result, str] = {
    Result.DNS_ERROR: "the name cannot be looked up from here: is it spelt right, and has this machine a DNS server?",
    Result.CONNECTION_FAILED: "nobody answers there: is the port right (80 and 8000 are usual), is a firewall in "
    'between, does this machine need a proxy ([scrape] proxy = "http://…")?',
    Result.TIMEOUT: "it did not answer in time: so does a firewall that drops packets, or an overloaded server",
    Result.TLS_ERROR: "the encrypted connection failed: is it really https, is the certificate valid for this name? An "
    "authority of your own can be given with SSL_CERT_FILE",
    Result.INVALID: "it answers, but not with a list of repositories: is there another web server at this port?",
    Result.TOO_LARGE: "its list is larger than any CernVM-FS server's: is there another web server at this port?",
    Result.DEADLINE: "there was no time left to ask: give more with --deadline",
}


def check(fleet: Fleet, strata: Iterable[Stratum]) -> Iterator[str]:
    """Lines that say what would be scraped, and what is wrong with each server and what to do."""
    yield f"fleet {fleet.name}: {_many(len(fleet.servers), 'server')}, deadline {in_words(fleet.deadline)}"
    for stratum in strata:
        server = stratum.server
        yield f"{server.name} ({server.role.value}, {server.url})"
        yield from (f"  {line}" for line in _server(fleet, stratum))


def _server(fleet: Fleet, stratum: Stratum) -> Iterator[str]:
    if stratum.backend is Backend.S3:
        yield from _s3(stratum)
    elif stratum.listing.value is not None:
        yield from _listed(fleet, stratum)
    else:
        yield from _unlisted(stratum)


def _listed(fleet: Fleet, stratum: Stratum) -> Iterator[str]:
    listing = stratum.listing.value
    entries = () if listing is None else listing.entries
    watched = len(stratum.replicas)
    yield f"ok: it lists {_many(len(entries), 'repository')}, {watched} of them would be scraped"
    if entries and not watched:
        left = ", ".join(fleet.only) or "all are ignored"
        yield f"nothing would be scraped: `only` and `ignore_repos` leave none of them ({left})"
    if not entries:
        yield "it has no repositories (yet): has `cvmfs_server update-info` been run there, as root?"
    replicas = [entry for entry in entries if entry.replica]
    if entries and not replicas and stratum.server.role is not Role.STRATUM0:
        yield 'it publishes all of them and replicates none: should its role be "stratum0"?'
    if replicas and len(replicas) == len(entries) and stratum.server.role is Role.STRATUM0:
        yield 'it replicates all of them and publishes none: should its role be "stratum1" or "sync"?'
    yield from _first_manifest(stratum)


def _s3(stratum: Stratum) -> Iterator[str]:
    named = ", ".join(replica.repo for replica in stratum.replicas)
    if stratum.replicas:
        yield f"S3: it has no list, so these would be scraped: {named}"
        yield from _first_manifest(stratum)
    else:
        yield "nothing would be scraped: S3 has no list, and no repository is named for it; name them: repos = [...]"


def _unlisted(stratum: Stratum) -> Iterator[str]:
    listing = stratum.listing
    yield f"wrong: {listing.why}"
    if listing.http_status in NOT_SHOWN:
        yield "it does not show a list of repositories: perhaps it is an S3 bucket, then say"
        yield '  backend = "s3" and repos = ["the.names", "of.its.repositories"]'
        yield "or the URL is not that of the server itself (what is before /cvmfs/ in CVMFS_SERVER_URL)"
    elif "redirected" in listing.why:
        yield "write the address that it redirects to into `url`"
    else:
        yield ADVICE.get(listing.result, "the server itself says that something is wrong with it: see its own log")


def _first_manifest(stratum: Stratum) -> Iterator[str]:
    tried = [replica for replica in stratum.replicas if replica.manifest.result is not Result.DEADLINE]
    for replica in tried[:1]:
        if replica.up:
            yield f"ok: {replica.repo} can be read"
        else:
            yield f"wrong: {replica.repo} cannot be read from {replica.url}: {replica.manifest.why}"


def telegraf_settings(name: str, text: str, deadline: timedelta) -> Iterator[str]:
    """What is wrong with one of Telegraf's own files, for this program; nothing if it has nothing to do with it."""
    try:
        inputs = tomllib.loads(text).get("inputs", {})
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        yield f"{name}: not TOML, Telegraf will not start with it: {error}"
        return
    for table in _tables(inputs, "exec"):
        if "telegraf-cvmfs" in str(table.get("commands", "")) or "telegraf_cvmfs" in str(table.get("commands", "")):
            yield from (f"{name}: {line}" for line in _exec_input(table, deadline))


def _tables(inputs: Any, kind: str) -> list[dict[str, Any]]:  # noqa: ANN401
    tables = inputs.get(kind, []) if isinstance(inputs, dict) else []
    return [table for table in tables if isinstance(table, dict)] if isinstance(tables, list) else []


def _exec_input(table: Mapping[str, Any], deadline: timedelta) -> Iterator[str]:
    if table.get("data_format", "json") != "influx":
        yield 'data_format is not "influx": Telegraf would read the output as JSON, and fail'
    timeout = _timeout(table.get("timeout"))
    if timeout is None:
        yield "its timeout is not understood here; it must be longer than the deadline"
    elif timeout <= deadline:
        yield (
            f"its timeout is {in_words(timeout)}, and a run may take {in_words(deadline)}: "
            f"a slow run would be cut off; make the timeout longer than the deadline"
        )
    else:
        yield f"ok: its timeout of {in_words(timeout)} is longer than the deadline of {in_words(deadline)}"


def _timeout(written: object) -> timedelta | None:
    """The time-out of an input; of `${NAME:-60s}` the default, which is what a shell without NAME gives."""
    if written is None:
        return TELEGRAF_TIMEOUT
    text = re.sub(r"^\$\{\w+:-(.*)\}$", r"\1", str(written))
    try:
        return duration(text)
    except ValueError:
        return None


def _many(count: int, noun: str) -> str:
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{count} {noun if count == 1 else plural}"
