"""The signed letter that manifest and whitelist share, and the content hashes that everything is named by.

text lines, "--", the hash of the text, the raw signature over that hash (CernVM-FS, crypto/signature.cc).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from typing import Any

from telegraf_cvmfs.model import Letter, ParseError, ScrapeError
from telegraf_cvmfs.words.text import shown

_SEPARATOR = b"\n--\n"
_HASH = re.compile(r"[0-9a-f]{40}(-rmd160|-shake128)?")
_END_OF_FINGERPRINT = re.compile(r"[ \t#]")
_NAME = re.compile(r"[!-~]{1,255}")
_SHAKE_BYTES = 20


class UnsupportedHashError(ScrapeError):
    """This machine's OpenSSL cannot compute the hash, so nothing can be said about the bytes.

    RIPEMD-160 is missing where OpenSSL 3 comes without its legacy provider.
    """


def split(body: bytes, document: str) -> tuple[bytes, Letter | None]:
    r"""The text of a signed document, and the letter if it has a hash and a signature.

    The first "\n--\n" separates (a signature may hold another); the newline before the dashes belongs to
    the text. Without a well-formed hash line or without a signature the letter is None: CernVM-FS reads such
    a document and then refuses it (SignatureManager::CutLetter and VerifyLetter). ParseError if there is no
    "--" line.
    """
    text, separator, rest = body.partition(_SEPARATOR)
    if not separator and body.lstrip()[:1] == b"<":
        raise ParseError(document, "a web page, not the document")
    if not separator:
        raise ParseError(document, "no '--' line, the document is cut short")
    if text.startswith(b"--\n"):
        raise ParseError(document, "no text before the '--' line")
    text += b"\n"
    return text, _letter(text, rest)


def _letter(text: bytes, rest: bytes) -> Letter | None:
    line, _, signature = rest.partition(b"\n")
    digest_line = line.decode("latin-1")
    if not signature or not _HASH.fullmatch(digest_line):
        return None
    return Letter(text, digest_line, signature)


def lines(text: bytes) -> list[str]:
    r"""The lines of a letter, cut at "\n" only, as CernVM-FS cuts them.

    Latin-1 gives one character for each byte, so that no byte can be refused or lost here.
    """
    return text.decode("latin-1").removesuffix("\n").split("\n")


def content_hash(text: str) -> str:
    """The text, if it is a content hash: 40 hex digits, with "-rmd160" or "-shake128" if not SHA-1.

    ValueError if not. Upper case is none (CernVM-FS, shash::HexPtr::IsValid).
    """
    if not _HASH.fullmatch(text):
        raise ValueError(f"is not a content hash: {shown(text)}")
    return text


def fingerprints(lines: Iterable[str]) -> Iterator[str]:
    """The fingerprints in these lines: lower case, without colons, with the algorithm's suffix; others are skipped.

    A comment follows after a space, a tab or a "#" (CernVM-FS, SignatureManager::MkFromFingerprint).
    """
    for line in lines:
        written = _END_OF_FINGERPRINT.split(line, maxsplit=1)[0]
        try:
            yield content_hash(written.replace(":", "").lower())
        except ValueError:
            continue


def repository_name(text: str) -> str | None:
    """The N of a document: printable ASCII without spaces, at most 255 characters; ValueError if not.

    None if empty, as CernVM-FS does not tell an empty N from none.
    """
    if text and not _NAME.fullmatch(text):
        raise ValueError(f"is not a repository name: {shown(text)}")
    return text or None


def digest(data: bytes, like: str) -> str:
    """The content hash of the data by the algorithm of `like`, another content hash, suffix included.

    UnsupportedHashError where this machine cannot compute it; ValueError if `like` is no content hash.
    """
    hasher = Hasher(like)
    hasher.update(data)
    return hasher.digest()


def _new_hash(algorithm: str) -> Any:  # noqa: ANN401  # hashlib's classes have no name to call them by
    if algorithm == "shake128":
        return hashlib.shake_128()
    library = "ripemd160" if algorithm else "sha1"
    try:
        return hashlib.new(library, usedforsecurity=False)
    except ValueError:
        raise UnsupportedHashError(f"{library} is not available on this machine") from None


class Hasher:
    """Computes the content hash of bytes that come in pieces, by the algorithm of `name`, another content hash.

    UnsupportedHashError where this machine cannot compute it; ValueError if `name` is no content hash.
    """

    def __init__(self, name: str) -> None:
        _, self._dash, self._algorithm = content_hash(name).partition("-")
        self._name = name
        self.length = 0
        """Bytes so far."""
        self._hash = _new_hash(self._algorithm)

    def update(self, data: bytes) -> None:
        """Take the next piece."""
        self.length += len(data)
        self._hash.update(data)

    def digest(self) -> str:
        """The content hash of all pieces."""
        shake = self._algorithm == "shake128"
        hexadecimal: str = self._hash.hexdigest(_SHAKE_BYTES) if shake else self._hash.hexdigest()
        return hexadecimal + self._dash + self._algorithm

    def is_object(self) -> bool:
        """Are the pieces the object of this name, as stored?"""
        return self.digest() == self._name


def object_path(name: str, suffix: str = "") -> str:
    """Where an object lies below its repository: "data/5c/b926…-shake128C".

    The suffix is C for catalogs, X certificates, H histories, M meta information, none for files; it follows
    that of the algorithm (CernVM-FS, shash::Any::MakePath).
    """
    return f"data/{name[:2]}/{name[2:]}{suffix}"


def is_object(name: str, body: bytes) -> bool | None:
    """Do these bytes, as stored, hash to the name of an object? None if this machine cannot compute its hash."""
    try:
        return digest(body, name) == name
    except UnsupportedHashError:
        return None
