"""Fleets of 300 servers that do not answer: the deadline holds, every replica has a point, and threads stay few."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from line_protocol_parser import parse_line  # type: ignore[import-untyped]

from telegraf_cvmfs.model import TransportName
from tests.builders.asking import BOTH
from tests.builders.published import LIST

pytestmark = pytest.mark.slow

SERVERS, REPOSITORIES, DEADLINE = 300, 50, 10.0
ROOM = 8.0  # seconds that a busy machine may take on top
SINGLE_DIGIT = 10
NAMES = [f"r{number:02}.example" for number in range(REPOSITORIES)]
LISTING = json.dumps({"schema": 1, "replicas": [{"name": name, "url": f"/cvmfs/{name}"} for name in NAMES]}).encode()
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"


async def _talk(kind: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while request := await reader.readline():
        while (await reader.readline()).strip():
            pass
        if kind == "silent":
            continue
        if request.split()[1].decode() == LIST:
            writer.write(HEAD % len(LISTING) + LISTING)
        elif kind == "drips":
            for byte in HEAD % 500 + b"x" * 500:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(1)


async def _serve(kind: str, pipe: Connection) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _talk(kind, reader, writer)
        except OSError:
            writer.close()

    server = await asyncio.start_server(talk, "0.0.0.0", 0, backlog=4096)  # noqa: S104  # all of loopback's addresses
    pipe.send(server.sockets[0].getsockname()[1])
    await asyncio.Event().wait()


def _serving(kind: str, pipe: Connection) -> None:
    asyncio.run(_serve(kind, pipe))


@contextmanager
def served(kind: str) -> Iterator[int]:
    """The port at which every loopback address is a server of this kind."""
    mine, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serving, args=(kind, theirs), daemon=True)
    process.start()
    yield mine.recv()
    process.terminate()
    process.join()


@pytest.mark.parametrize("transport", BOTH)
@pytest.mark.parametrize("kind", ["silent", "hangs after its list", "drips"])
def test_a_large_fleet_ends_with_its_deadline_and_a_point_for_every_replica(
    kind: str, transport: TransportName, tmp_path: Path
) -> None:
    with served(kind) as port:
        text = f'[scrape]\ntransport = "{transport}"\ndeadline = "{DEADLINE:.0f}s"\n[state]\ndir = "{tmp_path}"\n'
        for number in range(SERVERS):
            url = f"http://127.0.{number // 250 + 1}.{number % 250 + 1}:{port}"
            text += f'[[server]]\nurl = "{url}"\nrole = "stratum1"\nrepos = ["{NAMES[0]}"]\n'
        (tmp_path / "fleet.toml").write_text(text)
        seconds, threads, lines = run(tmp_path)
    assert seconds < DEADLINE + ROOM
    points = [parse_line(line) for line in lines]
    results = {
        point["tags"]["server"]: point["fields"]["result"] for point in points if point["measurement"] == "cvmfs_server"
    }
    replicas = Counter(point["tags"]["server"] for point in points if point["measurement"] == "cvmfs_repo")
    assert len(results) == SERVERS
    # A busy machine may not have read every server's list in time: then the one repository that was named is told.
    assert replicas == {name: REPOSITORIES if result == "ok" else 1 for name, result in results.items()}
    read = sum(result == "ok" for result in results.values())
    assert read == 0 if kind == "silent" else read > SERVERS * 0.9
    if transport is TransportName.CURL:
        assert threads < SINGLE_DIGIT


def run(folder: Path) -> tuple[float, int, list[str]]:
    """Seconds that the command took, the most threads that it was seen to have, and its lines."""
    command = [sys.executable, "-m", "telegraf_cvmfs", "--config", str(folder / "fleet.toml"), "--quiet"]
    threads, began = 0, time.monotonic()
    with (folder / "out").open("w") as out:
        child = subprocess.Popen(command, stdout=out, env={**os.environ, "PYTHONUNBUFFERED": ""})
        while child.poll() is None:
            threads = max(threads, _threads(child.pid))
            time.sleep(0.02)
    seconds = time.monotonic() - began
    print(f"{seconds:.2f} s, {threads} threads")  # noqa: T201  # shown with a failure
    assert child.returncode == 0
    return seconds, threads, (folder / "out").read_text().splitlines()


def _threads(pid: int) -> int:
    try:
        return len(list(Path(f"/proc/{pid}/task").iterdir()))
    except OSError:
        return 0
