"""The Telegraf processes of this machine and the users that they run as, as /proc and the list of users tell."""

from __future__ import annotations

import contextlib
import os
import pwd
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PROC = Path("/proc")
SHORT_RUNS = ("--test", "-test", "--once", "-once", "version", "--version", "config", "help", "--help", "plugins")
"""Options of a Telegraf that ends by itself: it is not the one that writes."""

FIRST_PERSON, NOBODY = 1000, 65534
"""User ids: below the first are services (login.defs(5), UID_MIN)."""


@dataclass(frozen=True)
class User:
    """Somebody with rights: user id, group id and all group ids, name and home."""

    uid: int
    gid: int
    groups: frozenset[int]
    name: str
    home: str = "/"


@dataclass(frozen=True)
class Process:
    """A Telegraf that runs. Its environment may hold secrets; None where this user may not read it.

    `program` is the file that it runs, if nobody but root, or who runs us, could have put it there.
    """

    pid: int
    arguments: tuple[str, ...]
    user: User
    folder: Path | None
    environment: Mapping[str, str] | None = field(default=None, repr=False)
    program: Path | None = None


def telegrafs(proc: Path = PROC) -> list[Process]:
    """All Telegraf processes that run here, the oldest first."""
    found = []
    for entry in sorted((entry for entry in _entries(proc) if entry.name.isdecimal()), key=lambda one: int(one.name)):
        with contextlib.suppress(OSError, ValueError):  # it may end while we look
            arguments = _strings(entry / "cmdline")
            name = Path(arguments[0]).name if arguments else ""
            if name == "telegraf" and not set(arguments[1:]) & set(SHORT_RUNS):
                found.append(_process(entry, tuple(arguments)))
    return found


def myself() -> User:
    """Who runs this program."""
    return _user(os.geteuid(), os.getegid(), os.getgroups())


def is_believed(user: User) -> bool:
    """May what this user's processes say be acted upon, by root even: is it root, a service, or who runs this program?

    Anybody can start a program that is called telegraf, with variables that send our logins anywhere.
    """
    return user.uid < FIRST_PERSON or user.uid in (NOBODY, os.geteuid())


def known(name: str) -> User | None:
    """The user of this name, None if there is none."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return _user(entry.pw_uid, entry.pw_gid, os.getgrouplist(name, entry.pw_gid))


def obstacle(path: Path, user: User, *, run: bool = False) -> str | None:
    """Why a user cannot read a file (or run it), in words; None if nothing forbids it.

    Goes by owner, group and mode of the file and of each folder above it, of the link and of what it points to. Access
    control lists and SELinux are not looked at.
    """
    try:
        places = [*reversed(path.absolute().parents), *reversed(path.resolve(strict=True).parents)]
        for folder in dict.fromkeys(places):
            if not _may(user, folder.stat(), stat.S_IXOTH):
                return f"user {user.name} may not enter the folder {folder}"
        wanted = stat.S_IROTH | (stat.S_IXOTH if run else 0)
        if not _may(user, path.stat(), wanted):
            return f"user {user.name} may not {'run' if run else 'read'} {path}"
    except FileNotFoundError:
        return f"there is no {path}"
    except (OSError, RuntimeError):
        return None  # hidden from us: whether it is hidden from the other as well, nobody knows
    return None


def _may(user: User, found: os.stat_result, wanted: int) -> bool:
    """Does the mode give the user these bits of `others`?"""
    if user.uid == 0:
        return not wanted & stat.S_IXOTH or stat.S_ISDIR(found.st_mode) or bool(found.st_mode & 0o111)
    shift = 6 if found.st_uid == user.uid else 3 if found.st_gid in user.groups else 0
    return (found.st_mode >> shift) & wanted == wanted


def _process(entry: Path, arguments: tuple[str, ...]) -> Process:
    status = dict(line.split(":", 1) for line in (entry / "status").read_text().splitlines() if ":" in line)
    uid, gid = int(status["Uid"].split()[1]), int(status["Gid"].split()[1])
    user = _user(uid, gid, map(int, status["Groups"].split()))
    folder, environment = None, None
    with contextlib.suppress(OSError):
        folder = (entry / "cwd").readlink()
    with contextlib.suppress(OSError):
        environment = dict(one.split("=", 1) for one in _strings(entry / "environ") if "=" in one)
    return Process(int(entry.name), arguments, user, folder, environment, _program(entry))


def _program(entry: Path) -> Path | None:
    with contextlib.suppress(OSError):
        program = (entry / "exe").readlink()
        if all(_is_ours(place.stat()) for place in (program, *program.parents)):
            return program
    return None


def _is_ours(found: os.stat_result) -> bool:
    """Can nobody but root, or who runs this program, change it?"""
    others = stat.S_IWGRP | stat.S_IWOTH
    return found.st_uid in (0, os.geteuid()) and (not found.st_mode & others or bool(found.st_mode & stat.S_ISVTX))


def _user(uid: int, gid: int, groups: Iterable[int]) -> User:
    every = frozenset({gid, *groups})
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:  # as in a container
        return User(uid, gid, every, f"#{uid}")
    return User(uid, gid, every, entry.pw_name, entry.pw_dir)


def _entries(folder: Path) -> Sequence[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _strings(path: Path) -> list[str]:
    """The strings of a file in which each ends with a zero byte."""
    return path.read_bytes().decode(errors="replace").split("\0")[:-1]
