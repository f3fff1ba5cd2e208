"""The test of a server's GeoAPI: one question, through a repository that it has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from telegraf_cvmfs.model import Cause, GeoAPI, GeoAPIStatus, Listed, Replica, Role, Server
from telegraf_cvmfs.scraping.asking.job import Job
from telegraf_cvmfs.scraping.documents import LARGEST_ORDER
from telegraf_cvmfs.scraping.reader import Reader, in_doubt
from telegraf_cvmfs.wire.geoapi import geo_path, judge_order, parse_order, question


@dataclass(frozen=True, slots=True)
class Tested:
    """What a server's GeoAPI is worth, why, and from what cause."""

    status: GeoAPIStatus = GeoAPIStatus.NOT_YET_TESTED
    why: str = ""
    cause: Cause | None = None
    in_doubt: bool = False
    """May it have been chance?"""


def probe_geoapi(
    reader: Reader, geoapi: GeoAPI, server: Server, replicas: Iterable[Replica], *, listed: bool
) -> Job[Tested]:
    """Test a server's GeoAPI; `listed`: it is known which repositories there are."""
    known = [replica for replica in replicas if replica.listed is not Listed.UNLISTED or replica.up]
    first = next((replica for replica in known if replica.up), next(iter(known), None))
    if server.role is Role.STRATUM0 or (first is None and listed):
        return Tested(GeoAPIStatus.NOT_FOUND)
    if first is None or not (first.up or listed):
        return Tested()
    return (yield from _ask(reader, geoapi, first))


def _ask(reader: Reader, geoapi: GeoAPI, replica: Replica) -> Job[Tested]:
    origin, hosts = question(geoapi)
    url = geo_path(replica.url.removesuffix("/.cvmfspublished"), origin, hosts)
    reading = yield from reader.read(url, LARGEST_ORDER, lambda body: parse_order(body, len(hosts)))
    if reading.value is not None:
        order = ",".join(map(str, reading.value))
        right = judge_order(reading.value, geoapi)
        why = f"asked from {origin} for {','.join(hosts)} it answers {order}"
        return Tested(GeoAPIStatus.OK if right else GeoAPIStatus.LOCATION_ERROR, why)
    if reading.untried:
        return Tested(why=reading.why)
    return Tested(GeoAPIStatus.NO_RESPONSE, reading.why, reading.cause, in_doubt(reading))
