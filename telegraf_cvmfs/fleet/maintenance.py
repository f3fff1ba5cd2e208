"""Windows of maintenance: `[[maintenance]]` in the fleet file, and in the file beside it that a command writes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from telegraf_cvmfs.fleet import values
from telegraf_cvmfs.fleet.table import Convert, TomlFile
from telegraf_cvmfs.model import Maintenance

_WHAT = "maintenance file"


def _globs(value: object) -> tuple[str, ...]:
    """One glob or a list of them."""
    return values.globs(value if isinstance(value, list) else [value])


def moment(value: object) -> datetime:
    """A time with its offset from UTC: without it nobody knows which is meant."""
    expected = "a time with its offset, without quotes, such as 2026-12-01T08:00:00Z"
    if not isinstance(value, datetime) or value.utcoffset() is None:
        raise ValueError(expected)
    try:
        return value.astimezone(UTC)
    except OverflowError:  # in UTC it is after the year 9999, or before the year 1
        raise ValueError(expected) from None


KEYS: Mapping[str, Convert] = {
    "server": _globs,
    "repository": _globs,
    "from": moment,
    "until": moment,
    "why": values.text,
}


_SUFFIX = ".maintenance.toml"


def beside(fleet_file: Path) -> Path:
    """The file with the windows that were added by command to those of a fleet file."""
    return fleet_file.with_name(f"{fleet_file.name}{_SUFFIX}")


def fleet_file_of(path: Path) -> Path:
    """The fleet file beside which such a file lies, if there is one."""
    return path.with_name(path.name.removesuffix(_SUFFIX))


def load(path: Path) -> tuple[Maintenance, ...]:
    """The windows of such a file; none if there is no file, or where nobody of this user's rights may look for one.

    Raises:
        ConfigError: it cannot be read, is not TOML, or says something that is not understood.
    """
    try:
        path.lstat()
    except OSError:
        return ()
    file = TomlFile.load(path, _WHAT)
    file.refuse_others({"maintenance": True})
    return windows(file)


def windows(file: TomlFile) -> tuple[Maintenance, ...]:
    """The windows of a file, those that are over too; ConfigError as `load`."""
    return tuple(_window(file, number, table) for number, table in enumerate(file.repeated("maintenance", KEYS)))


def _window(file: TomlFile, number: int, table: Mapping[str, Any]) -> Maintenance:
    for key in ("from", "until"):
        if key not in table:
            raise file.error("maintenance", number, None, f"{key} is missing")
    if not {"server", "repository"} & table.keys():
        raise file.error("maintenance", number, None, 'server or repository is missing; "*" is all of them')
    if table["until"] <= table["from"]:
        raise file.error("maintenance", number, "until", "is not after from")
    servers, repositories = table.get("server", ("*",)), table.get("repository", ())
    return Maintenance(table["from"], table["until"], servers, repositories, table.get("why", ""))


def text(kept: Iterable[Maintenance]) -> str:
    """The file that `load` reads, with these windows."""
    head = "# Written by `telegraf-cvmfs maintenance`; windows that are over are taken out by it.\n"
    return head + "".join(f"\n{table(window)}\n" for window in kept)


def table(window: Maintenance) -> str:
    """A window as a fleet file has it."""
    lists = {"server": window.servers, "repository": window.repositories}
    lines = [f"{key} = [{', '.join(map(_quoted, globs))}]" for key, globs in lists.items() if globs]
    lines += [f"from = {_moment(window.since)}", f"until = {_moment(window.until)}"]
    lines += [f"why = {_quoted(window.why)}"] if window.why else []
    return "\n".join(["[[maintenance]]", *lines])


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # surrogate pairs of JSON would be no TOML
