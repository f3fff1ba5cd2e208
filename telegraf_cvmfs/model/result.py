"""How something ended, as users read it: a word, and the number that stands for it."""

from __future__ import annotations

import enum


class Coded(enum.Enum):
    """Words that users read, each with the number that stands for it in a field."""

    def __init__(self, slug: str, code: int) -> None:
        self.slug = slug
        self.code = code


class Result(Coded):
    """How the reading of a document ended: the word, and the number that stands for it."""

    OK = ("ok", 0)
    NOT_FOUND = ("not_found", 1)
    CONNECTION_FAILED = ("connection_failed", 2)
    DNS_ERROR = ("dns_error", 3)
    TIMEOUT = ("timeout", 4)
    HTTP_ERROR = ("http_error", 5)
    TLS_ERROR = ("tls_error", 6)
    INVALID = ("invalid", 7)
    NAME_MISMATCH = ("name_mismatch", 8)
    TOO_LARGE = ("too_large", 9)
    DEADLINE = ("deadline", 10)
    UNLISTED = ("unlisted", 11)
    REDIRECTED = ("redirected", 12)
    OWN_LIMIT = ("own_limit", 13)  # this machine gave us too few files, too little memory, too few threads

    @property
    def ours(self) -> bool:
        """Does it say nothing of the server? The run ended first, or had too little of something itself."""
        return self in (Result.DEADLINE, Result.OWN_LIMIT)


class Cause(enum.Enum):
    """What exactly kept a document from being read, where more is known than its `Result`."""

    PROXY = "proxy"  # the proxy was not reached, or did not let it through
    REFUSED = "refused"  # nothing listens at the port
    UNREACHABLE = "unreachable"  # there is no way to the machine
    UNCONNECTED = "unconnected"  # no connection came about in time
    EXPIRED_CERTIFICATE = "expired_certificate"  # the certificate of the web server has expired
    OTHER_NAME = "other_name"  # the certificate of the web server is for another name
    UNTRUSTED = "untrusted"  # nobody who is trusted signed the certificate of the web server, or it wants one
    NOT_TLS = "not_tls"  # what listens at the port does not speak TLS
    OTHER_SERVER = "other_server"  # a redirect leads to another server
    NOT_FOLLOWED = "not_followed"  # a redirect leads to another place on the server, and need not be followed
    REDIRECTS = "redirects"  # redirects lead nowhere
    NOT_HTTP = "not_http"  # what listens at the port does not speak HTTP
    SERVER_ERROR = "server_error"  # a status from 500 to 599


class GeoAPIStatus(enum.IntEnum):
    """What a server's GeoAPI is worth; names and numbers are cvmfs-server-scraper's."""

    OK = 0
    LOCATION_ERROR = 1
    NO_RESPONSE = 2
    NOT_FOUND = 9
    NOT_YET_TESTED = 99

    @property
    def words(self) -> str:
        """What the number stands for, to a person."""
        return _GEOAPI[self]


_GEOAPI = {
    GeoAPIStatus.OK: "ok",
    GeoAPIStatus.LOCATION_ERROR: "wrong order",
    GeoAPIStatus.NO_RESPONSE: "no usable answer",
    GeoAPIStatus.NOT_FOUND: "nothing to test",
    GeoAPIStatus.NOT_YET_TESTED: "not tested",
}
