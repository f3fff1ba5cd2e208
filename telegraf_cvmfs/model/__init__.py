"""The nouns: what is watched, what was found there, and what was made of it.

Everything here is a value. Three groups follow the flow of a run: the *fleet* (what an operator asked
to have watched), the *reading* (what the strata served, document by document), the *verdict* (what that
means for the people who depend on it). A finished run is one `Run`.

Times are aware UTC `datetime`, spans are `timedelta`, sizes are bytes.
"""

from __future__ import annotations

from telegraf_cvmfs.model.documents import (
    Entry,
    Letter,
    Listing,
    Manifest,
    Meta,
    Partial,
    RootCatalog,
    RootCatalogState,
    Snapshotting,
    Status,
    Whitelist,
)
from telegraf_cvmfs.model.errors import ConfigError, FetchError, ParseError, ScrapeError
from telegraf_cvmfs.model.finding import (
    FINDINGS,
    LIMITS,
    REPLICA_FINDINGS,
    REPOSITORY_FINDINGS,
    SERVER_FINDINGS,
    SEVERITY,
    Finding,
    Health,
    Limit,
    Subject,
    worst,
)
from telegraf_cvmfs.model.fleet import (
    PAUSE,
    Access,
    Backend,
    Fleet,
    GeoAPI,
    History,
    Keep,
    RepositoryRule,
    Role,
    Server,
    TransportName,
)
from telegraf_cvmfs.model.maintenance import Maintenance, matches
from telegraf_cvmfs.model.reading import Answer, Listed, Reading, Replica, Scrape, Stratum, Traffic
from telegraf_cvmfs.model.result import Cause, Coded, GeoAPIStatus, Result
from telegraf_cvmfs.model.signature import Key, Signature, Trust
from telegraf_cvmfs.model.verdict import ReplicaVerdict, RepositoryVerdict, Run, ServerVerdict
