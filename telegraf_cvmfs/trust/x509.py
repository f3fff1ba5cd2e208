"""What an X.509 certificate says of its key, its subject and its end, by the library `cryptography`."""

from __future__ import annotations

from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from telegraf_cvmfs.model import ParseError
from telegraf_cvmfs.words.text import label

_REFUSED = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion)  # by cryptography, for damaged bytes


def decoded(der: bytes) -> tuple[RSAPublicKey | None, str | None, datetime | None]:
    """Key, subject and end of a certificate in DER form, each None if it cannot be read or the key is not RSA.

    Raises:
        ParseError: it is no certificate.
    """
    try:
        certificate = x509.load_der_x509_certificate(der)
    except _REFUSED:
        raise ParseError("certificate", "cannot be decoded") from None
    return _public(certificate), _subject(certificate), _not_after(certificate)


def _public(certificate: x509.Certificate) -> RSAPublicKey | None:
    try:
        key = certificate.public_key()
    except _REFUSED:
        return None
    return key if isinstance(key, RSAPublicKey) else None


def _subject(certificate: x509.Certificate) -> str | None:
    try:
        return label(certificate.subject.rfc4514_string())
    except _REFUSED:
        return None


def _not_after(certificate: x509.Certificate) -> datetime | None:
    try:
        return certificate.not_valid_after_utc
    except _REFUSED:
        return None
