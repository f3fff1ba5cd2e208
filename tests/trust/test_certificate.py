"""Certificates out of their objects: unusual ones that are good for clients, and any bytes."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

import tests.builders.signed as td
from telegraf_cvmfs.model import ParseError, Signature
from telegraf_cvmfs.trust.certificate import LONGEST_CERTIFICATE, read_certificate
from tests.builders.documents import damaged, survives
from tests.builders.signed import Served, der, made, other_whitelist, ours, pem

COMMON = ours().certificate_pem
UNUSUAL = {
    "text before": b"Bag Attributes\n    friendlyName: x\n" + COMMON,
    "text after": COMMON + b"\0garbage",
    "another certificate after": COMMON + td.keys("a").certificate_pem,
    "a key before": ours().master_public_pem + COMMON,
    "lines as on Windows": COMMON.replace(b"\n", b"\r\n"),
    "one long line": pem(der()).replace(b"\n", b"").replace(b"E-----", b"E-----\n"),
    "the old name of the form": COMMON.replace(b"CERTIFICATE", b"X509 CERTIFICATE"),
}


@pytest.mark.parametrize("content", UNUSUAL.values(), ids=UNUSUAL)
def test_what_stands_around_the_certificate_does_not_matter(content: bytes) -> None:
    assert made(stored=zlib.compress(content)).judged().signature is Signature.OK


def test_of_several_certificates_the_first_counts() -> None:
    ours_second = zlib.compress(td.keys("a").certificate_pem + COMMON)
    assert made(stored=ours_second).judged().signature is Signature.CERTIFICATE_NOT_LISTED


def test_the_first_counts_also_if_it_has_the_old_name() -> None:
    old = td.keys("a").certificate_pem.replace(b"CERTIFICATE", b"X509 CERTIFICATE")
    for first, signature in ((old + COMMON, Signature.CERTIFICATE_NOT_LISTED), (COMMON + old, Signature.OK)):
        assert made(stored=zlib.compress(first)).judged().signature is signature


def changed_and_listed(old: str, new: str) -> Served:
    """A repository whose certificate has other bytes in a place; the whitelist lists it so."""
    content = der().replace(bytes.fromhex(old), bytes.fromhex(new))
    assert content != der()
    fingerprint = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    return replace(made(stored=zlib.compress(pem(content))), whitelist=other_whitelist(listed=[fingerprint]).whitelist)


def test_a_key_that_cannot_be_read_here_is_unsupported() -> None:
    trust = changed_and_listed("0203010001", "0203010000").judged()  # an even exponent
    assert (trust.signature, trust.why) == (
        Signature.UNSUPPORTED,
        "the certificate has no RSA key that can be used here",
    )


def test_a_date_that_no_calendar_here_has_is_left_out() -> None:
    year_0 = f"180f{b'00000101000000Z'.hex()}"
    long = td.certificate(ours().release_manager, until=datetime(2060, 1, 1, tzinfo=UTC)).public_bytes(Encoding.DER)
    content = long.replace(bytes.fromhex(f"180f{b'20600101000000Z'.hex()}"), bytes.fromhex(year_0))
    certificate = read_certificate(zlib.compress(pem(content)))
    assert content != long
    assert (certificate.not_after, certificate.subject) == (None, "CN=somebody")


def test_a_version_that_does_not_exist_is_refused() -> None:
    content = der().replace(bytes.fromhex("a003020102"), bytes.fromhex("a00302017c"))
    with pytest.raises(ParseError, match="cannot be decoded"):
        read_certificate(zlib.compress(pem(content)))


def test_a_subject_that_is_no_text_is_left_out() -> None:
    utf8, bits = bytes.fromhex("06035504030c"), bytes.fromhex("060355040303")
    assert utf8 in der()
    assert read_certificate(zlib.compress(pem(der().replace(utf8, bits)))).subject is None


def test_bytes_after_the_certificate_in_der_form_are_refused() -> None:
    assert made(stored=zlib.compress(pem(der() + b"\0"))).judged().signature is Signature.CERTIFICATE_CORRUPT


def test_the_negative_serial_numbers_that_cvmfs_makes_are_accepted() -> None:
    positive = td.certificate(ours().release_manager, serial=0x7FFF_FFFF_FFFF_FFFF).public_bytes(Encoding.DER)
    negative = positive.replace(bytes.fromhex("02087fffffffffffffff"), bytes.fromhex("0208bfffffffffffffff"))
    assert negative != positive
    fingerprint = hashlib.sha1(negative, usedforsecurity=False).hexdigest()
    stored = zlib.compress(pem(negative))
    trust = replace(made(stored=stored), whitelist=other_whitelist(listed=[fingerprint]).whitelist).judged()
    assert trust.signature is Signature.OK
    assert (trust.certificate_read, trust.subject) == (True, "CN=somebody")
    assert read_certificate(stored).der == negative


def test_a_certificate_bomb_is_not_unpacked() -> None:
    bomb = zlib.compress(COMMON + b"\0" * (LONGEST_CERTIFICATE * 100), 9)
    assert len(bomb) < 50_000
    with pytest.raises(ParseError, match="far too large"):
        read_certificate(bomb)
    frames = zlib.compress(b"-----BEGIN CERTIFICATE-----\n" * (LONGEST_CERTIFICATE // 30))
    with pytest.raises(ParseError, match="not in PEM form"):
        read_certificate(frames)


@settings(max_examples=300, deadline=None)
@given(damaged(der()) | st.binary(max_size=200))
def test_a_certificate_of_any_bytes_is_read_or_refused_with_a_sentence(content: bytes) -> None:
    survives(read_certificate, zlib.compress(pem(content)))


@settings(max_examples=100, deadline=None)
@given(damaged(der()))
def test_a_properly_named_certificate_of_any_bytes_gets_a_verdict(content: bytes) -> None:
    stored = zlib.compress(pem(content))
    fingerprint = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    repository = replace(made(stored=stored), whitelist=other_whitelist(listed=[fingerprint]).whitelist)
    td.told(repository.judged())
