"""The demo's GeoAPI: which of the servers asked for is nearest, from a small table of places."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

Place = tuple[float, float]  # latitude and longitude, degrees

PLACES: Mapping[str, Place] = {
    "cvmfs-stratum-one.cern.ch": (46.23, 6.05),
    "cvmfs-s1fnal.opensciencegrid.org": (41.84, -88.26),
    "cvmfs-stratum-one.ihep.ac.cn": (39.92, 116.25),
    "stratum0.demo.example": (46.23, 6.05),
    "stratum1-healthy.demo.example": (52.36, 4.95),
    "stratum1-lagging.demo.example": (43.66, -79.39),
    "stratum1-down.demo.example": (-33.89, 151.19),
    "stratum1-faulty.demo.example": (35.68, 139.77),
    "127.0.0.1": (46.23, 6.05),
    "localhost": (46.23, 6.05),
}

_REQUEST = re.compile(r"/cvmfs/(?P<repo>[^/]+)/api(?P<rest>/.*)?")
_GEO = re.compile(r"/v1\.0/geo/(?P<question>.*)")


def is_geoapi(path: str) -> bool:
    """Does this path belong to a repository's API and not to its files?"""
    return _REQUEST.fullmatch(path) is not None


def answer(path: str, requester: str) -> tuple[int, str]:
    """Status and text for `/cvmfs/<repo>/api/v1.0/geo/<origin>/<host>,<host>,…`.

    The text numbers the hosts from 1, nearest first; hosts at the same place keep the order asked, unknown
    ones go last. An unknown origin gives way to the requester. CernVM-FS, webapi/cvmfs_geo.py.
    """
    request = _REQUEST.fullmatch(path)
    geo = _GEO.fullmatch((request and request["rest"]) or "")
    if request is None or geo is None:
        return _refusal("malformed api URL: " + re.sub("/api(?=/|$)", "", path.removeprefix("/cvmfs"), count=1))
    origin_name, slash, hosts = geo["question"].partition("/")
    if not slash:
        return _refusal("no slash in geo path")
    origin = PLACES.get(origin_name) or PLACES.get(requester)
    if origin is None:
        return _refusal("remote addr not found in database")
    return _ordered(origin, hosts.split(","))


def distance(one: Place, other: Place) -> float:
    """Along the great circle, as an angle in radians."""
    (north, east), (other_north, other_east) = (map(math.radians, place) for place in (one, other))
    along = math.sin((other_north - north) / 2) ** 2
    across = math.sin((other_east - east) / 2) ** 2 * math.cos(north) * math.cos(other_north)
    return 2 * math.asin(math.sqrt(along + across))


def _ordered(origin: Place, hosts: list[str]) -> tuple[int, str]:
    if not any(host in PLACES for host in hosts):
        return _refusal("no server addr found in database")
    away = [distance(origin, PLACES[host]) if host in PLACES else math.inf for host in hosts]
    order = sorted(range(len(hosts)), key=away.__getitem__)
    return 200, ",".join(str(index + 1) for index in order) + "\n"


def _refusal(reason: str) -> tuple[int, str]:
    return 400, f"Bad Request: {reason}\n"
