"""nginx as all servers of a fleet: one process that listens once for each of them, on one folder."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from deploy.native.programs import Missing, debian_package, installed

PATIENCE = 10.0  # s
CONFIGURATION = """
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
{user}
error_log stderr crit;
pid nginx.pid;
events {{
    worker_connections 8192;
}}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000;
    open_file_cache max=20000 inactive=1h;
    open_file_cache_valid 1h;
    server {{
        {listen}
        root {root};
        location ~ /api/v1.0/geo/ {{
            default_type text/plain;
            return 200 "2,1,3\\n";
        }}
    }}
}}
"""


def nginx() -> Path:
    """This machine's nginx, else Debian's, unpacked."""
    found = shutil.which("nginx")
    return Path(found) if found else installed("nginx", "usr/sbin/nginx", debian_package("nginx"))


def free_port() -> int:
    """A port that nobody listens on at any address of this machine."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(root: Path, addresses: Sequence[str], port: int, inside: Sequence[str] = ()) -> Iterator[None]:
    """Serve a folder at each address until the block ends; `inside` is what the command has to begin with."""
    room = root.parent / "nginx"
    room.mkdir(exist_ok=True)
    configuration = room / "nginx.conf"
    configuration.write_text(_configuration(root, addresses, port))
    command = [*inside, str(nginx()), "-p", str(room), "-c", str(configuration), "-e", "stderr"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603
    try:
        for address in addresses:
            _wait_for(address, port, process)
        yield
    finally:
        process.terminate()
        process.wait()


def _configuration(root: Path, addresses: Sequence[str], port: int) -> str:
    # The worker of a root's nginx would be somebody else, who may not read our folder.
    user = "user root;" if os.geteuid() == 0 else ""
    listen = "\n        ".join(f"listen {address}:{port} backlog=512;" for address in addresses)
    return CONFIGURATION.format(user=user, listen=listen, root=root)


def _wait_for(address: str, port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < end:
        try:
            socket.create_connection((address, port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise Missing(f"nginx does not serve {address}:{port}")
