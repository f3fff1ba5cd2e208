"""What somebody meant who wrote an argument that there is not: the error names what would be right."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from telegraf_cvmfs.emit import FORMATS
from telegraf_cvmfs.fleet import public
from telegraf_cvmfs.words.secrecy import masked
from telegraf_cvmfs.words.text import shown

_OPTIONS = {
    "check": "--check",
    "human": "--print-for-human",
    "help": "--help",
    "version": "--version",
    "verbose": "--verbose",
    "quiet": "--quiet",
    "all": "--all",
}
_ADDRESS = ("://", ".", ":")


def command_meant(word: str, commands: Iterable[str]) -> str:
    """An error for a word that stands where a sub-command may: a server, a file, a fleet, an option, or misspelt."""
    is_file = Path(word).is_file()
    word = masked(word)
    said = shown(word)
    if word.endswith(".toml") or word.startswith(("/", "./", "../", "~")) or is_file:
        return f"{said} is no sub-command: expected --config {word}"
    if word in public.names():
        return f"{said} is no sub-command: expected --fleet {word}"
    if word in FORMATS and word not in _OPTIONS:
        return f"{said} is no sub-command: expected --format {word}"
    if word.lstrip("-") in _OPTIONS:
        return f"{said} is no sub-command: expected {_OPTIONS[word.lstrip('-')]}"
    if any(sign in word for sign in _ADDRESS):
        return f"a server needs its role: expected --stratum1 {word}, or --stratum0"
    near = get_close_matches(word, commands, 1)
    return f"{said} is no sub-command: expected {near[0] if near else 'one of ' + ', '.join(commands)}"


def option_meant(option: str, command: str, options: Iterable[str]) -> str:
    """An error for an option that there is not, or not with this sub-command."""
    name = option.partition("=")[0]
    if name in ("--check", "--nagios"):
        return f"{name} and {command}: expected one of them, telegraf-cvmfs {name} or telegraf-cvmfs {command}"
    near = get_close_matches(name, options, 1)
    return f"there is no option {shown(masked(name))}" + (f": expected {near[0]}" if near else "")
