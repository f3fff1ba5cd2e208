"""The certificate that a repository's manifests are signed with, out of its object, `data/xx/yyyX`."""

from __future__ import annotations

import base64
import binascii
import functools
import zlib
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from telegraf_cvmfs.model import ParseError
from telegraf_cvmfs.wire.catalog import begins_otherwise
from telegraf_cvmfs.wire.letter import UnsupportedHashError, digest

LONGEST_CERTIFICATE = 1 << 18  # bytes, uncompressed; a genuine one has 1 to 4 KiB
_HEX_DIGITS = 40
_NAMES = (b"CERTIFICATE", b"X509 CERTIFICATE")


class UnknownCompressionError(ParseError):
    """Nothing can be said about the object: clients may know how to read it."""


@dataclass(frozen=True)
class Certificate:
    """A certificate as a holder of a key, which is all that clients take it for.

    `public` is None if the key is not RSA, or cannot be read here. `subject` and `not_after` are for people: unless
    the whitelist demands a chain of CAs, clients never look at the dates (CernVM-FS, manifest_fetch.cc, DoVerify).
    """

    der: bytes = field(repr=False)
    public: RSAPublicKey | None = field(repr=False, compare=False)  # it has no hash
    subject: str | None = None
    not_after: datetime | None = None

    def fingerprint(self, like: str) -> str:
        """Its line in a whitelist, `AA:BB:…[-SHAKE128]`, by the algorithm of `like`, a content hash.

        UnsupportedHashError where this machine cannot compute it (CernVM-FS, FingerprintCertificate).
        """
        text = digest(self.der, like).upper()
        pairs = (text[at : at + 2] for at in range(0, _HEX_DIGITS, 2))
        return ":".join(pairs) + text[_HEX_DIGITS:]

    def is_among(self, fingerprints: Collection[str]) -> bool:
        """Is it one of these? They are content hashes, each compared by its own algorithm.

        UnsupportedHashError if it is none of those that can be compared, and this machine cannot compare all.
        """
        unsupported = None
        for like in {known[_HEX_DIGITS:]: known for known in fingerprints}.values():
            try:
                if digest(self.der, like) in fingerprints:
                    return True
            except UnsupportedHashError as why:
                unsupported = why
        if unsupported:
            raise unsupported
        return False


@functools.lru_cache(maxsize=256)
def read_certificate(stored: bytes) -> Certificate:
    """Read the object as it is stored: zlib around PEM; whether it has the right content hash is judged elsewhere.

    Of several certificates the first counts, and text around it does not matter; DER without PEM is refused
    (CernVM-FS, LoadCertificateMem, by OpenSSL's PEM_read_bio_X509_AUX). ParseError if there is no certificate.
    """
    from telegraf_cvmfs.trust.x509 import decoded  # noqa: PLC0415  # slow to import; a scrape has begun by then

    der = _der(_inflated(stored))
    return Certificate(der, *decoded(_with_positive_serial(der)))


def _inflated(stored: bytes) -> bytes:
    stream = zlib.decompressobj()
    try:
        content = stream.decompress(stored, LONGEST_CERTIFICATE)
    except zlib.error:
        if begins_otherwise(stored):
            raise UnknownCompressionError("certificate", "compressed in a way that is not known here") from None
        raise ParseError("certificate", "not compressed by zlib") from None
    if not stream.eof:
        raise ParseError("certificate", "cut short" if len(content) < LONGEST_CERTIFICATE else "far too large")
    return content


def _der(pem: bytes) -> bytes:
    frames = ((b"-----BEGIN %b-----" % name, b"-----END %b-----" % name) for name in _NAMES)
    found = ((pem.find(begin), begin, end) for begin, end in frames)
    start, begin, end = min((frame for frame in found if frame[0] >= 0), default=(-1, b"", b""))
    stop = pem.find(end, start)
    if start < 0 or stop < 0:
        raise ParseError("certificate", "not in PEM form")
    try:
        return base64.b64decode(b"".join(pem[start + len(begin) : stop].split()), validate=True)
    except binascii.Error:
        raise ParseError("certificate", "not in PEM form, its base64 is damaged") from None


def _with_positive_serial(der: bytes) -> bytes:
    """The certificate with another serial number: half of those that CernVM-FS makes itself are negative.

    It sets 64 random bits as a signed number (SignatureManager::GenerateCertificate). OpenSSL, and so clients, read
    that, but cryptography warns of it and means to refuse it; the number matters to nobody here.
    """
    try:
        at = _content(der, _content(der, 0))  # into Certificate, into TBSCertificate
        if der[at] == 0xA0:  # noqa: PLR2004  # the version
            at = _content(der, at) + der[at + 1]
        serial = _content(der, at)
        size = der[at + 1]
    except IndexError:
        return der
    if der[at] != 0x02 or not 0 < size < 0x80 or serial + size > len(der):  # noqa: PLR2004  # no INTEGER
        return der
    return der[:serial] + b"\x01" * size + der[serial + size :]


def _content(der: bytes, at: int) -> int:
    """Where the content of the DER element at this place begins."""
    length = der[at + 1]
    return at + 2 + (length & 0x7F if length & 0x80 else 0)
