"""Master keys and blacklists on disk: the files that an operator names, and those that a client would use."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from telegraf_cvmfs.model import ConfigError, Fleet
from telegraf_cvmfs.trust.blacklist import Blacklist
from telegraf_cvmfs.trust.masterkey import MasterKey
from telegraf_cvmfs.words.log import Log

LONGEST_KEY_FILE = 1 << 16  # bytes; a genuine one has less than one KiB
LONGEST_BLACKLIST = 1 << 22  # bytes

_REPOSITORY = re.compile(r"[^./\0]+(\.[^./\0]+)*")


class Keyring:
    """The master keys of a fleet, and what clients refuse: which keys may sign which repository.

    All files that the fleet names are read at once, so that a bad one is told before anything is scraped; those in the
    directories of a client are read when a repository asks for them.
    """

    def __init__(self, fleet: Fleet, log: Log) -> None:
        self._keys = read_keys(fleet.keys)
        self._rules = [(rule.name, read_keys(rule.keys)) for rule in fleet.rules]
        self._dirs = fleet.key_dirs
        self._log = log
        self._of: dict[str, tuple[MasterKey, ...]] = {}
        self.blacklist = read_blacklists(fleet.blacklists)

    def of(self, repo: str) -> tuple[MasterKey, ...]:
        """Any of these suffices for a repository: the fleet's, those of the rules that match, a client's."""
        if repo not in self._of:
            ruled = (key for name, keys in self._rules if fnmatchcase(repo, name) for key in keys)
            found = (*self._keys, *ruled, *self._of_client(repo))
            self._of[repo] = tuple({key.fingerprint: key for key in found}.values())
        return self._of[repo]

    def _of_client(self, repo: str) -> Iterator[MasterKey]:
        for path in keys_for(repo, self._dirs):
            try:
                yield _read_key(path)
            except ConfigError as error:
                self._log(f"W! {error}")


def read_keys(paths: Iterable[Path]) -> tuple[MasterKey, ...]:
    """Read master keys, in this order; any one of them may sign a whitelist.

    Raises:
        ConfigError: a file cannot be read, or is not one RSA public key in PEM form; it names the file.
    """
    return tuple(_read_key(path) for path in paths)


def keys_for(repo: str, dirs: Iterable[Path]) -> tuple[Path, ...]:
    """The key files that a client with these key directories, `/etc/cvmfs/keys` for instance, has for a repository.

    Those are `<domain>/*.pub`, which the configuration of a domain names as CVMFS_KEYS_DIR, and what is named after the
    repository or its domain: `<repository>.pub`, `<repository>/*.pub`, `<domain>.pub`. The domain is what follows the
    first dot (CernVM-FS, OptionsManager::ParseDefault). A client that is told nothing takes all `*.pub` at the top,
    also keys of others (MountPoint::CreateSignatureManager); here they are left out, because no repository is bad for
    not being signed by a stranger's key. Sorted within a directory; empty if there are none.
    """
    if not _REPOSITORY.fullmatch(repo):
        return ()  # the name is a stranger's: it must not lead out of the directory
    domain = repo.partition(".")[2]
    found = (path for directory in dirs for name in (repo, domain) if name for path in _named(directory, name))
    return tuple(dict.fromkeys(found))


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


def _named(directory: Path, name: str) -> Iterator[Path]:
    single = directory / f"{name}.pub"
    if single.is_file():
        yield single
    yield from sorted(path for path in (directory / name).glob("*.pub") if path.is_file())


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
