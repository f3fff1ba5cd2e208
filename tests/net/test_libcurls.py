"""libcurl as others have it: Debian's, older and on GnuTLS; and HTTP/2, with a real nginx."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from telegraf_cvmfs.model import Answer, Role, Server, TransportName
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.net.transport import Request
from tests import ROOT
from tests.builders import hostile
from tests.builders.asking import Asking

CONFIGURATION = """
daemon off;
pid {folder}/pid;
error_log stderr crit;
events {{ }}
http {{
    log_format which "$connection $server_protocol";
    access_log {folder}/log which;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} ssl {http2};
        ssl_certificate {folder}/good;
        ssl_certificate_key {folder}/good;
        location / {{ return 200 "hello"; }}
    }}
}}
"""


@contextmanager
def tls_server(nginx: Path, folder: Path, http2: str) -> Iterator[str]:
    """The URL of an nginx under TLS, with HTTP/2 or without."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    (folder / "nginx.conf").write_text(CONFIGURATION.format(folder=folder, port=port, http2=http2))
    process = subprocess.Popen([nginx, "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr"])
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            time.sleep(0.05)
    try:
        yield f"https://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


@pytest.mark.parametrize(("http2", "protocol", "connections"), [("http2", "HTTP/2.0", 1), ("", "HTTP/1.1", 8)])
def test_http2_is_one_connection_with_many_requests(
    http2: str, protocol: str, connections: int, nginx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(hostile.certified(tmp_path).authority))
    with tls_server(nginx, tmp_path, http2) as url:
        server = Server(url, "s1", Role.STRATUM1)
        network = Asking(Deadline(20), transport=TransportName.CURL)
        requests = [Request(server, f"{url}/{number}", 100) for number in range(200)]
        assert network.together(requests[:1]) == [Answer(200, b"hello")]
        assert network.carrier.multiplexes(server) is bool(http2)
        assert network.together(requests, width=32 if http2 else 8) == [Answer(200, b"hello")] * 200
        network.close()
        time.sleep(0.2)
    lines = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
    assert {line[1] for line in lines} == {protocol}
    assert len({line[0] for line in lines}) == connections


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="Debian 12's pycurl is for Python 3.11")
def test_debians_libcurl_meets_the_same_suite(debian_pycurl: Path) -> None:
    """By a process of its own: two libcurls in one would not do."""
    libraries = debian_pycurl / "usr/lib/x86_64-linux-gnu"
    environment = {
        **os.environ,
        "PYTHONPATH": f"{debian_pycurl / 'usr/lib/python3/dist-packages'}",
        "LD_LIBRARY_PATH": f"{libraries}",
    }

    def python(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, *words],
            check=False,
            env=environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr
        return done.stdout

    version = python("-c", "import pycurl; print(pycurl.version)")
    assert "libcurl/7.88" in version
    assert "GnuTLS" in version
    suite = ("net/test_transport.py", "net/test_causes.py", "scraping/test_members.py", "scraping/test_proxy.py")
    python("-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "curl", *(f"tests/{name}" for name in suite))
