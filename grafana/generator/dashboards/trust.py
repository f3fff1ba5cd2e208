"""Would clients accept what the servers serve: whitelists, signatures, root catalogs."""

from __future__ import annotations

from grafana.generator import findings, links, question, scale
from grafana.generator.columns import COLUMNS, looks
from grafana.generator.dashboard import Dashboard, Row
from grafana.generator.look import Look
from grafana.generator.panel import FEW, NOTHING_FOUND, Curves, Panel, States, Table
from grafana.generator.question import Where
from grafana.generator.variables import REPOS, SERVERS
from telegraf_cvmfs.points.schema import REPO

_OF = ("fleet", "server", "repo")
_ALL_WELL = "empty where clients accept everything"

_COUNTS = (
    findings.count("whitelist", "Whitelists", "Replicas whose whitelist has ended or is about to.", width=6, of=_OF),
    findings.count(
        "signature",
        "Signatures refused",
        "Replicas that clients refuse: a link in the chain is wrong.",
        width=6,
        of=_OF,
    ),
    findings.count("root_catalog", "Root catalogs broken", "Replicas that clients cannot mount.", width=6, of=_OF),
    findings.count(
        "diverged", "Diverged", "Replicas with the same revision and another root catalog.", width=6, of=_OF
    ),
)

_WHITELIST_COLUMNS = ("repo", "server", "signature", "role", "address", "fleet")
_WHITELISTS = Panel(
    "Whitelists, soonest end first",
    "Time left until clients refuse the replica; what is not above 0 they refuse already. Under two days it wants"
    " somebody with the master key: sign the whitelist anew on the stratum 0. If only one server is late, it has not"
    " fetched the new one. At most 200 are listed.",
    Table(looks(("whitelist_expires_in", *_WHITELIST_COLUMNS)), sort="whitelist_expires_in", rising=True),
    question.Ranked("bottom", REPO, "whitelist_expires_in", _WHITELIST_COLUMNS, of=_OF),
)

_BAD_COLUMNS = ("severity", "signature", "repo", "server", "finding", "problem", "address", "alias", "fleet")
_SIGNATURES = Panel(
    "Signatures that are not ok",
    "What a client with the fleet's master keys would say: clients refuse the repository from this server. What could"
    " not be judged, for instance for want of a key, is left out; the repository's own page has it.",
    Table(looks(_BAD_COLUMNS), nothing=NOTHING_FOUND),
    question.Newest(REPO, _BAD_COLUMNS, of=_OF, only=(Where("signature_ok", "=", 0),)),
    quiet=_ALL_WELL,
)
_CATALOG_COLUMNS = ("severity", "root_catalog", "repo", "server", "problem", "root_hash", "address", "alias", "fleet")
_CATALOGS = Panel(
    "Root catalogs that are not ok",
    "Without its root catalog a repository cannot be mounted. *missing* and *empty* are seen in each run, *corrupt*"
    " when its bytes are read and hashed. Repair the replica from its source, see the finding's page.",
    Table(looks(_CATALOG_COLUMNS), nothing=NOTHING_FOUND),
    question.Newest(REPO, _CATALOG_COLUMNS, of=_OF, only=(Where("root_catalog_ok", "=", 0),)),
    quiet=_ALL_WELL,
)
_DIVERGED_COLUMNS = ("severity", "repo", "server", "revision", "root_hash", "problem", "address", "fleet")
_DIVERGED = Panel(
    "Diverged replicas",
    "The same revision number with another root catalog than the stratum 0 has (or, without one, another server):"
    " clients get other files depending on where they ask.",
    Table(looks(_DIVERGED_COLUMNS), nothing=NOTHING_FOUND),
    question.Newest(REPO, _DIVERGED_COLUMNS, of=_OF, only=(Where("diverged", ">", 0),)),
    quiet=_ALL_WELL,
)
_VERIFIED_COLUMNS = ("root_catalog", "repo", "server", "root_size", "root_hash", "address", "fleet")
_VERIFIED = Panel(
    "Root catalogs, longest unverified first",
    "How long ago the bytes of the root catalog were read from this server and hashed. The fleet file says how often"
    " (verify_every), and how large they may be; what was never hashed is not listed. At most 200 are.",
    Table(looks(("root_catalog_verified_age", *_VERIFIED_COLUMNS)), sort="root_catalog_verified_age"),
    question.Ranked("top", REPO, "root_catalog_verified_age", _VERIFIED_COLUMNS, of=_OF),
)

_LEFT = Panel(
    "Repositories with a week left or less",
    "The shortest time that any replica's whitelist has left, where that was a week or less. A curve falls evenly and"
    " is gone when the whitelist is signed anew. Under the upper line (two days) it is time, under the lower one"
    " clients refuse it.",
    Curves(
        Look(unit="s", scale=COLUMNS["whitelist_expires_in"].scale),
        "{repo} ({fleet})",
        limits=True,
        buckets=FEW,
        nothing="all had more than a week left, or no data in this time range",
    ),
    question.OverTime(
        "min",
        REPO,
        "whitelist_expires_in",
        ("fleet", "repo"),
        of=_OF,
        only=Where("whitelist_expires_in", "<=", 7 * scale.DAY),
    ),
    quiet="whitelists are signed anew before that",
)


def _not_ok(document: str, title: str, meaning: str, colors: scale.Scale) -> Panel:
    """What was surely not ok; what was not known is left out."""
    nothing = "none was surely not ok, or no data in this time range"
    view = States(colors, "{repo} ({fleet})", buckets=FEW, nothing=nothing)
    only = Where(f"{document}_ok", "=", 0)
    query = question.OverTime("max", REPO, f"{document}_code", ("fleet", "repo"), of=_OF, only=only)
    return Panel(title, meaning, view, query, width=12, quiet=_ALL_WELL)


_REFUSED = _not_ok(
    "signature",
    "Signatures that were not ok",
    "Repositories that clients refused from some server at some time in this range; the colour says what was wrong.",
    scale.SIGNATURE,
)
_BROKEN = _not_ok(
    "root_catalog",
    "Root catalogs that were not ok",
    "Repositories whose root catalog was missing, empty or corrupt on some server at some time in this time range.",
    scale.ROOT_CATALOG,
)

TRUST = Dashboard(
    links.TRUST,
    "CVMFS: trust",
    "Would clients accept what the servers serve: whitelists, signatures, root catalogs.",
    (
        Row(4, _COUNTS),
        Row(9, (_WHITELISTS,)),
        Row(7, (_SIGNATURES,)),
        Row(7, (_CATALOGS,)),
        Row(5, (_DIVERGED,)),
        Row(9, (_LEFT,), "Over time"),
        Row(8, (_REFUSED, _BROKEN)),
        Row(8, (_VERIFIED,), "Verification"),
    ),
    (SERVERS, REPOS),
)
