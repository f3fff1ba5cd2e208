"""How far the visit of one server is."""

from __future__ import annotations

from dataclasses import dataclass

from telegraf_cvmfs.words.progress import Moved


@dataclass
class Progress:
    """How many of a server's repositories are known of and have been read; `moved` is told of each step."""

    server: str
    moved: Moved
    known: int = 0
    read: int = 0

    def knows(self, repositories: int) -> None:
        """So many are known of now."""
        self.moved(self.server, 0, repositories - self.known)
        self.known = repositories

    def reads(self, repositories: int = 1) -> None:
        """More of them were read."""
        self.moved(self.server, repositories, 0)
        self.read += repositories

    def ends(self) -> None:
        """No more is read of those that were not."""
        self.reads(self.known - self.read)
