"""What can be wrong with a replica that is there and in time: properly made documents that clients refuse.

A fault says what is served in place of a good replica's documents: path from the server's root -> bytes, None for
what is no longer there.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta

from telegraf_cvmfs.demo.inventory import WHITELIST_LIFE, full_name
from telegraf_cvmfs.demo.repository import Repository, Revision, manifest, objects, whitelist
from telegraf_cvmfs.demo.signing import Keys, make_keys
from telegraf_cvmfs.demo.stratum import Copy, Stratum

Changes = dict[str, bytes | None]
Fault = Callable[[Copy, Keys], Changes]


def expired_whitelist(copy: Copy, keys: Keys) -> Changes:
    """The whitelist before the current one, properly signed then: finding `whitelist`, code `whitelist_expired`."""
    now = copy.repository
    old = replace(
        now,
        whitelist_created=now.whitelist_created - WHITELIST_LIFE,
        whitelist_expires=now.whitelist_expires - WHITELIST_LIFE,
    )
    return {f"{now.path}/.cvmfswhitelist": whitelist(old, keys)}


def forged_manifest(copy: Copy, _keys: Keys) -> Changes:
    """All signed as it should be, by a stranger's certificate: finding `signature`, code `certificate_not_listed`."""
    certificate = _object(copy, forger(), "X")
    return {**_manifest(copy.repository, copy.revision, forger()), **certificate}


def wrong_signature(copy: Copy, keys: Keys) -> Changes:
    """Signed by another key than the certificate's: finding `signature`, code `manifest_invalid`."""
    text, _, _ = manifest(copy.repository, copy.revision, keys).partition(b"--\n")
    letter = forger().signed_manifest(text, copy.repository.algorithm)
    return {f"{copy.repository.path}/.cvmfspublished": letter}


def missing_root_catalog(copy: Copy, keys: Keys) -> Changes:
    """The manifest names a root catalog that is not there: finding `root_catalog`, code `missing`."""
    return dict.fromkeys(_object(copy, keys, "C"))


def empty_root_catalog(copy: Copy, keys: Keys) -> Changes:
    """Nothing in its file, as after a full disk: finding `root_catalog`, code `empty`."""
    return dict.fromkeys(_object(copy, keys, "C"), b"")


def corrupt_root_catalog(copy: Copy, keys: Keys) -> Changes:
    """As long as it should be, but half of it was never written: finding `root_catalog`, code `corrupt`."""
    return {path: _half(stored) for path, stored in _object(copy, keys, "C").items()}


def fork(copy: Copy, keys: Keys) -> Changes:
    """The same revision with another root catalog, which it has, properly signed: finding `diverged`."""
    repository = copy.repository
    other = Revision(copy.revision.number, copy.revision.published - timedelta(minutes=1))
    return {**_manifest(repository, other, keys), **_below(repository, objects(repository, other, keys))}


FAULTS: Mapping[str, Fault] = {
    "nightlies": expired_whitelist,
    "conditions": forged_manifest,
    "containers": missing_root_catalog,
    "config": empty_root_catalog,
    "data": corrupt_root_catalog,
    "software": fork,
}
"""The fault of each repository, by its short name, on a server that has one of each."""


def faulty_documents(stratum: Stratum, keys: Keys) -> dict[str, bytes]:
    """What a stratum serves once each of its replicas has its fault of `FAULTS`."""
    served = stratum.documents(keys)
    faults = {full_name(short): fault for short, fault in FAULTS.items()}
    for copy in stratum.copies:
        inflict(served, faults[copy.repository.name](copy, keys))
    return served


def inflict(served: dict[str, bytes], changes: Mapping[str, bytes | None]) -> None:
    """Change what is served, at once."""
    for path, content in changes.items():
        if content is None:
            served.pop(path, None)
        else:
            served[path] = content


@functools.cache
def forger() -> Keys:
    """A stranger's keys: good ones, but nobody's whitelist lists the certificate, and no client has the master key."""
    return make_keys()


def _manifest(repository: Repository, revision: Revision, keys: Keys) -> dict[str, bytes]:
    return {f"{repository.path}/.cvmfspublished": manifest(repository, revision, keys)}


def _object(copy: Copy, keys: Keys, letter: str) -> dict[str, bytes]:
    """One object of the copy's revision, its suffix this letter."""
    found = objects(copy.repository, copy.revision, keys)
    return _below(copy.repository, {path: stored for path, stored in found.items() if path.endswith(letter)})


def _below(repository: Repository, files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {f"{repository.path}/{name}": stored for name, stored in files.items()}


def _half(stored: bytes) -> bytes:
    return stored[: len(stored) // 2].ljust(len(stored), b"\x00")
