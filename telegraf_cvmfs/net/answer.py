"""What both transports hold an answer to, and ask with: limits, headers, redirects. Pure."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

from telegraf_cvmfs._version import PROJECT_URL, __version__
from telegraf_cvmfs.model import Cause, FetchError, Result
from telegraf_cvmfs.words.secrecy import masked

HEADERS = {
    "User-Agent": f"telegraf-cvmfs/{__version__} (+{PROJECT_URL})",
    "Accept": "*/*",
    # As a CernVM-FS client: the bytes as they are stored. What comes encoded all the same is not decoded.
    "Accept-Encoding": "identity",
}

REQUEST_TIMEOUT = 10.0
"""Seconds for one request, from the look-up of the name to the last byte; a third of a run that is short."""

NOT_SERVED = (404, 410)
"""Statuses that say a document is not there."""

MAX_REDIRECTS = 4
"""As many as a client follows that follows any (CernVM-FS, DownloadManager::EnableRedirects)."""

MAX_HEAD = 64 * 1024
"""Bytes of headers, and as much again for what surrounds the pieces of a chunked body."""

MOST_HEADERS = 100

ERROR_PAGE, ERROR_PAGE_TIME = 16 * 1024, 0.5
"""Bytes and seconds for the body of an answer that is none of ours: only so that the connection can be used again."""

AFRESH = (Result.CONNECTION_FAILED, Result.HTTP_ERROR, Result.TLS_ERROR)
"""Results for which a request is made once more, if it went out on a connection that had been used before."""

LATE = "no complete answer in time"

_LONGEST_NUMBER = 18  # digits: Python refuses to read thousands of them


def number(text: str) -> int | None:
    """The number in a header; None if it is none."""
    return int(text) if text.isdecimal() and len(text) <= _LONGEST_NUMBER else None


def redirected(url: str, location: str, status: int, *, follow: bool) -> str:
    """Where a redirect points, if it stays at the same scheme, host and port, and is to be followed.

    Raises:
        FetchError: it does not, is not, or points nowhere.
    """
    try:
        target = urljoin(url, location)
        same = _origin(target) == _origin(url)
    except ValueError:
        same = False
    if not location:
        raise FetchError(Result.REDIRECTED, "redirected to nowhere", status, Cause.REDIRECTS)
    if not same:
        why = f"redirected to another server, {masked(location)[:200]!r}: not followed"
        raise FetchError(Result.REDIRECTED, why, status, Cause.OTHER_SERVER)
    if not follow:
        why = (
            f"redirected to {masked(target)[:200]!r}: clients follow that only with CVMFS_FOLLOW_REDIRECTS; "
            "if they have it, set follow_redirects = true"
        )
        raise FetchError(Result.REDIRECTED, why, status, Cause.NOT_FOLLOWED)
    return target


def too_often_redirected(status: int) -> FetchError:
    """The error of an answer that is the last redirect that is followed, and one more."""
    return FetchError(Result.REDIRECTED, f"more than {MAX_REDIRECTS} redirects", status, Cause.REDIRECTS)


def too_large(length: int, limit: int, status: int) -> FetchError:
    """The error of a body that says it has more bytes than are read."""
    return FetchError(Result.TOO_LARGE, f"{length} bytes, at most {limit} are read", status)


def cut_short(read: int, length: int | None, status: int) -> FetchError:
    """The error of a body that ended before it was complete."""
    why = "cut short" if length is None else f"cut short: {read} of {length} bytes"
    return FetchError(Result.CONNECTION_FAILED, why, status)


def of_proxy(error: FetchError) -> FetchError:
    """The same failure, as that of the proxy: the server that it was to reach was not asked."""
    cause = Cause.PROXY if error.result is Result.CONNECTION_FAILED else error.cause
    return FetchError(error.result, f"proxy: {error}", error.http_status, cause)


def not_http(why: str) -> FetchError:
    """The error of what speaks no HTTP, or a broken one."""
    return FetchError(Result.HTTP_ERROR, f"not an answer in HTTP: {why!r:.100}", cause=Cause.NOT_HTTP)


def port_of(url: str) -> int | None:
    """The port that a URL names, or that of its scheme; None if that has none here. ValueError if it is no number."""
    parts = urlsplit(url)
    return parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, port_of(url)
