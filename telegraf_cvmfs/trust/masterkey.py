"""A master key: the public half of what signs whitelists, which clients carry with them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

_BEGIN, _END = b"-----BEGIN PUBLIC KEY-----", b"-----END PUBLIC KEY-----"
_PRIVATE = b"PRIVATE KEY-----"


@dataclass(frozen=True)
class MasterKey:
    """One master public key.

    `name` is for people, the path of its file for instance. `fingerprint` is the SHA-256 of the key in DER form, hex:
    CernVM-FS has none of its own for master keys; `openssl pkey -pubin -outform DER | sha256sum` prints the same.
    """

    name: str
    public: RSAPublicKey = field(repr=False, compare=False)  # it has no hash
    fingerprint: str

    @staticmethod
    def parse(pem: bytes, name: str) -> MasterKey:
        """Read a key file: one RSA key in the PEM form `PUBLIC KEY`; text around it does not matter.

        Other PEM forms are refused as clients refuse them, with all keys beside them (CernVM-FS, LoadPublicRsaKeys).
        Of two keys in a file clients would read only the first. ValueError with what is wrong, and what would be right.
        """
        public = _rsa(_only_block(pem))
        der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return MasterKey(name, public, hashlib.sha256(der).hexdigest())


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


def _rsa(pem: bytes) -> RSAPublicKey:
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("is not a public key that can be read: it is damaged, or of an unusual kind") from None
    if not isinstance(key, RSAPublicKey):
        raise ValueError("is not an RSA key: clients take no other")
    return key
