"""Master keys and blacklists on disk: the files that an operator names, and those that a client would use."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from telegraf_cvmfs.model import ConfigError, Fleet
from telegraf_cvmfs.trust.blacklist import Blacklist
from telegraf_cvmfs.trust.keysdir import KeysDirs
from telegraf_cvmfs.trust.masterkey import MasterKey
from telegraf_cvmfs.words.log import Log

LONGEST_KEY_FILE = 1 << 16  # bytes; a genuine one has less than one KiB
LONGEST_BLACKLIST = 1 << 22  # bytes

MOST_KEYS = 250
"""So many keys of `key_dirs` are tried for one repository; a check of a signature takes some 30 microseconds."""


class Keys(NamedTuple):
    """The master keys of a repository, of which any one suffices.

    `sure`: are they all that it may be signed with? Then it is forged if none of them fits, else that is not known.
    """

    keys: tuple[MasterKey, ...]
    sure: bool = True


class Keyring:
    """The master keys of a fleet, and what clients refuse: which keys may sign which repository.

    All files that the fleet names are read at once, so that a bad one is told before anything is scraped; so are the
    trees below the folders of a client gone through, and a key there is read when a repository asks for it.
    """

    def __init__(self, fleet: Fleet, log: Log) -> None:
        self._keys = read_keys(fleet.keys)
        self._rules = [(rule.name, read_keys(rule.keys)) for rule in fleet.rules]
        self._dirs = KeysDirs(fleet.key_dirs)
        self._log = log
        self._of: dict[str, Keys] = {}
        self._read: dict[Path, MasterKey | None] = {}
        self.blacklist = read_blacklists(fleet.blacklists)
        for problem in self._dirs.problems:
            log(f"W! key_dirs: {problem}")

    def of(self, repo: str) -> Keys:
        """The fleet's keys, those of the rules that match, and a client's.

        Those of a client are what is surely the repository's; only where there is nothing of that, what may be: all
        that lies at the top of its folders.
        """
        if repo not in self._of:
            ruled = (key for name, keys in self._rules if fnmatchcase(repo, name) for key in keys)
            named = (*self._keys, *ruled)
            own = self._dirs.own(repo)
            read = [self._of_client(path) for path in (own or self._dirs.top)[:MOST_KEYS]]
            found = (*named, *filter(None, read))
            sure = self._dirs.whole and (len(own) <= MOST_KEYS and all(read) if own else bool(named))
            self._of[repo] = Keys(tuple({key.fingerprint: key for key in found}.values()), sure)
        return self._of[repo]

    def _of_client(self, path: Path) -> MasterKey | None:
        """None, and a line in the log, where a file is no key: the right one may be just that."""
        if path not in self._read:
            self._read[path] = None
            try:
                self._read[path] = _read_key(path)
            except ConfigError as error:
                self._log(f"W! {error}")
        return self._read[path]


def read_keys(paths: Iterable[Path]) -> tuple[MasterKey, ...]:
    """Read master keys, in this order; any one of them may sign a whitelist.

    Raises:
        ConfigError: a file cannot be read, or is not one RSA public key in PEM form; it names the file.
    """
    return tuple(_read_key(path) for path in paths)


def read_blacklists(paths: Iterable[Path]) -> Blacklist:
    """All of these blacklists together; one that does not exist is empty, as for clients (MountPoint::CheckBlacklists).

    Raises:
        ConfigError: a file cannot be read; it names the file.
    """
    together = Blacklist()
    for path in paths:
        if path.exists():
            together |= Blacklist.parse(_content(path, "blacklist", LONGEST_BLACKLIST).decode("latin-1"))
    return together


def _read_key(path: Path) -> MasterKey:
    try:
        return MasterKey.parse(_content(path, "key file", LONGEST_KEY_FILE), str(path))
    except ValueError as why:
        raise ConfigError(f"key file {path} {why}") from None


def _content(path: Path, kind: str, longest: int) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(longest + 1)
    except OSError as error:
        raise ConfigError(f"{kind} {path}: {error.strerror or error}") from error
    if len(content) > longest:
        raise ConfigError(f"{kind} {path}: has more than {longest} bytes")
    return content
