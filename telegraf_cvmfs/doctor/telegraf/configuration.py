"""Telegraf's configuration as it lies on this machine: where its files are, and what is in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from telegraf_cvmfs.doctor.telegraf.files import ConfigFile, Remark, remark_lines, remarks
from telegraf_cvmfs.whole_file import read_file

MAIN = Path("/etc/telegraf/telegraf.conf")
LARGEST_FILE = 4 << 20
"""Bytes."""


def default_places(environment: Mapping[str, str]) -> list[Path]:
    """The file and the folder that Telegraf reads unless it is told otherwise."""
    main = Path(environment.get("TELEGRAF_CONFIG_PATH") or MAIN)
    folder = main.parent / "telegraf.d"
    return [main, folder] if is_folder(folder) else [main]


def files_in(places: Sequence[Path]) -> list[Path]:
    """Each file, and those in a folder, as Telegraf reads it: also in the folders below."""
    found: list[Path] = []
    for place in places:
        found += sorted(place.rglob("*.conf")) if is_folder(place) else [place]
    return list(dict.fromkeys(found))


def is_folder(path: Path) -> bool:
    """Is it a folder, as far as this user may see?"""
    try:
        return path.is_dir()
    except OSError:  # one of the folders above it is closed to us
        return False


def read(path: Path) -> ConfigFile:
    """A file as it is written, its variables not filled in, or what keeps it from being read."""
    try:
        return ConfigFile(str(path), read_file(path, LARGEST_FILE - 1).decode())
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        return ConfigFile(str(path), problem=error.strerror or str(error), missing=missing)
    except UnicodeDecodeError:
        return ConfigFile(str(path), problem="it is not UTF-8")


def settings_lines(environment: Mapping[str, str], deadline: timedelta) -> Iterator[str]:
    """The lines of `--check` about them; arguments as `settings_remarks`."""
    return remark_lines(settings_remarks(environment, deadline))


def settings_remarks(environment: Mapping[str, str], deadline: timedelta) -> Iterator[Remark]:
    """What is right and wrong with the files that Telegraf reads by itself, where this user may read them.

    Args:
        environment: variables of this process, one of which may say where they are.
        deadline: how long a run of this program may take.
    """
    for path in files_in(default_places(environment)):
        yield from remarks(read(path), deadline)
