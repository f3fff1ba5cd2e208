"""Telegraf's files as far as they concern this program: which inputs run it, what is wrong with them. Pure."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from telegraf_cvmfs.doctor.chain import Verdict
from telegraf_cvmfs.doctor.servers import LONGEST_LINE
from telegraf_cvmfs.words.duration import duration, in_words
from telegraf_cvmfs.words.text import tame

INTERVAL = timedelta(seconds=10)
"""How often Telegraf asks where neither the input nor the agent says so."""

TIMEOUT = timedelta(seconds=5)
"""What inputs.exec gives a command unless it is told otherwise."""

_NAMES = ("telegraf-cvmfs", "telegraf_cvmfs")
_VARIABLE = re.compile(r"\$\{(\w+)(?:(:?[-?])([^}]*))?\}")
_NO_FILE = ("--fleet", "--stratum0", "--stratum1", "--demo", "--demo-faults")
_FLEET_FILE, _DEFAULT_FLEET_FILE = "TELEGRAF_CVMFS_CONFIG", "/etc/telegraf-cvmfs/fleet.toml"


@dataclass(frozen=True)
class ConfigFile:
    """One file: its text (it may hold a secret), and what kept it from being read: is it not there?"""

    path: str
    text: str = field(default="", repr=False)
    problem: str = ""
    missing: bool = False

    @property
    def is_odd(self) -> bool:
        """Does it name this program, but is no TOML that is understood here?"""
        return not _document(self.text) and names_this_program(self.text)


@dataclass(frozen=True)
class Remark:
    """What is right or wrong with one input that runs this program, or with a whole file.

    Args:
        verdict: OK or WRONG, UNSURE for what is not understood here.
        sentence: what there is to say.
        advice: what to do about it, where that is more than to correct it.
        file: where it stands.
        kind: of the input, "exec" or "execd"; empty if the whole file is meant.
    """

    verdict: Verdict
    sentence: str
    advice: str = ""
    file: str = ""
    kind: str = ""

    @property
    def where(self) -> str:
        """The beginning of a line about it."""
        return f"{self.file}: [[inputs.{self.kind}]]" if self.kind else f"{self.file}:"


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
        """The program that is started."""
        return self.words[0]


def names_this_program(text: str) -> bool:
    """Does a text name this program, as a command or as a module of Python?"""
    return any(name in text for name in _NAMES)


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
    usual = next((one for _, document in documents if (one := _interval(document.get("agent")))), INTERVAL)
    for path, document in documents:
        for kind, table in _ours(document):
            words, in_lists = _command(table)
            if words:
                interval = _interval(table) or usual
                yield Input(path, kind, words, interval, _fleet_file(words, environment), in_lists)


def has_outputs(files: Iterable[ConfigFile]) -> bool:
    """Is there anywhere to write to, or a file that cannot be read and may say so?"""
    return any(_document(file.text).get("outputs") or (file.text and not _document(file.text)) for file in files)


# --- what is right and wrong with an input ----------------------------------------------------------


def remarks(file: ConfigFile, deadline: timedelta) -> Iterator[Remark]:
    """What is right and wrong with a file for this program, a run of which takes at most `deadline`.

    Nothing if it has nothing to do with it.
    """
    try:
        document = tomllib.loads(file.text)
    except (ValueError, RecursionError) as error:
        if names_this_program(file.text):  # Telegraf fills in variables first, and its own TOML is laxer
            yield Remark(Verdict.UNSURE, f"cannot be read as TOML, so it is not checked: {error}", file=file.path)
        return
    for kind, table in _ours(document):
        found = _of_exec(table, deadline) if kind == "exec" else _of_execd(table, deadline)
        yield from (replace(remark, file=file.path, kind=kind) for remark in found)


def telegraf_settings(name: str, text: str, deadline: timedelta) -> Iterator[str]:
    """The lines of `--check` about one of Telegraf's files: its name and text, and how long a run may take."""
    return remark_lines(remarks(ConfigFile(name, text), deadline))


def remark_lines(found: Iterable[Remark]) -> Iterator[str]:
    """Remarks as lines of `--check`."""
    for remark in found:
        yield tame(f"{remark.where} {_IN_CHECK.get(remark.verdict, '')}{remark.sentence}", LONGEST_LINE)
        if remark.advice:
            yield tame(f"{remark.where} {remark.advice}", LONGEST_LINE)


_IN_CHECK = {Verdict.OK: "ok: ", Verdict.WRONG: "wrong: "}


def _of_exec(table: Mapping[str, Any], deadline: timedelta) -> Iterator[Remark]:
    if _runs_execd(table):
        sentence = "the sub-command execd waits to be asked and never ends: it belongs into [[inputs.execd]]"
        yield Remark(Verdict.WRONG, sentence)
    if table.get("data_format", "json") != "influx":
        sentence = 'data_format is not "influx": Telegraf would read the output as JSON and throw all of it away'
        yield Remark(Verdict.WRONG, sentence)
    yield _of_timeout(table, deadline)


def _of_timeout(table: Mapping[str, Any], deadline: timedelta) -> Remark:
    """A time-out has to be longer than a run (Telegraf, plugins/inputs/exec)."""
    timeout = _span(table["timeout"]) if "timeout" in table else TIMEOUT
    longest = f"a run may take {in_words(deadline)} (--deadline)"
    if timeout is None:
        sentence = f"its timeout is not understood here; {longest}, and it must be longer than that"
        return Remark(Verdict.UNSURE, sentence)
    if timeout > deadline:
        return Remark(Verdict.OK, f"its timeout is {in_words(timeout)}, and {longest}")
    default = "" if "timeout" in table else ", for none is set"
    sentence = f"its timeout is {in_words(timeout)}{default}, and {longest}: Telegraf would cut a slow run short"
    longer = f"{int(deadline.total_seconds()) + 15}s"
    return Remark(
        Verdict.WRONG, sentence, f'write timeout = "{longer}" there, or give the program a shorter --deadline'
    )


def _of_execd(table: Mapping[str, Any], deadline: timedelta) -> Iterator[Remark]:
    wrong = [Remark(Verdict.WRONG, sentence) for sentence in _faults_of_execd(table, deadline)]
    yield from wrong or [Remark(Verdict.OK, "it asks by a line on stdin, and reads what this program prints")]


def _faults_of_execd(table: Mapping[str, Any], deadline: timedelta) -> Iterator[str]:
    if not _runs_execd(table):
        yield "its command has no sub-command execd: it would scrape once, end, and be started again and again"
    if table.get("signal", "none") != "STDIN":
        yield 'signal is not "STDIN": the program would wait for ever to be asked'
    if table.get("data_format", "influx") != "influx":
        yield 'data_format is not "influx", which is what this program prints'
    interval = _span(table.get("interval"))
    if interval is not None and interval <= deadline:
        yield (
            f"its interval is {in_words(interval)}, and a run may take {in_words(deadline)} (--deadline): "
            "what is asked for while a run goes on is not answered"
        )


# --- tables -----------------------------------------------------------------------------------------


def _document(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError):
        return {}


def _ours(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The tables of inputs that run this program, each with its kind."""
    found = document.get("inputs")
    for kind in ("exec", "execd"):
        tables = found.get(kind) if isinstance(found, dict) else None
        for table in tables if isinstance(tables, list) else []:
            if isinstance(table, dict) and names_this_program(_commands(table)):
                yield kind, table


def _commands(table: Mapping[str, Any]) -> str:
    """What it runs, whichever way it is spelt: a list of lists, of strings, one string."""
    return f"{table.get('commands', '')} {table.get('command', '')}"


def _runs_execd(table: Mapping[str, Any]) -> bool:
    return re.search(r"\bexecd\b", _commands(table)) is not None


def _interval(table: object) -> timedelta | None:
    return (_span(table.get("interval")) or None) if isinstance(table, dict) else None


def _span(written: object) -> timedelta | None:
    """A span of time; of `${NAME:-60s}` the default, which is what a shell without NAME gives."""
    try:
        return duration(re.sub(r"^\$\{\w+:-(.*)\}$", r"\1", str(written)))
    except ValueError:
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
        if any(map(names_this_program, words)):
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
