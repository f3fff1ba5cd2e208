"""Who scrapes: a command for each contender, and how what it prints says which revisions it found."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.fleet import Fleet, Revisions

HERE = Path(__file__).parent
PER_SERVER = 8  # connections, as ours and the floor have them
MOST_PARALLEL = 300  # of curl
FLOOR, CURL, PYTHON_PEER, RUST_PEER = "floor", "curl --parallel", "Python peer", "Rust peer"
WARM, FIRST = "ours curl warm", "ours curl first"
OURS = {
    WARM: ("curl", True),
    FIRST: ("curl", False),
    "ours requests warm": ("requests", True),
    "ours requests first": ("requests", False),
}
"""The transport of each, and whether it remembers."""

NAMES = (*OURS, PYTHON_PEER, RUST_PEER, CURL, FLOOR)

_OURS = re.compile(r"^cvmfs_repo,\S*\brepo=([^,\s]+)\S*,server=(\S+) up=1i,\S.*?,revision=(\d+)i,", re.MULTILINE)
_GOOD = re.compile(r',signature="ok",.*,root_catalog="ok",')
_REQUESTS = re.compile(r"^cvmfs_scrape\b.*\brequests=(\d+)i", re.MULTILINE)


class WrongOutput(Exception):  # noqa: N818
    """A contender did not find what is there; str() says what."""


@dataclass(frozen=True)
class Contender:
    """One way to scrape one fleet; `state`, if there is one, is kept from run to run or else forgotten before each."""

    name: str
    command: Sequence[str]
    read: Callable[[str], Revisions]
    state: Path | None = None
    remembers: bool = False


def contenders(fleet: Fleet, programs: Mapping[str, Path], room: Path) -> Iterator[Contender]:
    """All that there is a program for, with the files that they need in a folder of this fleet."""
    for name, (transport, remembers) in OURS.items():
        yield _ours(fleet, room / name.replace(" ", "-"), name, transport, remembers=remembers)
    make = {PYTHON_PEER: _python_peer, RUST_PEER: _rust_peer, CURL: _curl, FLOOR: _floor}
    yield from (make[name](fleet, programs[name], room) for name in make if name in programs)


def requests_of(output: str) -> int:
    """How many requests a run of ours says that it made."""
    said = _REQUESTS.search(output)
    if not said:
        raise WrongOutput("ours says nothing of its requests")
    return int(said[1])


def _ours(fleet: Fleet, room: Path, name: str, transport: str, *, remembers: bool) -> Contender:
    room.mkdir()
    state = room / "state"
    lines = [
        "[fleet]",
        f"keys = [{json.dumps(str(fleet.key))}]",
        "[scrape]",
        'deadline = "120s"',
        f'transport = "{transport}"',
        "[state]",
        f"dir = {json.dumps(str(state))}",
    ]
    for server in fleet.servers:
        lines += ["[[server]]", f'url = "http://{server}"', f'name = "{server}"', 'role = "stratum1"']
    file = room / "fleet.toml"
    file.write_text("\n".join(lines) + "\n")
    command = (sys.executable, "-m", "telegraf_cvmfs", "--config", str(file))
    return Contender(name, command, _read_ours, state, remembers)


def _read_ours(output: str) -> Revisions:
    lines = [line for line in output.splitlines() if _GOOD.search(line)]
    return {(server, repo): int(revision) for repo, server, revision in _OURS.findall("\n".join(lines))}


def _python_peer(fleet: Fleet, python: Path, _room: Path) -> Contender:
    return Contender(PYTHON_PEER, (str(python), str(HERE / "python_peer.py"), *fleet.servers), _read_lines)


def _rust_peer(fleet: Fleet, driver: Path, _room: Path) -> Contender:
    return Contender(RUST_PEER, (str(driver), *(f"http://{server}" for server in fleet.servers)), _read_lines)


def _read_lines(output: str) -> Revisions:
    """Of lines "server repository revision"; other lines are no findings."""
    lines = [words for line in output.splitlines() if len(words := line.split()) == 3]  # noqa: PLR2004
    return {(server, repo): int(revision) for server, repo, revision in lines}


def _curl(fleet: Fleet, curl: Path, room: Path) -> Contender:
    """It is told what to fetch, keeps none of it, and says which answers were good: no list has to be read first."""
    parallel = min(PER_SERVER * len(fleet.servers), MOST_PARALLEL)
    options = ["silent", "parallel", f"parallel-max = {parallel}", r'write-out = "%{http_code} %{url}\n"']
    asked = [f"http://{server}{path}" for server in fleet.servers for path in _peers_paths(fleet)]
    lines = options + [line for url in asked for line in (f'url = "{url}"', 'output = "/dev/null"')]
    file = room / "curl.conf"
    file.write_text("\n".join(lines) + "\n")
    return Contender(CURL, (str(curl), "--disable", "--config", str(file)), partial(_read_codes, fleet))


def _read_codes(fleet: Fleet, output: str) -> Revisions:
    """What is there, of those replicas whose manifest was fetched."""
    good = {line.partition(" ")[2] for line in output.splitlines() if line.startswith("200 ")}
    return {
        (server, repo): revision
        for (server, repo), revision in fleet.revisions.items()
        if f"http://{server}/cvmfs/{repo}/.cvmfspublished" in good
    }


def _floor(fleet: Fleet, floor: Path, room: Path) -> Contender:
    file = room / "paths"
    file.write_text("".join(f"{path}\n" for path in _peers_paths(fleet)))
    return Contender(FLOOR, (str(floor), str(file), *fleet.servers), _read_paths)


def _read_paths(output: str) -> Revisions:
    """Of lines "server path revision"."""
    return {(server, path.split("/")[2]): revision for (server, path), revision in _read_lines(output).items()}


def _peers_paths(fleet: Fleet) -> list[str]:
    """What the peers fetch of a server: its list, and of each repository manifest and status."""
    documents = (".cvmfspublished", ".cvmfs_status.json")
    return ["/cvmfs/info/v1/repositories.json"] + [
        f"/cvmfs/{repo}/{document}" for repo in fleet.repositories for document in documents
    ]
