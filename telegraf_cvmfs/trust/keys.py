"""Master keys and blacklists on disk: the files that an operator names, and those that a client would use."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from telegraf_cvmfs.model import ConfigError, Fleet
from telegraf_cvmfs.trust.blacklist import Blacklist, unknown_lines
from telegraf_cvmfs.trust.keysdir import KeysDirs
from telegraf_cvmfs.trust.masterkey import MasterKey
from telegraf_cvmfs.whole_file import read_file
from telegraf_cvmfs.words.log import Log
from telegraf_cvmfs.words.text import listed

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

    All files that the fleet names, and those in the folders of a client, are read at once, so that what is wrong is
    told before anything is scraped: a bad file that is named is an error, the rest are `problems`, clauses that are
    logged too.
    """

    def __init__(self, fleet: Fleet, log: Log) -> None:
        self._keys = read_keys(fleet.keys)
        self._rules = [(rule.name, read_keys(rule.keys)) for rule in fleet.rules]
        self.dirs = KeysDirs(fleet.key_dirs)
        self._read, refused = _read_all(path for paths in self.dirs.all.values() for path in paths)
        self._of: dict[str, Keys] = {}
        self.blacklist = read_blacklists(fleet.blacklists)
        self.problems = [
            *(f"key_dirs: {problem}" for problem in (*self.dirs.problems, *refused)),
            *blacklist_problems(fleet.blacklists),
        ]
        for problem in self.problems:
            log(f"W! {problem}")

    def of(self, repo: str) -> Keys:
        """The fleet's keys, those of the rules that match, and a client's.

        Those of a client are what is surely the repository's; only where there is nothing of that, what may be: all
        that lies at the top of its folders.
        """
        if repo not in self._of:
            ruled = (key for name, keys in self._rules if fnmatchcase(repo, name) for key in keys)
            named = (*self._keys, *ruled)
            own = self.dirs.own(repo)
            read = [self._read.get(path) for path in (own or self.dirs.top)[:MOST_KEYS]]
            found = (*named, *filter(None, read))
            sure = self.dirs.whole and (len(own) <= MOST_KEYS and all(read) if own else bool(named))
            self._of[repo] = Keys(tuple({key.fingerprint: key for key in found}.values()), sure)
        return self._of[repo]

    def read_below(self, folder: Path) -> int:
        """How many keys were read below a folder of a client."""
        return sum(path in self._read for path in self.dirs.all[folder])

    def lacks(self, repos: Iterable[str], among: int) -> str | None:
        """A clause that names repositories without a key that fits; None where no keys are named, or none were read."""
        ruled = (key for _, keys in self._rules for key in keys)
        if not (names := sorted(repos)) or not any((*self._keys, *ruled, *self._read)):
            return None
        what = f"no master key for {len(names)} of {among} repositories, so forged ones are not known: {listed(names)}"
        looked = f"{PLACES} of {listed([*map(str, self.dirs.all)])}" if self.dirs.all else "keys are named for others"
        return f"{what} ({looked})"


PLACES = "looked for as <repository>.pub anywhere, <domain>/*.pub, and *.pub at the top"
"""Where the keys of a repository are looked for below `key_dirs`."""


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
        together |= Blacklist.parse(_blacklist(path) or "")
    return together


def blacklist_problems(paths: Iterable[Path]) -> Iterator[str]:
    """What of these blacklists refuses nothing, though somebody may think so; where clients look, none need be."""
    for path in paths:
        text = _blacklist(path)
        if text is None and not (path.name == _BLACKLIST and path.parent.is_dir()):
            yield f"blacklist {path} does not exist: nothing is refused by it"
        if text and (lines := unknown_lines(text)):
            which = f"line {lines[0]} is" if len(lines) == 1 else f"{len(lines)} lines, first line {lines[0]}, are"
            yield f"blacklist {path}: {which} neither a fingerprint nor <repository revision: clients skip that"


_BLACKLIST = "blacklist"
"""What the file is called in /etc/cvmfs, and in that folder of a configuration repository."""


def _blacklist(path: Path) -> str | None:
    """What it says; None if it does not exist."""
    try:
        if not path.exists():
            return None
        return _content(path, LONGEST_BLACKLIST).decode("latin-1")
    except OSError as error:  # of a folder on the way to it
        raise ConfigError(f"blacklist {path} cannot be read: {error.strerror or error}") from error
    except ValueError as why:
        raise ConfigError(f"blacklist {path} {why}") from None


def _read_all(paths: Iterable[Path]) -> tuple[dict[Path, MasterKey], list[str]]:
    """The files that are keys, and a clause for each reason why others are none."""
    keys: dict[Path, MasterKey] = {}
    refused: dict[str, list[str]] = defaultdict(list)
    for path in dict.fromkeys(paths):
        try:
            keys[path] = MasterKey.parse(_content(path, LONGEST_KEY_FILE), str(path))
        except ValueError as why:
            refused[str(why)].append(str(path))
    return keys, [f"{listed(files)}: {why}" for why, files in refused.items()]


def _read_key(path: Path) -> MasterKey:
    try:
        return MasterKey.parse(_content(path, LONGEST_KEY_FILE), str(path))
    except ValueError as why:
        raise ConfigError(f"key file {path} {why}") from None


def _content(path: Path, longest: int) -> bytes:
    """ValueError with why it cannot be read."""
    try:
        content = read_file(path, longest)
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror or error}") from error
    if len(content) > longest:
        raise ValueError(f"has more than {longest} bytes")
    return content
