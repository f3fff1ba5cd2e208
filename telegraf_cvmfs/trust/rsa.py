"""RSA keys, and signatures over the hash text of a letter, in the two forms that CernVM-FS makes.

Both are PKCS#1 v1.5. What they cover is recovered and compared here, because no verification by name of a hash
can do it: whitelists have no DigestInfo at all, and SHA-1 is refused by the crypto policies of some systems.
"""

from __future__ import annotations

import hashlib

from cryptography.exceptions import InternalError, InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

_SHA1_DIGEST_INFO = bytes.fromhex("3021300906052b0e03021a05000414")  # RFC 8017, 9.2


def public_key(pem: bytes) -> RSAPublicKey:
    """The key in a PEM block; ValueError with what is wrong, and what would be right."""
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("is not a public key that can be read: it is damaged, or of an unusual kind") from None
    if not isinstance(key, RSAPublicKey):
        raise ValueError("is not an RSA key: clients take no other")
    return key


def der(public: RSAPublicKey) -> bytes:
    """The key in DER form, as SubjectPublicKeyInfo."""
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def signs_text(key: RSAPublicKey, signature: bytes, text: bytes) -> bool:
    """Does the signature hold the text itself, without a DigestInfo, as that of a whitelist does?

    As for clients, it may lack its leading zero bytes (CernVM-FS, SignatureManager::VerifyRsa, by OpenSSL's
    RSA_public_decrypt).
    """
    return _recovered(key, signature) == text


def signs_digest(key: RSAPublicKey, signature: bytes, text: bytes) -> bool:
    """Does the signature hold the SHA-1 of the text in a DigestInfo, as that of a manifest does?

    It is SHA-1 whatever algorithm made the text, and the signature is exactly as long as the modulus
    (CernVM-FS, SignatureManager::Verify, by OpenSSL's EVP_VerifyFinal).
    """
    if len(signature) != (key.key_size + 7) // 8:
        return False
    digest = hashlib.sha1(text, usedforsecurity=False).digest()
    return _recovered(key, signature) == _SHA1_DIGEST_INFO + digest


def _recovered(key: RSAPublicKey, signature: bytes) -> bytes | None:
    try:
        return key.recover_data_from_signature(signature, PKCS1v15(), None)
    except (InvalidSignature, ValueError, InternalError, UnsupportedAlgorithm):
        return None
