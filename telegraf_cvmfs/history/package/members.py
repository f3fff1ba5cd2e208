"""What is in a package: the names that its members may have, and one that is written the same each time."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import tarfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from telegraf_cvmfs.whole_file import whole_file

CONFIG = "config.json"
MANIFEST = "manifest.json"
STATUS = "data_collection_status.csv"
CHECKSUMS = "checksums.json"

LARGEST = 4 << 30
"""Bytes that a package may hold, inflated."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}\.(csv|json)")
_CHUNK = 1 << 20


class PackageError(Exception):
    """A package is not what it should be; str() names it and says what is wrong."""


def is_name(name: str) -> bool:
    """Is this a name of a member: in no folder, CSV or JSON?"""
    return _NAME.fullmatch(name) is not None


def as_json(value: Mapping[str, Any]) -> bytes:
    """An object as it stands in a package."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False).encode() + b"\n"


def write(path: Path, members: Sequence[Path]) -> None:
    """Put files into a `.tar.gz`, whole or not at all; the same files in the same order are the same bytes."""
    with (
        whole_file(path, 0o640) as file,
        gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for member in members:
            entry = tarfile.TarInfo(member.name)
            entry.size, entry.mode = member.stat().st_size, 0o644
            with member.open("rb") as content:
                tar.addfile(entry, content)


def unpacked(package: Path, folder: Path) -> dict[str, Path]:
    """Its members, each a file in a folder.

    Raises:
        PackageError: it is damaged, or a member has no fit name, is there twice, is no file, or is too large.
        OSError: it cannot be read, or the folder not be written.
    """
    found = dict[str, Path]()
    left = LARGEST
    with damage_named(package), gzip.open(package) as packed, tarfile.open(fileobj=packed, mode="r|") as tar:
        for member in tar:
            left -= member.size
            _check(package, member, found, left)
            found[member.name] = folder / member.name
            _copy(tar, member, found[member.name])
        while packed.read(_CHUNK):  # to its end, where its own checksum is
            pass
    if MANIFEST not in found:
        raise PackageError(f"{package}: there is no {MANIFEST}")
    return found


def _check(package: Path, member: tarfile.TarInfo, found: Mapping[str, Path], left: int) -> None:
    if not is_name(member.name) or not member.isfile():
        raise PackageError(f"{package}: {member.name!r} is no CSV or JSON file in no folder")
    if member.name in found:
        raise PackageError(f"{package}: {member.name} is there twice")
    if left < 0:
        raise PackageError(f"{package}: it holds more than {LARGEST >> 30} GiB")


def _copy(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    source = tar.extractfile(member)
    if source is None:
        raise tarfile.ReadError(f"{member.name} cannot be read")
    with source, path.open("xb") as file:
        copied = 0
        while chunk := source.read(_CHUNK):
            copied += file.write(chunk)
    if copied != member.size:
        raise tarfile.ReadError(f"{member.name} is cut short")


@contextmanager
def damage_named(package: Path) -> Iterator[None]:
    """What is wrong with an archive is a PackageError, which names it."""
    try:
        yield
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error, UnicodeError, ValueError) as error:
        raise PackageError(f"{package}: damaged: {error}") from error


def read_json(package: Path, path: Path) -> dict[str, Any]:
    """A member that is an object; PackageError if it is none."""
    try:
        value = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise PackageError(f"{package}: {path.name} is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise PackageError(f"{package}: {path.name} is no object")
    return value


def sha256(path: Path) -> str:
    """The hash of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
