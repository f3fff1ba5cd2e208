"""The question that tells whether a GeoAPI works, its answer, and whether that answer is right.

A stratum 1 sorts servers by their distance from a place (CernVM-FS, cvmfs/webapi/cvmfs_geo.py).
"""

from __future__ import annotations

import re

from telegraf_cvmfs.model import GeoAPI, ParseError
from telegraf_cvmfs.words.text import shown

CANONICAL_ORIGIN = "cvmfs-stratum-one.cern.ch"
CANONICAL_SERVERS = (
    "cvmfs-s1fnal.opensciencegrid.org",
    "cvmfs-stratum-one.cern.ch",
    "cvmfs-stratum-one.ihep.ac.cn",
)
CANONICAL_ORDER = (2, 1, 3)
"""cvmfs-servermon's question and its answer, which depends on where none of those who ask are."""

_ORDER = re.compile(r" *[0-9]{1,9} *(?:, *[0-9]{1,9} *)*\n*")


def question(geoapi: GeoAPI) -> tuple[str, tuple[str, ...]]:
    """The origin and the hosts to ask with, none with a port: by default those of cvmfs-servermon.

    Of the fleet's own hosts the first is the origin, and it stays first: hosts at the same place tie in the
    order asked, so that in any other position it could rightly come second.
    """
    if geoapi.servers:
        return geoapi.servers[0], geoapi.servers
    return CANONICAL_ORIGIN, CANONICAL_SERVERS


def geo_path(repo_path: str, origin: str, hosts: tuple[str, ...]) -> str:
    """The path of the question, below that of any repository: the API does not look at which."""
    return f"{repo_path}/api/v1.0/geo/{origin}/{','.join(hosts)}"


def parse_order(body: bytes, asked: int) -> tuple[int, ...]:
    """The order of the answer, "2,1,3": positions in the question, counted from 1, the nearest first.

    ParseError unless it is a permutation of all that was asked, made of digits, commas, spaces and newlines;
    the client takes no other (CernVM-FS, DownloadManager::ValidateGeoReply).
    """
    text = body.decode("latin-1")
    if not _ORDER.fullmatch(text):
        raise ParseError("geoapi", f"not an order of servers: {shown(text)}")
    order = tuple(int(number) for number in text.split(","))
    if sorted(order) != list(range(1, asked + 1)):
        raise ParseError("geoapi", f"not an order of the {asked} servers asked for: {shown(text)}")
    return order


def judge_order(order: tuple[int, ...], geoapi: GeoAPI) -> bool:
    """Is this the right answer to `question`?"""
    if geoapi.servers:
        return order[:1] == (1,)
    return order == CANONICAL_ORDER
