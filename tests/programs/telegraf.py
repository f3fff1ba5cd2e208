"""A real Telegraf: one run of it, and its parser of line protocol."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PATIENCE = 120.0  # seconds for one run
NOTICES = ("Strict environment variable handling", "Outputs are not used in testing mode")  # at each start

READ_TEXTS = """
[agent]
  omit_hostname = true
  skip_processors_after_aggregators = true
"""
READ_TEXT = """
[[inputs.file]]
  files = ['{path}']
  data_format = "influx"
"""

OWN_RACE = "read |0: file already closed"
"""`inputs.execd`, seldom: it waits for the process, and so closes the pipe, while it still reads from it."""


@dataclass(frozen=True)
class Finished:
    """One run of Telegraf that has ended."""

    code: int
    stdout: str
    log: str

    @property
    def metrics(self) -> list[str]:
        """What it printed with `--test`, as line protocol in Telegraf's spelling."""
        return [line.removeprefix("> ") for line in self.stdout.splitlines() if line.startswith("> ")]

    @property
    def errors(self) -> list[str]:
        """Errors in its log."""
        return re.findall(r"^\S+ E! (.*)$", self.log, re.MULTILINE)

    @property
    def trouble(self) -> list[str]:
        """Errors and warnings in its log, but for the notices that every start gives, and its own race at its end."""
        messages = re.findall(r"^\S+ [EW]! (.*)$", self.log, re.MULTILINE)
        return [message for message in messages if not message.startswith(NOTICES) and OWN_RACE not in message]


def run(
    telegraf: Path,
    arguments: Sequence[str | Path],
    settings: Mapping[str, str] | None = None,
    stop_after: float = 0,
) -> Finished:
    """Telegraf with these arguments and no environment but `settings`; ended after so many seconds if > 0."""
    environment = {"PATH": os.defpath} | dict(settings or {})
    with subprocess.Popen(
        [telegraf, *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        if stop_after:
            time.sleep(stop_after)
            process.send_signal(signal.SIGTERM)
        try:
            stdout, log = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return Finished(process.returncode, stdout, log)


class Rejected(AssertionError):  # noqa: N818
    """Telegraf would throw a text away; str() has its words, with file, line and column."""


def parse(telegraf: Path, *texts: str) -> list[str]:
    """The metrics that Telegraf's parser makes of line protocol, in its own spelling; else `Rejected`.

    All texts go through one run of Telegraf. One bad line costs the whole text, as it does in inputs.exec.
    """
    with tempfile.TemporaryDirectory() as room:
        return _parsed(telegraf, Path(room), {f"{number:04}": text for number, text in enumerate(texts)})


@dataclass
class Texts:
    """Line protocol that tests collect, to be parsed by one run of Telegraf when all have ended."""

    texts: dict[str, str] = field(default_factory=dict)

    def add(self, text: str) -> None:
        """Keep a text under the name of the test that runs."""
        test = re.sub(r"[^\w.-]+", "_", os.environ.get("PYTEST_CURRENT_TEST", ""))[-150:]
        self.texts[f"{len(self.texts):04}-{test}"] = text

    def parse(self, telegraf: Path, room: Path) -> None:
        """`Rejected` if Telegraf would throw any of them away; the texts stay in `room`."""
        if self.texts:
            _parsed(telegraf, room, self.texts)


def _parsed(telegraf: Path, room: Path, texts: Mapping[str, str]) -> list[str]:
    settings = room / "telegraf.conf"
    for name, text in texts.items():
        (room / name).write_bytes(text.encode())
    # a table for each text: after an error inputs.file reads no further file of the same table
    settings.write_text(READ_TEXTS + "".join(READ_TEXT.format(path=room / name) for name in texts))
    finished = run(telegraf, ["--config", settings, "--test"])
    if finished.code or finished.trouble:
        raise Rejected("\n".join(finished.trouble))
    wanted = sum(map(_lines, texts.values()))
    if len(finished.metrics) != wanted:
        raise Rejected(f"Telegraf made {len(finished.metrics)} metrics of {wanted} lines")
    return finished.metrics


def _lines(text: str) -> int:
    return sum(1 for line in text.split("\n") if line.strip() and not line.startswith("#"))
