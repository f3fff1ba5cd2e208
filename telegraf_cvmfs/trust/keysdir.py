"""Folders of master keys as a client has them in /etc/cvmfs/keys: which files in the tree below may be whose.

A client takes the files that CVMFS_PUBLIC_KEY names, else all `*.pub` of the one folder that CVMFS_KEYS_DIR names, else
those at the top of /etc/cvmfs/keys (CernVM-FS, MountPoint::CreateSignatureManager). The configuration of a repository,
which says so, is not read here, but all are laid out alike: a key of one repository is `<repository>.pub`, in whatever
folder (`keys/cernvm/cernvm-devel.cern.ch.pub`), and a domain's keys lie in a folder of its name (`keys/cern.ch`). What
lies at the top may be anybody's, or not all that its owner has: `cern.ch.pub` was one of several keys of cern.ch there.
"""

from __future__ import annotations

import os
from collections import defaultdict, deque
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from telegraf_cvmfs.words.text import listed

MOST_ENTRIES = 20_000
"""So many files and folders are looked at below one folder; known configurations have fewer than a hundred."""

DEEPEST = 8
"""So many folders may lie in each other."""

_SUFFIX = ".pub"


class KeysDirs:
    """The `*.pub` below some folders, by where they lie; nothing of them is read.

    Links are followed, but no folder is gone through twice; what begins with a dot is left out. `all` are the files of
    each folder's tree, `top` those in the folders themselves, `whole` is whether each tree was gone through to its end.
    """

    def __init__(self, dirs: Iterable[Path]) -> None:
        self.all: dict[Path, list[Path]] = {}
        self.top: list[Path] = []
        self.whole = True
        self._told: list[str] = []
        self._refused: dict[str, list[str]] = defaultdict(list)
        self._named: dict[str, list[Path]] = defaultdict(list)
        self._folders: dict[str, list[Path]] = defaultdict(list)
        for directory in dict.fromkeys(dirs):
            self.all[directory], refused = [], self._count_refused()
            self._go_through(directory)
            if not self.all[directory] and self._count_refused() == refused:
                self._told.append(f"{directory} has no {_SUFFIX} file, nor has a folder below it")

    @property
    def problems(self) -> list[str]:
        """Clauses that say what could not be looked at, one for each reason."""
        refused = [f"{listed(paths)}: {why}" for why, paths in self._refused.items()]
        return [*refused, *self._told]

    def _count_refused(self) -> int:
        return sum(map(len, self._refused.values()))

    def own(self, repo: str) -> tuple[Path, ...]:
        """The files that are surely a repository's, its own first, then those of its domain.

        They are called `<repository>.pub`, or lie in a folder that is called after either. The domain is what follows
        the first dot (CernVM-FS, OptionsManager::ParseDefault).
        """
        domain = repo.partition(".")[2]
        found = (*self._named.get(repo, ()), *self._folders.get(repo, ()), *self._folders.get(domain, ()))
        return tuple(dict.fromkeys(found))

    def _go_through(self, top: Path) -> None:
        """Level by level, so that what is near is found also in a tree that is far too large."""
        waiting, seen, left = deque([(top, 0)]), set[tuple[int, int]](), MOST_ENTRIES
        while waiting:
            folder, depth = waiting.popleft()
            entries = self._entries(folder, left + 1)
            left -= len(entries)
            if left < 0 or depth > DEEPEST:
                self.whole = False
                why = f"more than {MOST_ENTRIES} files" if left < 0 else f"folders more than {DEEPEST} deep"
                self._told.append(f"{top} has {why}: the rest is left out")
                return
            below = self._sorted(folder, entries, top)
            if self._is_new(folder, seen):
                waiting += [(inner, depth + 1) for inner in below]

    def _entries(self, folder: Path, most: int) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                shown = (entry for entry in entries if not entry.name.startswith("."))
                return sorted(islice(shown, most), key=lambda entry: entry.name)
        except OSError as error:
            self._refused[error.strerror or str(error)].append(str(folder))
            return []

    def _sorted(self, folder: Path, entries: Iterable[os.DirEntry[str]], top: Path) -> list[Path]:
        """Put the keys where they belong, and return the folders."""
        below = []
        for entry in entries:
            path = folder / entry.name
            try:
                is_folder, is_file = entry.is_dir(), entry.is_file()
            except OSError:  # of a link that leads to itself
                is_folder = is_file = False
            if is_folder:
                below.append(path)
            elif entry.name.endswith(_SUFFIX) and not is_file:
                self._refused["no file that can be read"].append(str(path))
            elif entry.name.endswith(_SUFFIX):
                self._named[entry.name.removesuffix(_SUFFIX)].append(path)
                self._folders[folder.absolute().name].append(path)
                self.all[top].append(path)
                if folder is top:
                    self.top.append(path)
        return below

    def _is_new(self, folder: Path, seen: set[tuple[int, int]]) -> bool:
        try:
            found = folder.stat()
        except OSError:
            return False
        known = (found.st_dev, found.st_ino) in seen
        seen.add((found.st_dev, found.st_ino))
        return not known
