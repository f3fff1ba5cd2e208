"""How a server is asked that wants to know who asks: the files that a `[[server]]` names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from telegraf_cvmfs.fleet.table import TomlFile
from telegraf_cvmfs.model import Access
from telegraf_cvmfs.whole_file import read_file
from telegraf_cvmfs.words.headers import READERS
from telegraf_cvmfs.words.secrecy import masked

ACCESS = ("client_cert", "client_key", "ca", "headers_file", "cookie_file")
"""The keys of a `[[server]]`."""

_LARGEST = 1 << 20  # bytes of one of these files


def access(file: TomlFile, number: int, table: dict[str, Any]) -> Access:
    """Take these keys out of the table of a server; paths are relative to the fleet file.

    Raises:
        ConfigError: a file cannot be read, or is not what its key wants; what is in it is not shown.
    """
    found = {key: file.path.parent / table.pop(key) for key in ACCESS if key in table}
    for key, path in found.items():
        if why := _fault(key, path):
            raise file.error("server", number, key, f"{masked(str(path))}: {why}")
    if "client_key" in found and "client_cert" not in found:
        raise file.error("server", number, "client_key", "wants a client_cert beside it")
    return Access(**found)


def _fault(key: str, path: Path) -> str | None:
    """Why this is not what a key wants; None if it seems to be."""
    try:
        content = read_file(path, _LARGEST).decode("latin-1")
        if key in READERS:
            READERS[key](content)
        elif "-----BEGIN " not in content:
            return "it is not in PEM form"
    except OSError as error:
        return error.strerror or str(error)
    except ValueError as error:
        return str(error)
    return None
