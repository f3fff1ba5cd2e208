"""The entry point of a repository, `.cvmfspublished`: lines of one letter and a value, signed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from telegraf_cvmfs.model import Manifest, ParseError
from telegraf_cvmfs.wire.letter import content_hash, lines, object_path, repository_name, split
from telegraf_cvmfs.words.text import shown

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ROOT_PATH = "d41d8cd98f00b204e9800998ecf8427e"  # the MD5 of the empty path
_DECIMAL = re.compile(r"[0-9]{1,20}")


def parse_manifest(body: bytes) -> Manifest:
    """Read `.cvmfspublished`; letters that are not known are skipped, G and A that are no yes or no are `unreadable`.

    The order of lines is free and of equal letters the last counts (CernVM-FS, ParseKeyvalMem and
    Manifest::Load). Required are C, R, D and S. CernVM-FS takes a broken number for 0; here it is a
    ParseError. Whether N is the repository that was asked for, and whether the signature is good, is judged
    elsewhere.
    """
    text, letter = split(body, "manifest")
    written = {line[0]: line[1:] for line in lines(text) if line}
    missing = [key for key in _REQUIRED if key not in written]
    if missing:
        raise ParseError("manifest", f"no {', '.join(missing)} line")
    values = {field: _read(key, written[key]) for key, (field, _) in _FIELDS.items() if key in written}
    unreadable = tuple(
        (key, f"{key} is not understood: {shown(written[key])}")
        for key in _FLAGS
        if key in written and _yes(written[key]) is None
    )
    return Manifest(**values, letter=letter, unreadable=unreadable)


def path_of(manifest: Manifest, name: str, suffix: str) -> str:
    """Where an object that a manifest names lies below its repository, which may be apart from the others.

    CernVM-FS, Manifest::MakeCatalogPath and MakeCertificatePath.
    """
    return f".cvmfsalt-{name}{suffix}" if manifest.alternative_path else object_path(name, suffix)


def _read(key: str, value: str) -> Any:  # noqa: ANN401
    try:
        return _FIELDS[key][1](value)
    except ValueError as why:
        raise ParseError("manifest", f"{key} {why}") from None


def _number(bits: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not _DECIMAL.fullmatch(text):
            raise ValueError(f"is not a number: {shown(text)}")
        if int(text) >= 1 << bits:
            raise ValueError(f"is too large: {text}")
        return int(text)

    return number


_uint64 = _number(64)
_uint32 = _number(32)


def _seconds(text: str) -> timedelta:
    return timedelta(seconds=_uint32(text))


def _moment(text: str) -> datetime | None:
    """The time of a T line; None for 0, which CernVM-FS takes for a time that is not known, and writes no T for."""
    seconds = _uint64(text)
    try:
        return _EPOCH + timedelta(seconds=seconds) if seconds else None
    except OverflowError:
        raise ValueError(f"is too large for a time: {seconds}") from None


def _root_path_hash(text: str) -> str:
    if text != _ROOT_PATH:
        raise ValueError(f"is not the hash of the root path, clients refuse it: {shown(text)}")
    return text


def _optional_hash(text: str) -> str | None:
    """A content hash; None if empty, as for CernVM-FS: a stratum 0 that lost its reflog's checksum writes that."""
    return content_hash(text) if text else None


def _yes(text: str) -> bool | None:
    return _YES.get(text)


_YES = {"yes": True, "no": False, "": False}  # clients take all but "yes" for no (CernVM-FS, Manifest::Load)


_REQUIRED = "CRDS"
_FLAGS = "GA"

_FIELDS: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "C": ("root_catalog", content_hash),
    "B": ("root_size", _uint64),
    "R": ("root_path_hash", _root_path_hash),
    "D": ("ttl", _seconds),
    "S": ("revision", _uint64),
    "G": ("garbage_collectable", _yes),
    "A": ("alternative_path", lambda text: bool(_yes(text))),
    "L": ("micro_catalog", _optional_hash),
    "N": ("repository", repository_name),
    "X": ("certificate", _optional_hash),
    "H": ("history", _optional_hash),
    "T": ("published", _moment),
    "M": ("metainfo", _optional_hash),
    "Y": ("reflog_checksum", _optional_hash),
}
