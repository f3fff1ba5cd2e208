"""A TOML file while it is read: its tables, converted value by value, and where in it something is wrong.

It knows no key by itself: the keys of a section are an argument. `tomllib` tells no line, so that is found here.
"""

from __future__ import annotations

import re
import reprlib
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from telegraf_cvmfs.model import ConfigError
from telegraf_cvmfs.whole_file import read_file
from telegraf_cvmfs.words.secrecy import HIDDEN, is_secret, masked, without_secrets

LONGEST_FILE = 1 << 20  # characters; a fleet file of a thousand servers has a tenth of it

Convert = Callable[[Any], Any]
"""A value of the file to a value of the model; ValueError says what was expected."""

Keys = Mapping[str, Convert]
"""The keys that a table may have."""

_PART = r"""(?:[\w-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')"""
_DEEP_KEY = re.compile(rf"""(?<![\w"'\\-]){_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{50}}""", re.ASCII)
"""tomllib takes quadratic time for such a key."""


@dataclass(frozen=True)
class TomlFile:
    """What a file says, and where, for the errors. `what` it is called in them: "fleet file"."""

    path: Path
    text: str
    data: dict[str, Any]
    what: str

    @classmethod
    def load(cls, path: Path, what: str, over: Callable[[], bool] | None = None) -> TomlFile:
        """Read a file; with `over` also a pipe that is open already, until it is over.

        Raises:
            ConfigError: it cannot be read, is too long, or is not TOML.
        """
        try:
            text = read_file(path, 4 * LONGEST_FILE, over).decode()
        except OSError as error:
            raise ConfigError(f"{_named(what, path)}: {error.strerror or error}") from error
        except UnicodeDecodeError as error:
            raise ConfigError(
                f"{_named(what, path)}: not UTF-8 text ({error.reason} at byte {error.start}): save it as UTF-8"
            ) from error
        return cls.parse(text, path, what)

    @classmethod
    def parse(cls, text: str, path: Path, what: str) -> TomlFile:
        """Read the text of a file.

        Raises:
            ConfigError: it is too long, or is not TOML.
        """
        text = text.removeprefix("\ufeff")  # a byte order mark, as editors on Windows write it
        if len(text) > LONGEST_FILE:
            raise ConfigError(f"{_named(what, path)}: has more than {LONGEST_FILE} characters")
        if deep := _DEEP_KEY.search(text):
            line = text.count("\n", 0, deep.start()) + 1
            raise ConfigError(
                f"{_named(what, path)}, line {line}: not TOML that can be read: a key of more than 50 parts"
            )
        try:
            return cls(path, text, tomllib.loads(text), what)
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{_named(what, path)}: not TOML: {_brief(str(error))}") from error
        except (ValueError, RecursionError):  # tomllib lets those of int() and of its own depth through
            raise ConfigError(
                f"{_named(what, path)}: not TOML that can be read: a huge number, or nested deeply"
            ) from None

    def error(self, section: str, number: int | None, key: str | None, why: str) -> ConfigError:
        """What is wrong, and where in the file; `number` counts the tables of one kind from 0."""
        line = _line_of(self.text, section, number or 0, key)
        place = f"[{section}]" if number is None else f"[[{section}]] number {number + 1}"
        named = "" if key is None else f" {_key(key)}"
        return ConfigError(f"{_named(self.what, self.path)}{_at(line)}: {place}{named}: {why}")

    def refuse_others(self, known: Mapping[str, bool]) -> None:
        """ConfigError for a section that is none of these; the value says whether it may stand many times."""
        if unknown := [name for name in self.data if name not in known]:
            names = ", ".join(f"[[{name}]]" if repeated else f"[{name}]" for name, repeated in known.items())
            line = _line_of(self.text, unknown[0], 0, None) or _line_of(self.text, "", 0, unknown[0])
            why = f"unknown section or key {_shown(unknown[0])}; known are {names}"
            raise ConfigError(f"{_named(self.what, self.path)}{_at(line)}: {why}")

    def section(self, name: str, keys: Keys) -> dict[str, Any]:
        """The values of one table, `[name]`; none if it is not there."""
        table = self.data.get(name, {})
        if not isinstance(table, dict):
            raise self.error(name, None, None, f"must be a table, [{name}]")
        return self.convert(name, None, table, keys)

    def repeated(self, name: str, keys: Keys) -> list[dict[str, Any]]:
        """The values of each of the tables `[[name]]`."""
        tables = self.data.get(name, [])
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            raise self.error(name, None, None, f"must be written with two brackets, [[{name}]]")
        return [self.convert(name, number, table, keys) for number, table in enumerate(tables)]

    def convert(self, section: str, number: int | None, table: dict[str, Any], keys: Keys) -> dict[str, Any]:
        """The values of a table.

        Raises:
            ConfigError: it has an unknown key, or a value that is not what its key wants.
        """
        if unknown := [key for key in table if key not in keys]:
            raise self.error(section, number, unknown[0], f"unknown key; known are {', '.join(keys)}")
        converted = {}
        for key, value in table.items():
            try:
                converted[key] = keys[key](value)
            except ValueError as error:
                raise self.error(section, number, key, f"is {_shown(value)}, expected {error}") from error
        return converted


def _named(what: str, path: Path) -> str:
    return f"{what} {masked(str(path))}"


# --- where it stands --------------------------------------------------------------------------------

_HEADER = re.compile(r"\[\[?([^\[\]]+)\]\]?\s*(?:#.*)?")


def _line_of(text: str, section: str, number: int, key: str | None) -> int | None:
    """The line of a key, or of the header of its table, counted from 1; tomllib does not tell."""
    here, count, header = "", -1, None
    # str.splitlines would cut at characters too that may stand in a comment.
    for index, line in enumerate(text.split("\n"), start=1):
        if match := _HEADER.fullmatch(line.strip()):
            here = match[1].strip(" \t\"'")
            count += here == section
            if (here, count) == (section, number):
                header = index
        elif key is not None and (here, max(count, 0)) == (section, number) and _assigns(line, key):
            return index
    return header


def _assigns(line: str, key: str) -> bool:
    written = line.lstrip(" \t\"'")
    return written.startswith(key) and written[len(key) :].lstrip(" \t\"'").startswith((".", "="))


def _at(line: int | None) -> str:
    return f", line {line}" if line else ""


# --- what an error shows of the file ----------------------------------------------------------------

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]{1,60}")


class _Short(reprlib.Repr):
    """The beginning and the end of a value, and of every text in it nothing that is secret in a URL."""

    def repr_str(self, x: str, level: int) -> str:
        return super().repr_str(masked(x), level)

    def repr_dict(self, x: dict[Any, Any], level: int) -> str:
        return super().repr_dict({key: HIDDEN if is_secret(str(key)) else x[key] for key in x}, level)


_SHORT = _Short()
_SHORT.maxstring = _SHORT.maxother = 60


def _key(key: str) -> str:
    return key if _PLAIN_KEY.fullmatch(key) else _shown(key)


def _shown(value: object) -> str:
    """The value in a few words of one printable line: it may be long, deep, or hold line breaks."""
    try:
        return _SHORT.repr(value)
    except ValueError:  # of an integer with more digits than Python is willing to write
        return "a huge number"


def _brief(sentence: str) -> str:
    """The sentence without its middle if it is long; tomllib's ends with the place."""
    sentence = without_secrets(sentence)
    return sentence if len(sentence) <= 200 else f"{sentence[:100]}...{sentence[-60:]}"  # noqa: PLR2004
