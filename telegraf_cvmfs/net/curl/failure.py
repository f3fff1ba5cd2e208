"""libcurl's errors as ours: the result, the cause and a sentence, as those of the other transport."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from errno import EAGAIN, ECONNREFUSED, ENOMEM
from urllib.parse import urlsplit

import pycurl

from telegraf_cvmfs.model import Cause, FetchError, Result
from telegraf_cvmfs.net.answer import MAX_HEAD, not_http, of_proxy
from telegraf_cvmfs.net.curl.exchange import Exchange
from telegraf_cvmfs.net.question import Status
from telegraf_cvmfs.net.sparing import shortage_now
from telegraf_cvmfs.net.tls import cause_of_refusal
from telegraf_cvmfs.words.secrecy import without_secrets
from telegraf_cvmfs.words.shortage import of_errno

OF_HTTP = (pycurl.E_UNSUPPORTED_PROTOCOL, pycurl.E_FTP_WEIRD_SERVER_REPLY, pycurl.E_HTTP2, pycurl.E_URL_MALFORMAT)
OF_TLS = (
    *(pycurl.E_SSL_CONNECT_ERROR, pycurl.E_PEER_FAILED_VERIFICATION, pycurl.E_SSL_CERTPROBLEM, pycurl.E_SSL_CIPHER),
    *(pycurl.E_SSL_CACERT_BADFILE, pycurl.E_SSL_ISSUER_ERROR, pycurl.E_SSL_INVALIDCERTSTATUS),
)
_TOO_LARGE = 100
"""CURLE_TOO_LARGE: headers beyond what libcurl itself takes; it has no name in pycurl yet.

Before libcurl 8.6 it is E_OUT_OF_MEMORY.
"""

_FIRST_WITH_TOO_LARGE = 0x080600  # the number of libcurl 8.6.0

_WANTS_FILES = (pycurl.E_COULDNT_CONNECT, pycurl.E_SSL_CACERT_BADFILE, pycurl.E_FAILED_INIT)
"""What libcurl says where it cannot open a socket or a file."""

_OPENSSL = re.compile(r"error:([0-9A-Fa-f]{8}):[^:]*:[^:]*:(.*)")
_NOT_TLS = (156, 198, 267, 313)
"""OpenSSL's reasons (sslerr.h) for bytes that are no TLS: HTTP, too long a record, another version, a broken record."""

_BY_GNUTLS = "GnuTLS" in pycurl.version
_EXPIRED = 1 << 10
"""Of GnuTLS's status of a verification (gnutls_certificate_status_t)."""

_UNSPECIFIED = 1
"""What OpenSSL's verification gives where libcurl's own check of the name fails."""

_WORDS: Mapping[str, Cause] = {
    "unexpected TLS packet": Cause.NOT_TLS,
    "expired": Cause.EXPIRED_CERTIFICATE,
    "subject name": Cause.OTHER_NAME,
    "certificate": Cause.UNTRUSTED,
}
"""Of libcurl on GnuTLS, which gives its reasons in words alone; the first that fits."""


def failure(exchange: Exchange, code: int, words: str, end: str, *, by_proxy: bool) -> FetchError:
    """A transfer that libcurl ended with this code and these words, on its way to `end` (host:port)."""
    handle, words = exchange.handle, without_secrets(words)  # libcurl quotes a proxy that it does not understand
    if why := _lacked(code, int(handle.getinfo(pycurl.OS_ERRNO))):
        return FetchError(Result.OWN_LIMIT, why)
    refused = int(handle.getinfo(pycurl.HTTP_CONNECTCODE))
    if by_proxy and not exchange.status and refused not in (0, Status.OK):
        return of_proxy(FetchError(Result.CONNECTION_FAILED, f"it answered CONNECT with HTTP status {refused}"))
    error = _failure(exchange, code, words, end)
    connecting = code in (pycurl.E_COULDNT_CONNECT, pycurl.E_COULDNT_RESOLVE_PROXY)
    return of_proxy(error) if by_proxy and connecting else error


def _failure(exchange: Exchange, code: int, words: str, end: str) -> FetchError:
    number = int(exchange.handle.getinfo(pycurl.OS_ERRNO))
    if code == pycurl.E_COULDNT_CONNECT:
        cause = Cause.REFUSED if number == ECONNREFUSED else Cause.UNREACHABLE
        why = f"connecting to {end}: {os.strerror(number) if number else words}"
        return FetchError(Result.CONNECTION_FAILED, why, cause=cause)
    if code in OF_TLS:
        return _tls(exchange, code, words)
    if code == _TOO_LARGE or (code == pycurl.E_OUT_OF_MEMORY and not exchange.cut_off()):
        return FetchError(Result.TOO_LARGE, f"more than {MAX_HEAD} bytes of headers")
    if code in OF_HTTP:
        return not_http(words)
    if code == pycurl.E_GOT_NOTHING:
        return FetchError(Result.CONNECTION_FAILED, "the server closed the connection without an answer")
    return exchange.cut_off() or FetchError(Result.CONNECTION_FAILED, os.strerror(number) if number else words)


def _lacked(code: int, number: int) -> str:
    """What this process had too little of for a transfer: libcurl gives no number where it got no socket."""
    if code == pycurl.E_OUT_OF_MEMORY and pycurl.version_info()[2] >= _FIRST_WITH_TOO_LARGE:
        return of_errno(ENOMEM)
    if code in _WANTS_FILES and not number:
        return shortage_now()
    return "" if number == EAGAIN else of_errno(number)  # that is for threads


def _tls(exchange: Exchange, code: int, words: str) -> FetchError:
    refusal = int(exchange.handle.getinfo(pycurl.SSL_VERIFYRESULT))
    refusal = 0 if refusal == _UNSPECIFIED else refusal
    found = _OPENSSL.search(words)
    reason = int(found[1], 16) & 0x7FFFFF if found else 0
    if reason in _NOT_TLS or _cause_in(words) is Cause.NOT_TLS:
        return _tls_error("the server does not speak TLS on this port", Cause.NOT_TLS)
    if not refusal and code != pycurl.E_PEER_FAILED_VERIFICATION:
        return _tls_error(found[2] if found else words, None)
    if refusal and _BY_GNUTLS:
        return _refused_by_gnutls(refusal)
    cause = cause_of_refusal(refusal) if refusal else _cause_in(words) or Cause.OTHER_NAME
    if cause is Cause.OTHER_NAME:
        return _tls_error(f"mismatch, the certificate is not valid for {urlsplit(exchange.url).hostname!r}", cause)
    return _tls_error(words.rpartition("problem: ")[2], cause)


def _refused_by_gnutls(status: int) -> FetchError:
    if status & _EXPIRED:
        return _tls_error("the certificate has expired", Cause.EXPIRED_CERTIFICATE)
    return _tls_error("nobody who is trusted signed the certificate", Cause.UNTRUSTED)


def _tls_error(why: str, cause: Cause | None) -> FetchError:
    return FetchError(Result.TLS_ERROR, f"TLS: {why}", cause=cause)


def _cause_in(words: str) -> Cause | None:
    return next((cause for part, cause in _WORDS.items() if part in words), None)
