"""The commands of a page, tried as an operator pastes them: each block alone, into a plain bash, against servers on loopback."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from telegraf_cvmfs.demo import DemoFleet
from telegraf_cvmfs.demo.inventory import HEALTHY, STRATUM0, full_name
from telegraf_cvmfs.demo.server import RefusingPort
from tests.builders.hostile import Behaviour, Server, answers, page, serves

EXAMPLE = {
    "SERVER": "http://stratum1.example.org",
    "REFERENCE": "http://stratum0.example.org",
    "PROXY": "http://squid.example.org:3128",
    "KEY": "/etc/cvmfs/keys/example.org/example.org.pub",
    "REPO": "software.example.org",
}
"""What stands in the first lines of a block, for its reader to put his own in its place."""

CLOSED = "closed"
"""In place of a server: a port at which nobody answers."""
TWO_MACHINES = "members.demo.example"
"""A name with two addresses."""
GETENT = f"""#!/bin/sh
[ "$2" != {TWO_MACHINES} ] || {{ echo "127.0.0.1 STREAM"; echo "127.0.0.2 STREAM"; exit 0; }}
exec /usr/bin/getent "$@"
"""

Served = dict[str, bytes]
Fault = Callable[[Served, str], None]
"""Breaks something of what one server serves; the text is the repository's path."""


@dataclass(frozen=True)
class State:
    """Servers in some state, and what a block has to say of it.

    `server`, `reference` and `proxy` are names of the demo's servers, or `CLOSED`; `fault` breaks what `server` serves,
    `behave` is another server in its place, `machines` two behind one name: what the second has is broken; `cache`
    stands in the place of the reference.
    """

    said: str
    repo: str = "software"
    server: str = HEALTHY
    reference: str = STRATUM0
    proxy: str = HEALTHY
    fault: Fault | None = None
    behave: Behaviour | None = None
    machines: bool = False
    cache: Behaviour | None = None


BUSY = answers(lambda _: page(b"busy", "503 Service Unavailable"))
PORTAL = answers(lambda _: page(b"<!DOCTYPE html>\n<html>\nSign in, Clients and Staff, 2,1,3\n</html>\n"))
ESCAPE = "\x1b[2J"


def _steering(path: str) -> bytes:
    if path.endswith(".json"):
        said = f'"last_snapshot": "{ESCAPE}",\n"last_gc": "{ESCAPE}",\n"last_check": "", "check_status": "{ESCAPE}"'
        names = '"replicas": [{"name": "\\u001b[2J", "url": "\\u001b[2J"}]'
        return f'{{{names}, "last_geodb_update": "{ESCAPE}",\n{said}}}'.encode()
    if path.endswith((".cvmfspublished", ".cvmfswhitelist")):
        letters = (
            "C" + "0" * 40,
            "R" + "0" * 32,
            "D1",
            "S5",
            "T5",
            f"X{ESCAPE}",
            "Nsoftware.demo.example",
            f"E{ESCAPE}",
        )
        return "\n".join([*letters, ESCAPE, "--", ""]).encode()
    return f"{ESCAPE}\n".encode()


HOSTILE = answers(lambda path: page(_steering(path)))
"""Documents with what steers a terminal."""


@dataclass(frozen=True)
class Room:
    """A demo fleet, and folders for what is run against it."""

    demo: DemoFleet
    folder: Path

    def run(self, block: str, state: State) -> str:
        """What a block says, on both streams; it must leave nothing where it was pasted."""
        with self._values(state) as values:
            here = self.folder / f"{state.said}-{id(state)}".replace("/", " ")
            for each in ("pasted", "temporary", "bin"):
                (here / each).mkdir(parents=True)
            (here / "bin" / "getent").write_text(GETENT)
            (here / "bin" / "getent").chmod(0o755)
            (here / "bin" / "python3").symlink_to(Path(sys.executable).resolve())  # not one that first looks for itself
            done = subprocess.run(
                ["bash", "-c", filled(block, values)],
                cwd=here / "pasted",
                env=_environment(here, values),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=60,
                check=False,
            )
        assert not list((here / "pasted").iterdir()), "a later paste would read what this one left"
        assert "\x1b" not in done.stdout, "it steers the reader's terminal"
        assert not re.search("Traceback|syntax error|not found$|expected$", done.stdout), done.stdout
        return done.stdout

    @contextmanager
    def _values(self, state: State) -> Iterator[Mapping[str, str]]:
        key = self.folder / "master.pub"
        if not key.exists():
            key.write_bytes(self.demo.public_key)
        with ExitStack() as running:
            closed = RefusingPort()
            running.callback(closed.close)
            urls = {**self.demo.urls, CLOSED: closed.url}
            yield {
                "SERVER": self._server(state, urls, running),
                "REFERENCE": running.enter_context(Server(state.cache)).url if state.cache else urls[state.reference],
                "PROXY": urls[state.proxy],
                "KEY": str(key),
                "REPO": full_name(state.repo),
                "nobody": closed.url,
            }

    def _server(self, state: State, urls: Mapping[str, str], running: ExitStack) -> str:
        if state.behave is not None:
            return running.enter_context(Server(state.behave)).url
        if state.fault is None:
            return urls[state.server]
        broken = dict(self.demo.documents[state.server])
        state.fault(broken, f"/cvmfs/{full_name(state.repo)}")
        if not state.machines:
            return running.enter_context(Server(serves(broken))).url
        first = running.enter_context(Server(serves(self.demo.documents[state.server])))
        running.enter_context(Server(serves(broken), address="127.0.0.2", port=first.port))
        return f"http://{TWO_MACHINES}:{first.port}"


def blocks(text: str, language: str = "bash") -> list[str]:
    """The fenced blocks of a language, in order."""
    return re.findall(rf"^ *```{language}\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE)


def filled(block: str, values: Mapping[str, str]) -> str:
    """A block with other values in place of the examples."""
    for name, example in EXAMPLE.items():
        block = block.replace(f"{name}={example}\n", f"{name}={values[name]}\n")
    assert "example.org" not in block, "a value that no variable holds"
    return block


def _environment(here: Path, values: Mapping[str, str]) -> dict[str, str]:
    """As at an operator's, with a proxy that does not answer."""
    kept = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), values["nobody"])
    return {**kept, **proxies, "TMPDIR": str(here / "temporary"), "PATH": f"{here / 'bin'}:{os.environ['PATH']}"}
