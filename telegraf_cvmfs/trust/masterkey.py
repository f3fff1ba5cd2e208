"""A master key: the public half of what signs whitelists, which clients carry with them.

The library `cryptography` is slow to import, so it reads a key when there is something to verify; until then the form
that nearly all keys have is told by its bytes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

_BEGIN, _END = b"-----BEGIN PUBLIC KEY-----", b"-----END PUBLIC KEY-----"
_PRIVATE = b"PRIVATE KEY-----"
_RSA = bytes.fromhex("300d06092a864886f70d0101010500")
"""DER for "a key of the kind rsaEncryption" (RFC 3279, 2.3.1)."""

_EXPONENT = bytes.fromhex("0203010001")
_BEFORE_MODULUS = 33  # bytes, where all lengths are written in two
_USUAL_MODULUS = 256  # bytes


@dataclass(frozen=True)
class MasterKey:
    """One master public key.

    `name` is for people, the path of its file for instance. `fingerprint` is the SHA-256 of the key in DER form, hex:
    CernVM-FS has none of its own for master keys; `openssl pkey -pubin -outform DER | sha256sum` prints the same.
    """

    name: str
    pem: bytes = field(repr=False)
    fingerprint: str

    @cached_property
    def public(self) -> RSAPublicKey:
        """The key as the library holds it."""
        from telegraf_cvmfs.trust.rsa import public_key  # noqa: PLC0415  # slow to import

        return public_key(self.pem)

    @staticmethod
    def parse(pem: bytes, name: str) -> MasterKey:
        """Read a key file: one RSA key in the PEM form `PUBLIC KEY`; text around it does not matter.

        Other PEM forms are refused as clients refuse them, with all keys beside them (CernVM-FS, LoadPublicRsaKeys).
        Of two keys in a file clients would read only the first. ValueError with what is wrong, and what would be right.
        """
        block = _only_block(pem)
        der = _of_usual_form(block) or _of_any_form(block)
        return MasterKey(name, block, hashlib.sha256(der).hexdigest())


def _only_block(pem: bytes) -> bytes:
    count = pem.count(_BEGIN)
    if _PRIVATE in pem:
        raise ValueError("holds a private key: keep that away from here, and give the public one")
    if not count:
        raise ValueError("is not a public key in PEM form, which begins with -----BEGIN PUBLIC KEY-----")
    if count > 1:
        raise ValueError(f"holds {count} keys, of which clients read only the first: give each a file of its own")
    start = pem.index(_BEGIN)
    stop = pem.find(_END, start)
    if stop < 0:
        raise ValueError("is cut short: it has no line -----END PUBLIC KEY-----")
    return pem[start : stop + len(_END)] + b"\n"


def _of_usual_form(pem: bytes) -> bytes | None:
    """The DER form of an RSA key of 2,048 bits or more with the exponent 65537; None if it is anything else."""
    try:
        der = base64.b64decode(b"".join(pem.removeprefix(_BEGIN).removesuffix(_END + b"\n").split()), validate=True)
    except binascii.Error:
        return None
    modulus = der[_BEFORE_MODULUS : -len(_EXPONENT)]
    key = _element(0x30, _element(0x02, b"\0" + modulus) + _EXPONENT)
    usual = len(modulus) >= _USUAL_MODULUS and modulus[0] & 0x80 and modulus[-1] & 1
    return der if usual and der == _element(0x30, _RSA + _element(0x03, b"\0" + key)) else None


def _element(tag: int, content: bytes) -> bytes:
    """In DER: tag, length, content of 256 to 65,535 bytes."""
    return bytes([tag, 0x82]) + len(content).to_bytes(2) + content


def _of_any_form(pem: bytes) -> bytes:
    from telegraf_cvmfs.trust.rsa import der, public_key  # noqa: PLC0415  # slow to import, and seldom needed here

    return der(public_key(pem))
