"""What a run costs beside the least that Python can do: the same requests by http.client, eight threads a server.

Prints seconds and their ratio for a fleet on loopback: five servers with a hundred repositories each. The servers are
another process; on two cores it takes its share of the time in both.
"""

from __future__ import annotations

import asyncio
import http.client
import multiprocessing
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from multiprocessing.connection import Connection

from telegraf_cvmfs.model import Fleet, Role, Scrape, Server
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.watch import scrape

SERVERS, REPOSITORIES, CONNECTIONS, ROUNDS = 5, 100, 8, 3
NAMES = [f"repo{number:03}.example.org" for number in range(REPOSITORIES)]
MANIFEST = (
    "C{hash}\nB57344\nRd41d8cd98f00b204e9800998ecf8427e\nD240\nS7\nN{name}\nX{hash}\nT1795204800\n--\n{hash}\nsignature"
)
LISTING = '{"replicas":[' + ",".join(f'{{"name":"{name}","url":"/cvmfs/{name}"}}' for name in NAMES) + "]}"


def body_of(path: str) -> bytes | None:
    """What a server of the benchmark has: a list, and manifests."""
    if path.endswith("repositories.json"):
        return LISTING.encode()
    name = path.split("/")[2]
    return MANIFEST.format(hash="a" * 40, name=name).encode() if path.endswith(".cvmfspublished") else None


async def _serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while request := await reader.readline():
        while (await reader.readline()).strip():
            pass
        body = body_of(request.split()[1].decode())
        status, body = ("404 Not Found", b"") if body is None else ("200 OK", body)
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()


async def _serve(pipe: Connection) -> None:
    servers = [await asyncio.start_server(_serve_one, "127.0.0.1", 0, backlog=256) for _ in range(SERVERS)]
    pipe.send([server.sockets[0].getsockname()[1] for server in servers])
    await asyncio.Event().wait()


def _serving(pipe: Connection) -> None:
    asyncio.run(_serve(pipe))


def floor(ports: list[int], asked: list[str]) -> None:
    """The same paths at each server, and nothing else."""
    threads = []
    for port in ports:
        waiting = deque(asked)
        threads += [threading.Thread(target=_get_all, args=(port, waiting)) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _get_all(port: int, waiting: deque[str]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    while waiting:
        try:
            path = waiting.popleft()
        except IndexError:
            break
        connection.request("GET", path)
        connection.getresponse().read()
    connection.close()


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock, and of this process's CPU, of the quickest of a few rounds."""
    taken = []
    for _ in range(ROUNDS):
        began, cpu = time.perf_counter(), time.process_time()
        work()
        taken.append((time.perf_counter() - began, time.process_time() - cpu))
    return min(taken)


def main() -> None:
    """Start the servers, measure both, print."""
    mine, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serving, args=(theirs,), daemon=True)
    process.start()
    ports: list[int] = mine.recv()
    fleet = Fleet(tuple(Server(f"http://127.0.0.1:{port}", str(port), Role.STRATUM1) for port in ports))
    seen: Scrape | None = None

    def run() -> None:
        nonlocal seen
        seen = scrape(fleet, datetime.now(UTC), Deadline(120), print)

    ours = timed(run)
    requests = seen.traffic.requests if seen else 0
    each = requests // SERVERS
    paths = [f"/cvmfs/{NAMES[number % REPOSITORIES]}/.cvmfspublished" for number in range(each)]
    least = timed(lambda: floor(ports, paths))
    process.terminate()
    print(f"{SERVERS} servers, {REPOSITORIES} repositories each, {requests} requests")
    print(f"a run: {ours[0]:.2f} s, {ours[1]:.2f} s of CPU")
    print(f"http.client alone: {least[0]:.2f} s, {least[1]:.2f} s of CPU; ratio {ours[0] / least[0]:.1f}")


if __name__ == "__main__":
    main()
