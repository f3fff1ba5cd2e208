"""A real nginx that serves what a test has written to `site.conf` of its folder."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.programs.prometheus import comes


@contextmanager
def nginx_running(nginx: Path, folder: Path, port: int) -> Iterator[None]:
    """While the context lasts; `site.conf`, for the `http` block, is to listen at this port of 127.0.0.1."""
    bodies = "".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""
    text = f"daemon off; {user} pid {folder}/pid; error_log stderr; events {{}} http {{ access_log off; {bodies} include site.conf; }}"
    (folder / "nginx.conf").write_text(text)
    command: list[str | Path] = [nginx, "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr"]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        try:
            comes(lambda: process.poll() is not None or _listens(port))
            assert process.poll() is None, process.stderr and process.stderr.read()
            yield
        finally:
            process.terminate()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
