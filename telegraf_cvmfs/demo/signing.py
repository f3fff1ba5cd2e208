"""Keys and signed letters of the demo: a master key, a release manager's certificate, what they sign."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

SHA1_DIGEST_INFO = bytes.fromhex("3021300906052b0e03021a05000414")

_HASHES: Mapping[str, Callable[[bytes], str]] = {
    "sha1": lambda data: hashlib.sha1(data, usedforsecurity=False).hexdigest(),
    "rmd160": lambda data: hashlib.new("ripemd160", data).hexdigest() + "-rmd160",
    "shake128": lambda data: hashlib.shake_128(data).hexdigest(20) + "-shake128",
}


def content_hash(data: bytes, algorithm: str) -> str:
    """The hash text of some bytes, suffix included; `algorithm` is sha1, rmd160 or shake128.

    CernVM-FS, crypto/hash.h. An unknown algorithm is a KeyError, a missing RIPEMD-160 a ValueError.
    """
    return _HASHES[algorithm](data)


@dataclass(frozen=True, eq=False)
class Keys:
    """What a deployment signs with: the master key for whitelists, a certificate's key for manifests."""

    master: rsa.RSAPrivateKey
    release_manager: rsa.RSAPrivateKey
    certificate: x509.Certificate

    @property
    def master_public_pem(self) -> bytes:
        """The master public key as it is distributed to clients, PEM."""
        return self.master.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    @property
    def certificate_pem(self) -> bytes:
        """The certificate as its object in the repository holds it, uncompressed, PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def fingerprint(self, algorithm: str) -> str:
        """The certificate's line in a whitelist: the hash of its DER form as `AA:BB:…[-SHAKE128]`."""
        der = self.certificate.public_bytes(serialization.Encoding.DER)
        digits, dash, suffix = content_hash(der, algorithm).upper().partition("-")
        return ":".join(digits[at : at + 2] for at in range(0, len(digits), 2)) + dash + suffix

    def signed_manifest(self, text: bytes, algorithm: str) -> bytes:
        """A manifest: its hash text signed by PKCS#1 v1.5 with SHA-1, whatever `algorithm` made that hash.

        CernVM-FS, crypto/signature.cc, Sign and Verify.
        """
        return sign_letter(text, algorithm, lambda hash_text: _sign_sha1(self.release_manager, hash_text))

    def signed_whitelist(self, text: bytes, algorithm: str) -> bytes:
        """A whitelist: its hash text itself is the signed content, without a DigestInfo.

        CernVM-FS, crypto/signature.cc, SignRsa and VerifyRsa.
        """
        return sign_letter(text, algorithm, lambda hash_text: _sign_raw(self.master, hash_text))


def sign_letter(text: bytes, algorithm: str, sign: Callable[[bytes], bytes]) -> bytes:
    """The form that manifest and whitelist share: the text, `--`, its hash text, the signature over that."""
    hash_text = content_hash(text, algorithm).encode()
    return text + b"--\n" + hash_text + b"\n" + sign(hash_text)


def make_keys() -> Keys:
    """A fresh set, RSA-2048."""
    release_manager = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return Keys(
        rsa.generate_private_key(public_exponent=65537, key_size=2048),
        release_manager,
        _self_signed(release_manager),
    )


@functools.cache
def demo_keys() -> Keys:
    """The set that every demo of this process shares: to make one takes a good part of a second."""
    return make_keys()


def _self_signed(key: rsa.RSAPrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "demo.example CernVM-FS Release Managers")])
    return (
        x509.CertificateBuilder(subject_name=name, issuer_name=name, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        # Clients never look at these dates (CernVM-FS, manifest_fetch.cc), so they need not follow a clock.
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2021, 1, 1, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )


def _sign_sha1(key: rsa.RSAPrivateKey, content: bytes) -> bytes:
    # Not key.sign(…, SHA1()): the crypto policies of some distributions refuse that.
    return _sign_raw(key, SHA1_DIGEST_INFO + hashlib.sha1(content, usedforsecurity=False).digest())


@functools.lru_cache(maxsize=64)  # strata share their letters, and one signature takes milliseconds
def _sign_raw(key: rsa.RSAPrivateKey, content: bytes) -> bytes:
    """PKCS#1 v1.5 type 1 padding around the content as it is, by the Chinese remainder theorem."""
    size = key.key_size // 8
    block = b"\x00\x01" + b"\xff" * (size - 3 - len(content)) + b"\x00" + content
    number, private = int.from_bytes(block), key.private_numbers()
    part = pow(number, private.dmq1, private.q)
    rest = (pow(number, private.dmp1, private.p) - part) * private.iqmp % private.p
    return (part + rest * private.q).to_bytes(size)
