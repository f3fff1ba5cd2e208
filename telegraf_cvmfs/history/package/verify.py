"""Is a package whole, and what it says of itself?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from telegraf_cvmfs.history.exclusive import tempdir
from telegraf_cvmfs.history.package.members import (
    CHECKSUMS,
    CONFIG,
    MANIFEST,
    STATUS,
    PackageError,
    read_json,
    sha256,
    unpacked,
)


def verify(package: Path | str) -> dict[str, str]:
    """Its manifest: the file names in it, and the versions of the collectors that they are of.

    Raises:
        PackageError: it is damaged, lacks what each package has, holds what its manifest does not name, or a file
            is not the one that was packed; all that is wrong is said.
        OSError: it cannot be read.
    """
    path = Path(package)
    with tempdir() as folder:
        found = unpacked(path, folder)
        wrong = faults(path, found)
        if wrong:
            raise PackageError(f"{path}: {'; '.join(wrong)}")
        return dict(read_json(path, found[MANIFEST]))


def faults(package: Path, found: Mapping[str, Path]) -> list[str]:
    """What is wrong with what was unpacked, each in a phrase."""
    missing = [f"there is no {name}" for name in (CONFIG, STATUS, CHECKSUMS) if name not in found]
    if missing:
        return missing
    manifest, checksums = (read_json(package, found[name]) for name in (MANIFEST, CHECKSUMS))
    named, there = set(manifest), set(found) - {MANIFEST}
    return [
        *(f"{name} is missing" for name in sorted((named | set(checksums)) - set(found))),
        *(f"{name} is in no manifest" for name in sorted(there - named)),
        *(f"{name} has no checksum" for name in sorted(set(found) - {CHECKSUMS} - set(checksums))),
        *(
            f"{name} is not what was packed"
            for name in sorted(set(found) & set(checksums))
            if sha256(found[name]) != checksums[name]
        ),
    ]
