"""What can be wrong with a server as a whole; its repositories have findings of their own. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from telegraf_cvmfs.assess.finding import not_known, redirect_health, too_long
from telegraf_cvmfs.model import (
    Backend,
    Finding,
    Fleet,
    GeoAPIStatus,
    Health,
    Limit,
    Listing,
    Result,
    Role,
    Stratum,
)


def server_findings(fleet: Fleet, stratum: Stratum, now: datetime, *, followed: bool) -> Iterator[Finding]:
    """Everything that is wrong with a server, in no order; `followed`: its redirects were, until not long ago."""
    if not stratum.up:
        yield from _down(stratum, followed=followed)
        return
    if not stratum.listing.answered and stratum.backend is not Backend.S3:
        yield Finding("list_unread", Health.UNKNOWN, f"its list of repositories was not read: {stratum.listing.why}")
    elif stratum.listing.result is Result.NOT_FOUND and stratum.backend is not Backend.S3:
        yield Finding("list_unread", Health.UNKNOWN, "it has no list of repositories")
    elif stratum.listing.value is not None:
        yield from _list(stratum.listing.value)
    if stratum.server.geoapi:
        yield from _geodb(stratum, now)
    if fleet.geoapi.enabled and stratum.server.geoapi:
        yield from _geoapi(stratum, followed=followed)


def _list(listing: Listing) -> Iterator[Finding]:
    """What is in the list and is not understood: repositories may be missing here, or not be what they seem."""
    clauses = [clause for key, clause in listing.unreadable if key != "last_geodb_update"]
    if clauses := [*listing.rejected, *clauses]:
        more = f" (and {len(clauses) - 1} more)" if len(clauses) > 1 else ""
        yield Finding("list_unread", Health.UNKNOWN, f"its list of repositories: {clauses[0]}{more}")


def _down(stratum: Stratum, *, followed: bool) -> Iterator[Finding]:
    if gave_no_answer(stratum):
        if stratum.server.limits["server_down"].critical:
            health = redirect_health(stratum.answer.cause, followed=followed)
            yield Finding("server_down", health, f"nothing can be read from it: {stratum.answer.why}")
    elif stratum.backend is Backend.S3 and not stratum.replicas:
        yield Finding("server_down", Health.UNKNOWN, "S3 has no list, and no repository is named for it")
    else:
        yield Finding("server_down", Health.UNKNOWN, f"not known whether it answers: {stratum.answer.why}")


def gave_no_answer(stratum: Stratum) -> bool:
    """Did its list, or on S3 at least one manifest, really fail, and not only for what we lacked, time for instance?"""
    return not stratum.answer.untried


def _geodb(stratum: Stratum, now: datetime) -> Iterator[Finding]:
    listing = stratum.listing.value
    limit = stratum.server.limits["geodb_old"]
    if listing is None or stratum.server.role is Role.STRATUM0 or limit == Limit():
        return
    if clause := dict(listing.unreadable).get("last_geodb_update"):
        yield not_known("geodb_old", "how old its database of places is", clause)
    if listing.last_geodb_update is None:
        return
    age = now - listing.last_geodb_update
    yield from too_long(limit, "geodb_old", age, 1.0, "its database of places is {} old")


def _geoapi(stratum: Stratum, *, followed: bool) -> Iterator[Finding]:
    limits, why = stratum.server.limits, stratum.geoapi_why
    if stratum.geoapi_status is GeoAPIStatus.LOCATION_ERROR and limits["geoapi_wrong"].warning:
        yield Finding("geoapi_wrong", Health.WARNING, f"its GeoAPI puts servers in a wrong order: {why}")
    if stratum.geoapi_status is GeoAPIStatus.NO_RESPONSE and limits["geoapi_down"].critical:
        health = redirect_health(stratum.geoapi_cause, followed=followed)
        yield Finding("geoapi_down", health, f"its GeoAPI gives no usable answer: {why}")
    if stratum.geoapi_status is GeoAPIStatus.NOT_YET_TESTED and limits["geoapi_down"].critical:
        yield not_known("geoapi_down", "whether its GeoAPI works", why or "the run ended first")
