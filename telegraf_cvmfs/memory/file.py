"""The file in which the memory of a fleet lies between runs: read before a run, written after it. Dispensable.

One small file for each fleet. It is never worth a run: if it cannot be read or written, or is not what this
program wrote, a run goes on without it and says so once. What may not be read is left as it is, for whoever may read
it; what was read and is damaged is set aside.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import pwd
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from shlex import quote as pasted
from urllib.parse import quote

from telegraf_cvmfs.memory.document import document, parse
from telegraf_cvmfs.memory.value import Memory
from telegraf_cvmfs.whole_file import read_file, whole_file
from telegraf_cvmfs.words.shortage import shortage

LARGEST = 64 * 1024 * 1024
"""Bytes of a file that are read at most; ten thousand replicas need two million."""

LONGEST_NAME = 100
PRIVATE = 0o700
EVERYBODYS = Path("/var/tmp")  # noqa: S108  # a folder in it is checked to be ours before it is used


class StateError(Exception):
    """The memory cannot be read or kept; str() says why, and what to do."""


class DamagedError(StateError):
    """The memory was read, and is not what this program writes."""


def default_folder(environment: Mapping[str, str]) -> Path:
    """Where the memory lies unless it is given another place.

    systemd's `$STATE_DIRECTORY`, else `$XDG_STATE_HOME/telegraf-cvmfs`, else `~/.local/state/telegraf-cvmfs`; and for
    a user without a home that can be written, as Telegraf's often is, a private folder in /var/tmp.
    """
    if given := environment.get("STATE_DIRECTORY"):
        return Path(given.partition(":")[0])
    home = environment.get("HOME", "")
    state = environment.get("XDG_STATE_HOME") or (f"{home}/.local/state" if home else "")
    if state and _can_be_made(Path(state)):
        return Path(state) / "telegraf-cvmfs"
    return EVERYBODYS / f"telegraf-cvmfs-{os.getuid()}"


def path_of(folder: Path, fleet: str) -> Path:
    """The file of one fleet."""
    name = quote(fleet, safe="")
    if len(name) > LONGEST_NAME:  # cut, but never to the same as another
        name = f"{name[:LONGEST_NAME]}-{hashlib.sha256(fleet.encode()).hexdigest()[:12]}"
    return folder / f"telegraf-cvmfs-{name}.json"


def read(path: Path) -> Memory:
    """What is remembered; nothing if there is no file yet.

    Raises:
        DamagedError: there is a file, but this program did not write it, or not like that.
        StateError: there is a file, but it cannot be read.
    """
    try:
        _refuse_strangers(path.parent)
        body = read_file(path, LARGEST)
    except FileNotFoundError:
        return Memory()
    except OSError as error:
        raise _impossible("read", path, error) from error
    try:
        if len(body) > LARGEST:
            raise ValueError("too large")
        return parse(body)
    except ValueError as error:
        remedy = f"a run sets it aside as {_aside(path)} and begins anew"
        raise DamagedError(f"memory {path} is not what was written there: {remedy}") from error


def problem(path: Path) -> str | None:
    """Why this file could not be kept, None if it could; nothing stays behind."""
    try:
        read(path)
        there = next(parent for parent in path.parents if os.path.exists(parent))  # noqa: PTH110  # as below
        tempfile.TemporaryDirectory(dir=there).cleanup()
    except StateError as error:
        return str(error)
    except OSError as error:
        return str(_impossible("written", path, error))
    return None


def write(path: Path, memory: Memory) -> None:
    """Keep it, whole or not at all; the file keeps its mode, and its owner where root writes it.

    What would be larger than is read again is kept without what was verified; all else has bounds of its own.

    Raises:
        StateError: it cannot be written; it says how to make that possible.
    """
    try:
        _private_folder(path.parent)
        with whole_file(path, like=_before(path)) as file:
            file.writelines(document(memory))
            if file.tell() > LARGEST:  # what was verified can be so anew
                file.seek(0)
                file.truncate()
                file.writelines(document(replace(memory, certificates={}, verified={})))
    except OSError as error:
        raise _impossible("written", path, error) from error


def set_aside(path: Path) -> str:
    """Rename a damaged file, for a person to look at; why that cannot be, empty if it was done."""
    try:
        path.replace(_aside(path))
    except FileNotFoundError:  # another run was quicker
        return ""
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _impossible(done: str, path: Path, error: OSError) -> StateError:
    remedy = shortage(error) or _remedy(path, error)
    return StateError(f"memory {path} cannot be {done} ({error.strerror}): {remedy}")


def _remedy(path: Path, error: OSError) -> str:
    """What helps: a command to paste where this user has no right, and no folder of others would be given away."""
    elsewhere = "another place with --state-dir (none for no memory)"
    folder, user = path.parent, _user()
    locked = not os.access(folder, os.W_OK | os.X_OK)
    there = os.path.exists(folder)  # noqa: PTH110  # Path.exists raises where one may not look
    if error.errno != errno.EACCES or (there and locked and not _is_ours(folder)):
        return f"take {elsewhere}"
    if not there:
        return f"sudo install -d -m 700 -o {user} {pasted(str(folder))}, or {elsewhere}"
    wanted = [*([folder] if locked else []), *([path] if locked or os.path.lexists(path) else [])]
    return f"sudo chown {user} {' '.join(pasted(str(one)) for one in wanted)}, or {elsewhere}"


def _user() -> str:
    """This user's name, or number where it has none."""
    with contextlib.suppress(KeyError):
        return pwd.getpwuid(os.getuid()).pw_name
    return str(os.getuid())


def _is_ours(folder: Path) -> bool:
    """Is nothing in this folder but what this program keeps there? Where one may not look, its name has to do."""
    try:
        return all(one.name.lstrip(".").startswith("telegraf-cvmfs-") for one in folder.iterdir())
    except OSError:
        return "telegraf" in folder.name


# --- the file ---------------------------------------------------------------------------------------


def _aside(path: Path) -> Path:
    """Where a damaged file goes, for a person to look at: one is kept."""
    return path.with_name(f"{path.name}.bad")


def _before(path: Path) -> os.stat_result | None:
    """Whose the file is that is replaced or was set aside, and whose its folder, where it is the first."""
    for one in (path, _aside(path), path.parent):
        with contextlib.suppress(FileNotFoundError):
            return one.lstat()
    return None


def _private_folder(folder: Path) -> None:
    if folder.parent == EVERYBODYS:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=PRIVATE)
    else:
        folder.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
    _refuse_strangers(folder)


def _refuse_strangers(folder: Path) -> None:
    """In a place where everybody may write, another's folder is not taken for ours."""
    if folder.parent != EVERYBODYS:
        return
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise PermissionError(1, "it belongs to somebody else")


def _can_be_made(folder: Path) -> bool:
    """Could this user make a folder there?"""
    there = next((parent for parent in (folder, *folder.parents) if os.path.exists(parent)), None)  # noqa: PTH110  # Path.exists raises where one may not look
    return there is not None and os.access(there, os.W_OK | os.X_OK)
