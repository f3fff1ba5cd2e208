"""Repositories as a test wants them: genuine ones, and properly signed ones with one fault each."""

from __future__ import annotations

import base64
import functools
import hashlib
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from telegraf_cvmfs.demo.signing import SHA1_DIGEST_INFO, Keys, content_hash, make_keys, sign_letter
from telegraf_cvmfs.model import Key, ParseError, Reading, Result, Signature, Trust
from telegraf_cvmfs.trust.blacklist import Blacklist
from telegraf_cvmfs.trust.chain import Chain, verify
from telegraf_cvmfs.trust.masterkey import MasterKey
from telegraf_cvmfs.wire.manifest import parse_manifest
from telegraf_cvmfs.wire.whitelist import parse_whitelist
from tests.builders.documents import served

HERE = Path(__file__).parent
NOW = datetime(2026, 3, 2, 4, 5, 6, tzinfo=UTC)
REPO = "software.example.org"
T = TypeVar("T")


@functools.cache
def keys(which: str = "ours") -> Keys:
    """A set of keys for each word: "ours", and strangers'."""
    assert which
    return make_keys()


def master(name: str) -> MasterKey:
    return MasterKey.parse((HERE / name).read_bytes(), name)


def public(of: Keys, name: str = "master.pub") -> MasterKey:
    return MasterKey.parse(of.master_public_pem, name)


@dataclass(frozen=True)
class Served:
    """What one server has of one repository; None is not there."""

    manifest: bytes
    whitelist: bytes | None
    certificate: bytes | None
    repo: str = REPO

    def judged(self, keys: Sequence[MasterKey] | None = None, now: datetime = NOW, blacklist: str = "") -> Trust:
        """The verdict; a manifest that cannot be read is a ParseError."""
        chain = Chain(
            self.repo,
            parse_manifest(self.manifest),
            reading(parse_whitelist, self.whitelist),
            reading(bytes, self.certificate),
        )
        return verify(chain, (public(ours()),) if keys is None else keys, now, Blacklist.parse(blacklist))


def ours() -> Keys:
    return keys("ours")


def reading(parse: Callable[[bytes], T], body: bytes | None) -> Reading[T]:
    if body is None:
        return Reading(Result.NOT_FOUND, why="not served", http_status=404)
    try:
        return Reading(Result.OK, parse(body), 200, "")
    except ParseError as why:
        return Reading(Result.INVALID, why=str(why), http_status=200, fault=why.why)


def atlas() -> Served:
    manifest, whitelist, stored = (
        served(f"atlas.cern.ch/{name}") for name in (".cvmfspublished", ".cvmfswhitelist", "certificate.X.zlib")
    )
    return Served(manifest, whitelist, stored, "atlas.cern.ch")


def genuine(stratum: str) -> Served:
    manifest, whitelist = (served(f"genuine/{stratum}/{name}") for name in (".cvmfspublished", ".cvmfswhitelist"))
    return Served(manifest, whitelist, (HERE / "genuine/certificate.X.zlib").read_bytes(), "main.genuine.example")


def made(
    by: Keys | None = None, algorithm: str = "sha1", repo: str = REPO, stored: bytes | None = None, **whitelist: Any
) -> Served:
    """A repository that is all right, unless an argument makes it otherwise."""
    by = by or ours()
    stored = zlib.compress(by.certificate_pem) if stored is None else stored
    manifest = by.signed_manifest(manifest_text(repo, content_hash(stored, algorithm)), algorithm)
    return Served(
        manifest, by.signed_whitelist(whitelist_text(by, repo, algorithm, **whitelist), algorithm), stored, repo
    )


def manifest_text(repo: str, certificate: str) -> bytes:
    root = hashlib.md5(b"", usedforsecurity=False).hexdigest()
    return f"C{'5c' * 20}\nB57344\nR{root}\nD240\nS7\nGno\nN{repo}\nX{certificate}\nT1772409600\n".encode()


def whitelist_text(
    by: Keys,
    repo: str = REPO,
    algorithm: str = "sha1",
    *,
    expires: str = "20260401000000",
    flags: Iterable[str] = (),
    listed: Iterable[str] | None = None,
) -> bytes:
    fingerprints = [by.fingerprint(algorithm)] if listed is None else listed
    lines = ("20260302000000", f"E{expires}", f"N{repo}", *flags, *fingerprints)
    return "".join(f"{line}\n" for line in lines).encode()


def other_whitelist(**changes: Any) -> Served:
    return replace(made(), whitelist=ours().signed_whitelist(whitelist_text(ours(), **changes), "sha1"))


def with_document(repository: Served, document: str, content: bytes) -> Served:
    changes: dict[str, Any] = {document: content}
    return replace(repository, **changes)


def key_of(master: MasterKey) -> Key:
    """As a verdict tells which master key it was."""
    return Key(master.name, master.fingerprint)


def told(trust: Trust) -> None:
    assert trust.why.isprintable()
    assert len(trust.why) < 500
    assert bool(trust.why) is (trust.signature is not Signature.OK)
    if trust.signature is Signature.OK:
        assert trust.key is not None
        assert trust.certificate_read
        assert trust.fingerprint is not None


# --- signatures that the demo would never make --------------------------------------------------------


def raw(key: rsa.RSAPrivateKey, content: bytes) -> bytes:
    """PKCS#1 v1.5, type 1, around the content; for moduli of any number of bits."""
    size = (key.key_size + 7) // 8
    block = b"\x00\x01" + b"\xff" * (size - 3 - len(content)) + b"\x00" + content
    numbers = key.private_numbers()
    return pow(int.from_bytes(block), numbers.d, numbers.public_numbers.n).to_bytes(size)


def with_digest_info(key: rsa.RSAPrivateKey, content: bytes) -> bytes:
    return raw(key, SHA1_DIGEST_INFO + hashlib.sha1(content, usedforsecurity=False).digest())


def signed(text: bytes, sign: Callable[[bytes], bytes], algorithm: str = "sha1") -> bytes:
    return sign_letter(text, algorithm, sign)


# --- keys and certificates of other kinds -------------------------------------------------------------


@functools.cache
def keys_of_size(bits: int) -> Keys:
    master_key, manager = (rsa.generate_private_key(public_exponent=65537, key_size=bits) for _ in "12")
    return Keys(master_key, manager, certificate(manager))


def with_certificate(of: Keys, other: x509.Certificate) -> Keys:
    return replace(of, certificate=other)


def certificate(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, serial: int = 1, until: datetime = NOW
) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "somebody")])
    return (
        x509.CertificateBuilder(subject_name=name, issuer_name=name, public_key=key.public_key())
        .serial_number(serial)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(until)
        .sign(key, hashes.SHA256())
    )


def der() -> bytes:
    return ours().certificate.public_bytes(Encoding.DER)


def pem(content: bytes) -> bytes:
    return b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(content) + b"-----END CERTIFICATE-----\n"
