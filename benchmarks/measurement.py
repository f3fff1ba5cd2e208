"""Measuring the contenders over one fleet, each in turn, round after round; what they find has to be right."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.contender import FIRST, HERE, PER_SERVER, WARM, Contender, WrongOutput, contenders, requests_of
from benchmarks.fleet import Fleet, Size, publish, publish_key
from benchmarks.network import check, network
from benchmarks.nginx import free_port, serving


@dataclass(frozen=True)
class Run:
    """What one run took."""

    wall: float  # s
    cpu: float  # s, user and system
    memory: int  # KiB, at most


@dataclass
class Row:
    """All runs over one fleet, by contender, and the requests that ours made (by contender too)."""

    size: Size
    runs: dict[str, list[Run]] = field(default_factory=dict)
    requests: dict[str, int] = field(default_factory=dict)

    def median(self, name: str, quantity: Callable[[Run], float]) -> float | None:
        """Of all rounds of a contender; None if it had none."""
        runs = self.runs.get(name)
        return statistics.median(map(quantity, runs)) if runs else None

    def least(self, name: str) -> float | None:
        """Seconds that the round trips alone take one of ours, with as many connections as it may have."""
        if not self.size.round_trip or name not in self.requests:
            return None
        documents = self.requests[name] / self.size.servers
        return self.size.round_trip / 1000 * (2 + documents / PER_SERVER)


def measured(size: Size, programs: Mapping[str, Path], rounds: int, log: Callable[[str], None]) -> Row:
    """Serve a fleet of that size and let everybody scrape it.

    Raises:
        Missing: there is no network like that, or no nginx, to be had here.
        WrongOutput: somebody did not find what is there.
    """
    with tempfile.TemporaryDirectory(prefix="benchmark.") as folder:
        room, port = Path(folder), free_port()
        repositories = publish(room / "served", size.repositories, datetime.now(UTC))
        key = publish_key(room / "master.pub")
        with network(size, room) as where, serving(room / "served", where.addresses, port, where.inside):
            check(size, where.addresses[0], port)
            servers = tuple(f"{address}:{port}" for address in where.addresses)
            fleet = Fleet(size, servers, repositories, key)
            return _raced(fleet, list(contenders(fleet, programs, room)), rounds, log)


def _raced(fleet: Fleet, runners: list[Contender], rounds: int, log: Callable[[str], None]) -> Row:
    row = Row(fleet.size)
    for runner in runners:
        if runner.remembers:  # its first run is not what it stands for
            _run(runner, fleet)
    for number in range(rounds):
        for runner in runners:
            run, output = _run(runner, fleet)
            log(f"{fleet.size}, round {number + 1}: {runner.name}: {run.wall:.2f} s, {run.cpu:.2f} s of CPU")
            row.runs.setdefault(runner.name, []).append(run)
            if runner.name in (WARM, FIRST):
                row.requests[runner.name] = requests_of(output)
    return row


def _run(runner: Contender, fleet: Fleet) -> tuple[Run, str]:
    if runner.state and not runner.remembers:
        shutil.rmtree(runner.state, ignore_errors=True)
    output = fleet.key.parent / "output"
    command = [sys.executable, "-I", "-S", str(HERE / "stopwatch.py"), str(output), *runner.command]
    done = subprocess.run(command, env=_environment(), capture_output=True, text=True, check=True)  # noqa: S603
    wall, cpu, memory, code = done.stdout.split()
    text = output.read_text()
    if int(code) or runner.read(text) != fleet.revisions:
        raise WrongOutput(_complaint(runner, fleet, text, int(code)))
    return Run(float(wall), float(cpu), int(memory)), text


def _complaint(runner: Contender, fleet: Fleet, text: str, code: int) -> str:
    lacking = sorted(fleet.revisions.items() - runner.read(text).items())
    examples = ", ".join(f"{repo} on {server} has revision {revision}" for (server, repo), revision in lacking[:3])
    found = f"{len(lacking)} of {fleet.size.replicas} replicas wrong or not found ({examples})"
    said = Path(f"{fleet.key.parent / 'output'}.err").read_text()[:1000]
    return f"{fleet.size}: {runner.name} ended with {code}; {found}\n{said}"


def _environment() -> dict[str, str]:
    """Ours without proxies: nobody is to reach these servers through one."""
    return {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
