"""A run as one JSON document: the points by server and repository, and what is not a time series.

Fields have the names, types and units of the table in `schema`; what is not known is left out. `schema`
counts the changes that break a reader; a new key does not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC
from typing import Any

from telegraf_cvmfs._version import __version__
from telegraf_cvmfs.emit.line_protocol import writable
from telegraf_cvmfs.model import Finding, Replica, ReplicaVerdict, RepositoryVerdict, Run, ServerVerdict
from telegraf_cvmfs.points.rows import Point, points, unix
from telegraf_cvmfs.points.schema import PUBLISH, REPO, REPOSITORY, SCRAPE, SERVER
from telegraf_cvmfs.words.text import one_line

SCHEMA = 1

_OF_META = ("administrator", "email", "organisation")
_OF_LISTING = ("os_id", "os_version_id", "os_pretty_name")
_OF_MANIFEST = (
    "root_path_hash",
    "certificate",
    "history",
    "metainfo",
    "reflog_checksum",
    "micro_catalog",
    "alternative_path",
)

_Object = dict[str, Any]
_Place = tuple[str, ...]


def render(run: Run) -> str:
    """The document, in ASCII, with a newline at its end."""
    return json.dumps(_tamed(document(run)), ensure_ascii=True, allow_nan=False, indent=2) + "\n"


def document(run: Run) -> _Object:
    """The document before it is text."""
    rows = points(run)
    fields = {_place(row): _fields(row) for row in rows}
    return {
        "schema": SCHEMA,
        "program": "telegraf-cvmfs",
        "version": __version__,
        "fleet": run.fleet.name,
        "started": run.started.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "scrape": fields[SCRAPE, "", "", "", ""],
        "servers": [_server(verdict, fields) for verdict in run.servers],
        "repositories": [_repository(verdict, fields) for verdict in run.repositories],
        "publications": [_publication(row) for row in rows if row.measurement == PUBLISH],
    }


def _place(row: Point) -> _Place:
    return row.measurement, *(row.tags.get(name, "") for name in ("server", "address", "repo", "alias"))


def _fields(row: Point) -> _Object:
    return {name: value for name, value in row.fields.items() if writable(value)}


def _publication(row: Point) -> _Object:
    return {"repo": row.tags.get("repo"), "published": unix(row.time)} | _fields(row)


def _server(verdict: ServerVerdict, fields: Mapping[_Place, _Object]) -> _Object:
    stratum = verdict.stratum
    server, listing = stratum.server, stratum.listing.value
    return (
        {"server": server.name, "role": server.role.value, "url": server.url}
        | _known(server, ("address",))
        | fields[SERVER, server.name, server.address or "", "", ""]
        | _known(stratum.meta.value, _OF_META)
        | _known(listing, _OF_LISTING)
        | {
            "rejected": [] if listing is None else list(listing.rejected),
            "not_understood": [clause for one in (listing, stratum.meta.value) if one for _, clause in one.unreadable],
            "findings": _findings(verdict.findings),
            "replicas": [_replica(one, fields) for one in verdict.replicas],
        }
    )


def _replica(verdict: ReplicaVerdict, fields: Mapping[_Place, _Object]) -> _Object:
    replica = verdict.replica
    return (
        {"repo": replica.repo}
        | _known(replica, ("alias",))
        | fields[REPO, replica.server.name, replica.server.address or "", replica.repo, replica.alias or ""]
        | {
            "pass_through": replica.pass_through,
            "is_reference": verdict.is_reference,
            "findings": _findings(verdict.findings),
        }
        | _documents(replica)
        | _trust(verdict)
    )


def _repository(verdict: RepositoryVerdict, fields: Mapping[_Place, _Object]) -> _Object:
    own = fields[REPOSITORY, "", "", verdict.repo, ""]
    return {"repo": verdict.repo} | own | {"findings": _findings(verdict.findings)}


def _trust(verdict: ReplicaVerdict) -> _Object:
    """Who signed: which master key matched, and the certificate, whose own dates clients do not look at."""
    trust = verdict.trust
    if trust is None:
        return {}
    known = {
        "why": trust.why or None,
        "master_key": trust.key and trust.key.name,
        "master_key_fingerprint": trust.key and trust.key.fingerprint,
        "fingerprint": trust.fingerprint,
        "subject": trust.subject,
        "not_after": trust.not_after and trust.not_after.isoformat(),
    }
    return {"trust": {name: value for name, value in known.items() if value is not None}}


def _documents(replica: Replica) -> _Object:
    manifest, whitelist = replica.manifest.value, replica.whitelist.value
    known: _Object = {}
    if manifest is not None:
        known["manifest"] = _known(manifest, _OF_MANIFEST)
    if whitelist is not None:
        known["whitelist"] = {"fingerprints": list(whitelist.fingerprints)}
    return known


def _known(thing: object, names: Iterable[str]) -> _Object:
    return {name: value for name in names if (value := getattr(thing, name, None)) is not None}


def _findings(findings: Iterable[Finding]) -> list[_Object]:
    return [{"finding": one.slug, "health": int(one.health), "problem": one.problem} for one in findings]


def _tamed(value: Any) -> Any:  # noqa: ANN401 - anything that JSON has
    """The same with every text as the other formats have it; no reader need accept a lone surrogate."""
    if isinstance(value, dict):
        return {name: _tamed(content) for name, content in value.items()}
    if isinstance(value, list):
        return [_tamed(content) for content in value]
    return one_line(value) if isinstance(value, str) else value
