"""The demo fleet as it runs: servers on loopback, and the fleet file that describes them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from telegraf_cvmfs.demo import life
from telegraf_cvmfs.demo.faults import faulty_documents
from telegraf_cvmfs.demo.inventory import DOWN, FAULTY, HEALTHY, LAGGING, STRATUM0, full_name, repositories, strata
from telegraf_cvmfs.demo.rhythm import EPOCH
from telegraf_cvmfs.demo.server import DemoServer, RefusingPort
from telegraf_cvmfs.demo.signing import demo_keys
from telegraf_cvmfs.demo.stratum import Stratum
from telegraf_cvmfs.fleet import maintenance
from telegraf_cvmfs.model import Fleet, Maintenance, Role, Server
from telegraf_cvmfs.whole_file import PUBLIC, write_whole

NAME = "demo"
ROLES: Mapping[str, Role] = {
    STRATUM0: Role.STRATUM0,
    HEALTHY: Role.STRATUM1,
    LAGGING: Role.STRATUM1,
    DOWN: Role.STRATUM1,
}
REPOS: Mapping[str, tuple[str, ...]] = {DOWN: (full_name("software"), full_name("data"))}
"""Named in the fleet file, because a server that is down lists nothing."""

AT_WORK = ((LAGGING,), (full_name("containers"),))
"""The server and its replica that are under maintenance."""

HOUR = timedelta(hours=1)
KEY = Path("keys/demo.pub")


class DemoFleet:
    """A fleet that serves while its `with` block runs; `now` (aware) is when it claims to be.

    Its state is the one that `telegraf_cvmfs.demo` describes, whenever that is, until it is told to `advance`.

    With `faults` it has one server more, each of whose replicas clients refuse or cannot mount (`faults.FAULTS`).

    `urls` are the servers' by name, `documents` what each of them serves (path -> bytes): a change there
    is served at once. Both are empty outside the block.
    """

    def __init__(self, now: datetime, *, faults: bool = False) -> None:
        self.now = _whole_second(now)
        self.urls: dict[str, str] = {}
        self.documents: dict[str, dict[str, bytes]] = {}
        self._roles = {**ROLES, FAULTY: Role.STRATUM1} if faults else ROLES
        self._running = ExitStack()

    def __enter__(self) -> Self:
        """Take the ports, make the documents, serve."""
        with ExitStack() as starting:
            for name in self._roles:
                self.urls[name] = self._start(name, starting)
            # What a repository recommends are URLs, so the documents come after the ports.
            self._serve(strata(self.now, repositories(self.now, self.urls), self._stratum1s))
            self._running = starting.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End every connection and thread, free every port."""
        self._running.close()
        self.urls.clear()
        self.documents.clear()

    def advance(self, now: datetime) -> None:
        """Live until `now` (aware): serve what the fleet has at that moment, as `demo.life` tells it.

        That does not depend on when this fleet was started, nor on how often it is called.

        Raises:
            ValueError: that is before where the fleet is, or before the life of any demo begins.
        """
        moment = _whole_second(now)
        if moment < self.now:
            raise ValueError(f"the demo does not go back in time, from {self.now:%F %T %Z} to {moment:%F %T %Z}")
        if moment < EPOCH:
            raise ValueError(f"the demo lives from {EPOCH:%F} on, and it is {moment:%F}: is the clock right?")
        self.now = moment
        self._serve(life.strata(moment, life.repositories(moment, self.urls), self._stratum1s))

    @property
    def public_key(self) -> bytes:
        """The master public key, PEM, against which every whitelist of the fleet verifies."""
        return demo_keys().master_public_pem

    def fleet(self, keys: tuple[Path, ...] = ()) -> Fleet:
        """The fleet to scrape; `keys` are files that hold its public key, if there are any."""
        return Fleet(
            tuple(Server(self.urls[name], name, role, repos=REPOS.get(name, ())) for name, role in self._roles.items()),
            name=NAME,
            keys=keys,
            maintenance=(Maintenance(self.now - HOUR, self.now + 3 * HOUR, *AT_WORK, why="new disks"),),
        )

    def fleet_toml(self, keys: tuple[Path, ...] = ()) -> str:
        """The same as a fleet file; relative `keys` are relative to where that file will lie."""
        return "\n".join(_toml(self.fleet(keys))) + "\n"

    def write(self, directory: Path) -> Path:
        """Write `fleet.toml` and its key below a directory, each whole or not at all; its path."""
        _write(directory / KEY, self.public_key)
        return _write(directory / "fleet.toml", self.fleet_toml((KEY,)).encode())

    def _start(self, name: str, starting: ExitStack) -> str:
        if name == DOWN:
            return starting.enter_context(closing(RefusingPort())).url
        served = self.documents.setdefault(name, {})
        return starting.enter_context(closing(DemoServer(served, places=name != STRATUM0))).url

    @property
    def _stratum1s(self) -> tuple[str, ...]:
        return tuple(name for name in self.documents if name != STRATUM0)

    def _serve(self, shown: Iterable[Stratum]) -> None:
        """At once for each server: what is new, then without what is gone."""
        keys = demo_keys()
        for stratum in shown:
            documents = self.documents[stratum.name]
            served = faulty_documents(stratum, keys) if stratum.name == FAULTY else stratum.documents(keys)
            documents.update(served)
            for path in documents.keys() - served.keys():
                del documents[path]


def _whole_second(moment: datetime) -> datetime:
    if moment.utcoffset() is None:
        raise ValueError("the demo's moment needs a time zone")
    return moment.replace(microsecond=0)


def _toml(fleet: Fleet) -> Iterator[str]:
    yield from ("[fleet]", f"name = {_value(fleet.name)}")
    if fleet.keys:
        yield f"keys = {_value([str(key) for key in fleet.keys])}"
    for server in fleet.servers:
        yield from ("", "[[server]]")
        for key in ("url", "role", "name"):
            yield f"{key} = {_value(getattr(server, key))}"
        if server.repos:
            yield f"repos = {_value(server.repos)}"
    yield from (f"\n{maintenance.table(window)}" for window in fleet.maintenance)


def _value(value: str | Sequence[str]) -> str:
    """A string or a list of strings, written as JSON: only JSON's surrogate pairs would not be TOML."""
    return json.dumps(value, ensure_ascii=False)


def _write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_whole(path, content, PUBLIC)
