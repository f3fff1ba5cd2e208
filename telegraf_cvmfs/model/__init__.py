"""The nouns: what is watched, what was found there, and what was made of it.

Everything here is a value. Three groups follow the flow of a run: the *fleet* (what an operator asked
to have watched), the *reading* (what the strata served, document by document), the *verdict* (what that
means for the people who depend on it). A finished run is one `Run`.

Times are aware UTC `datetime`, spans are `timedelta`, sizes are bytes.
"""

from __future__ import annotations

from telegraf_cvmfs.model.fleet import (
    FINDINGS,
    SERVER_FINDINGS,
    SEVERITY,
    Backend,
    Fleet,
    GeoAPI,
    Health,
    Limit,
    RepositoryRule,
    Role,
    Server,
    worst,
)
from telegraf_cvmfs.model.reading import (
    Answer,
    Coded,
    ConfigError,
    Entry,
    FetchError,
    GeoAPIStatus,
    Letter,
    Listed,
    Listing,
    Manifest,
    Meta,
    ParseError,
    Reading,
    Replica,
    Result,
    RootCatalog,
    RootCatalogState,
    Scrape,
    ScrapeError,
    Snapshotting,
    Status,
    Stratum,
    Traffic,
    Whitelist,
)
from telegraf_cvmfs.model.signature import Key, Signature, Trust
from telegraf_cvmfs.model.verdict import (
    Finding,
    ReplicaVerdict,
    Run,
    ServerVerdict,
)

__all__ = [
    "FINDINGS",
    "SERVER_FINDINGS",
    "SEVERITY",
    "Answer",
    "Backend",
    "Coded",
    "ConfigError",
    "Entry",
    "FetchError",
    "Finding",
    "Fleet",
    "GeoAPI",
    "GeoAPIStatus",
    "Health",
    "Key",
    "Letter",
    "Limit",
    "Listed",
    "Listing",
    "Manifest",
    "Meta",
    "ParseError",
    "Reading",
    "Replica",
    "ReplicaVerdict",
    "RepositoryRule",
    "Result",
    "Role",
    "RootCatalog",
    "RootCatalogState",
    "Run",
    "Scrape",
    "ScrapeError",
    "Server",
    "ServerVerdict",
    "Signature",
    "Snapshotting",
    "Status",
    "Stratum",
    "Traffic",
    "Trust",
    "Whitelist",
    "worst",
]
