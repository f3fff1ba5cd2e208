"""axe-core, which finds what keeps people from using a page, run in a real Chromium on pages as they are served."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from deploy.native.programs import Missing, installed, run
from grafana.preview.browser import OPTIONS

VERSION = "4.14.1"
_RUN = """
axe.run(document, {resultTypes: ["violations"]}).then(found => {
  const said = document.createElement("pre");
  said.id = "axe";
  said.textContent = JSON.stringify(found.violations.map(one => [one.id, one.nodes.map(node => node.html)]));
  document.body.append(said);
});
"""
_POLICY = re.compile(rb'<meta http-equiv="Content-Security-Policy"[^>]*>')
_SAID = re.compile(r'<pre id="axe">(.*?)</pre>', re.DOTALL)


def axe() -> Path:
    """The script that a page loads, from npm's registry."""
    return installed(f"axe-core-{VERSION}", "package/axe.min.js", _fetch)


def _fetch(room: Path) -> None:
    if shutil.which("npm") is None:
        raise Missing("axe-core comes from npm's registry, and npm is not on the PATH")
    run(["npm", "pack", "--silent", f"axe-core@{VERSION}"], {}, room)
    (package,) = room.glob("*.tgz")
    run(["tar", "-xzf", str(package)], {}, room)


@contextmanager
def served(folder: Path, script: Path | None = None) -> Iterator[str]:
    """The URL of a folder on loopback; with a script each page runs axe, for which its own policy is taken away."""

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(folder))

        def do_GET(self) -> None:
            if self.path in ("/axe.js", "/run-axe.js") and script is not None:
                self._send(script.read_bytes() if self.path == "/axe.js" else _RUN.encode(), "text/javascript")
            elif self.path.endswith(".html") and script is not None:
                page = _POLICY.sub(b"", (folder / self.path[1:]).read_bytes())
                ends = b'<script src="/axe.js"></script><script src="/run-axe.js"></script></body>'
                self._send(page.replace(b"</body>", ends), "text/html; charset=utf-8")
            else:
                super().do_GET()

        def _send(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def page(chromium: Path, url: str, room: Path, *options: str) -> str:
    """The page as it is when its scripts have run for some seconds of its own time."""
    done = subprocess.run(
        [
            chromium, *OPTIONS, f"--user-data-dir={room}", "--virtual-time-budget=4000", "--timeout=30000", *options, "--dump-dom", url,
        ],
        capture_output=True, text=True, timeout=90, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.stdout, done.stderr
    return done.stdout


def violations(chromium: Path, url: str, room: Path, *options: str) -> list[Any]:
    """What axe-core has against a page that is served with it."""
    found = _SAID.search(text := page(chromium, url, room, *options))
    assert found, text[-2000:]
    told: list[Any] = json.loads(unescape(found[1]))
    return told
