"""Telegraf's files as far as they concern this program: which inputs run it, and is there an output. Pure."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from telegraf_cvmfs.doctor.servers import NAMES
from telegraf_cvmfs.words.duration import duration

INTERVAL = timedelta(seconds=10)
"""How often Telegraf asks where neither the input nor the agent says so."""

_VARIABLE = re.compile(r"\$\{(\w+)(?:(:?[-?])([^}]*))?\}")
_NO_FILE = ("--fleet", "--stratum0", "--stratum1", "--demo", "--demo-faults")
_FLEET_FILE, _DEFAULT_FLEET_FILE = "TELEGRAF_CVMFS_CONFIG", "/etc/telegraf-cvmfs/fleet.toml"


@dataclass(frozen=True)
class ConfigFile:
    """One file: its text (it may hold a secret) and what kept it from being read."""

    path: str
    text: str = field(default="", repr=False)
    problem: str = ""

    @property
    def is_odd(self) -> bool:
        """Does it name this program, but is no TOML that is understood here?"""
        return not _document(self.text) and any(name in self.text for name in NAMES)


@dataclass(frozen=True)
class Input:
    """One input that runs this program.

    Args:
        file: where it stands.
        kind: "exec" or "execd".
        words: the command.
        interval: how often it is asked.
        fleet_file: the file that the command reads; empty if it reads none.
        in_lists: is the command a list of words, as only newer versions take it?
    """

    file: str
    kind: str
    words: tuple[str, ...]
    interval: timedelta
    fleet_file: str
    in_lists: bool

    @property
    def program(self) -> str:
        """What is started."""
        return self.words[0]


def expanded(text: str, environment: Mapping[str, str]) -> str:
    """The text with its variables filled in, as Telegraf does; those that nobody set and that have no default stay."""

    def value(match: re.Match[str]) -> str:
        name, operator, default = match[1], match[2] or "", match[3] or ""
        given = environment.get(name)
        if given or (given is not None and ":" not in operator):
            return given
        return default if "-" in operator else match[0]

    return _VARIABLE.sub(value, text)


def inputs(files: Iterable[ConfigFile], environment: Mapping[str, str]) -> Iterator[Input]:
    """The inputs that run this program."""
    documents = [(file.path, _document(file.text)) for file in files]
    usual = next((one for _, document in documents if (one := _span(document.get("agent")))), INTERVAL)
    for path, document in documents:
        for kind in ("exec", "execd"):
            for table in _tables(document, kind):
                words, in_lists = _command(table)
                if words:
                    interval = _span(table) or usual
                    yield Input(path, kind, words, interval, _fleet_file(words, environment), in_lists)


def has_outputs(files: Iterable[ConfigFile]) -> bool:
    """Is there anywhere to write to, or a file that cannot be read and may say so?"""
    return any(_document(file.text).get("outputs") or (file.text and not _document(file.text)) for file in files)


def _document(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError):
        return {}


def _tables(document: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    found = document.get("inputs")
    tables = found.get(kind) if isinstance(found, dict) else None
    return [table for table in tables if isinstance(table, dict)] if isinstance(tables, list) else []


def _span(table: Any) -> timedelta | None:  # noqa: ANN401
    try:
        return duration(table["interval"]) or None
    except (TypeError, KeyError, ValueError):
        return None


def _command(table: Mapping[str, Any]) -> tuple[tuple[str, ...], bool]:
    """The words of the command that runs this program, none if there is none; and was it a list?

    `commands` of inputs.exec has lists or strings, `command` of inputs.execd is one list.
    """
    commands, single = table.get("commands"), table.get("command")
    every = commands if isinstance(commands, list) else []
    for one in [*every, *([single] if single else [])]:
        in_list = isinstance(one, list)
        words = tuple(map(str, one)) if in_list else _split(str(one))
        if words and any(name in word for word in words for name in NAMES):
            return words, in_list and one is not single
    return (), False


def _split(command: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(command))
    except ValueError:
        return tuple(command.split())


def _fleet_file(words: Sequence[str], environment: Mapping[str, str]) -> str:
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word == "--config":
            return following
        if word.startswith("--config="):
            return word.partition("=")[2]
    if any(word.partition("=")[0] in _NO_FILE for word in words):
        return ""
    return environment.get(_FLEET_FILE) or _DEFAULT_FLEET_FILE
