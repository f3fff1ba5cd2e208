"""What is known of a server's replicas while it is visited."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from telegraf_cvmfs.model import Listed, Replica, Result


class Replicas(dict[int, Replica]):
    """The replicas of a server, each under a number that stays, whatever list comes while they are read."""

    def __init__(self) -> None:
        super().__init__()
        self._numbers = itertools.count()

    def know(self, replicas: Iterable[Replica]) -> None:
        """These are there; what lies where it was thought to lie keeps its number, and what was read of it."""
        before = {_place(replica): (key, replica) for key, replica in self.items()}
        self.clear()
        for replica in replicas:
            key, same = before.get(_place(replica)) or (next(self._numbers), None)
            self[key] = replace(replica, manifest=same.manifest, proxied=same.proxied) if same else replica

    def learn(self, key: int, **found: Any) -> None:  # noqa: ANN401
        """What was read of one, by the fields of a replica, unless the list that came meanwhile has it elsewhere."""
        if key in self:
            self[key] = replace(self[key], **found)

    def found(self) -> tuple[Replica, ...]:
        """All of them, as they are known; one that an earlier run saw and that is gone is called unlisted."""
        return tuple(_unlisted_if_gone(replica) for replica in self.values())


def _place(replica: Replica) -> tuple[str, str, str | None]:
    return replica.url, replica.repo, replica.alias


def _unlisted_if_gone(replica: Replica) -> Replica:
    if replica.listed is not Listed.UNLISTED or replica.manifest.result is not Result.NOT_FOUND:
        return replica
    why = "the server neither lists nor serves it"
    return replace(replica, manifest=replace(replica.manifest, result=Result.UNLISTED, why=why))
