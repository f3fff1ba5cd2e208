"""How much of the servers' bandwidth a run may still use for looking into root catalogs."""

from __future__ import annotations


class Quota:
    """How many bytes of root catalogs a run may still read."""

    def __init__(self, count: int) -> None:
        self._left = count

    def take(self, wanted: int, most: int) -> int:
        """So many bytes may be read: what is wanted, or 0 if that is more than `most` or than is left."""
        granted = wanted if wanted <= min(most, self._left) else 0
        self._left -= granted
        return granted

    def give_back(self, unused: int) -> None:
        """What was granted and not needed."""
        self._left += unused
