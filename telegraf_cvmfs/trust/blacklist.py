"""What clients refuse although it is properly signed: the file that is `/etc/cvmfs/blacklist` on a client."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from telegraf_cvmfs.wire.letter import fingerprints

_REVISION = re.compile(r"<([^ \t]+)[ \t]+\+?([0-9]{1,19})")
_LARGEST_REVISION = (1 << 63) - 1


@dataclass(frozen=True)
class Blacklist:
    """Certificates that may sign no more, and revisions that are too old.

    `fingerprints` are content hashes, lower case, without colons; `revisions` pairs of a repository and the first
    revision of it that is allowed.
    """

    fingerprints: frozenset[str] = frozenset()
    revisions: tuple[tuple[str, int], ...] = ()

    @staticmethod
    def parse(text: str) -> Blacklist:
        r"""Read the file: fingerprints as in a whitelist, and lines `<repository revision`.

        Lines end with "\n" only, and what is not understood is skipped, also a revision with anything after it
        (CernVM-FS, LoadBlacklist, MkFromFingerprint, and IsRevisionBlacklisted in catalog_mgr_client.cc).
        """
        lines = text.split("\n")
        return Blacklist(frozenset(fingerprints(lines)), tuple(_revisions(lines)))

    def __or__(self, other: Blacklist) -> Blacklist:
        """Both together: a client has one of its own and one of its configuration repository."""
        return Blacklist(self.fingerprints | other.fingerprints, self.revisions + other.revisions)

    def first_allowed(self, repo: str) -> int:
        """The first revision of the repository that is not refused; 0 if all are allowed."""
        return max((revision for name, revision in self.revisions if name == repo), default=0)


def unknown_lines(text: str) -> list[int]:
    """The numbers of the lines that are no comment, and that nothing is understood of."""
    lines = enumerate(text.split("\n"), start=1)
    said = ((number, line) for number, line in lines if line.strip() and not line.lstrip().startswith("#"))
    return [number for number, line in said if Blacklist.parse(line) == Blacklist()]


def _revisions(lines: Iterable[str]) -> Iterable[tuple[str, int]]:
    for line in lines:
        match = _REVISION.fullmatch(line)
        if match and int(match[2]) <= _LARGEST_REVISION:
            yield match[1], int(match[2])
