"""When something is being worked on: it is measured as ever, and judged aloud only afterwards."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase


@dataclass(frozen=True, slots=True)
class Maintenance:
    """A window of maintenance, from `since` until just before `until` (aware).

    `servers` and `repositories` are globs. Without `repositories` it covers the servers themselves and all their
    replicas, with them only those replicas.
    """

    since: datetime
    until: datetime
    servers: tuple[str, ...] = ("*",)
    repositories: tuple[str, ...] = ()
    why: str = ""

    def covers(self, server: str, repo: str | None, now: datetime) -> bool:
        """Is this replica of it, or with None the server itself, under maintenance now?"""
        if not self.since <= now < self.until or not matches(server, self.servers):
            return False
        return not self.repositories or (repo is not None and matches(repo, self.repositories))


def matches(name: str, globs: Iterable[str]) -> bool:
    """Whether one of these globs means a name; letters are large and small."""
    return any(fnmatchcase(name, glob) for glob in globs)
