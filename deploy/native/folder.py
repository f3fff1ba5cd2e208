"""The folder that the stack lives in: data, logs, settings, secrets, and a note of what runs."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from telegraf_cvmfs.whole_file import write_whole
from telegraf_cvmfs.words.text import tame

ENVIRONMENT = "TELEGRAF_CVMFS_STACK"
"""The variable that names another folder than `.stack` in the root of the clone."""

CLONE = Path(__file__).resolve().parents[2]
_MARK = "native-stack"
_LONGEST_LINE = 400
_TAIL = 64 * 1024  # bytes of a log that are looked at


class Trouble(Exception):  # noqa: N818
    """What was asked for cannot be done; str() says why in a sentence, and may have lines of a log after it."""

    code = 1


class Refused(Trouble):
    """What was asked for makes no sense as it was asked."""

    code = 2


@dataclass(frozen=True)
class Folder:
    """A folder of mode 0700. Only one that this program made, and therefore marked, is ever used or removed."""

    path: Path

    @property
    def exists(self) -> bool:
        """Whether there is a stack of this user here, running or not."""
        return (self.path / _MARK).is_file() and self._is_ours()

    def make(self) -> None:
        """Make the folder; Refused if there is another one in its place.

        Raises:
            Refused: the folder holds something else.
            OSError: it cannot be made.
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._is_ours():
            raise Refused(f"{self.path} belongs to another user: name another in ${ENVIRONMENT}")
        if not self.exists and any(self.path.iterdir()):
            raise Refused(f"{self.path} is not empty and was not made by this program: name another in ${ENVIRONMENT}")
        self.path.chmod(0o700)
        (self.path / _MARK).touch(mode=0o600)

    def _is_ours(self) -> bool:
        """Nobody else made the folder, or the link that leads to it: whose it is may exchange what is in it."""
        return all(found.st_uid == os.geteuid() for found in (self.path.lstat(), self.path.stat()))

    def remove(self) -> None:
        """Remove the folder with all that is in it, if it is one of ours; the mark last, so that one can go on."""
        if self.exists:
            for path in self.path.iterdir():
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                elif path.name != _MARK:
                    path.unlink()
            (self.path / _MARK).unlink()
            if not self.path.is_symlink():
                self.path.rmdir()

    def subfolder(self, name: str) -> Path:
        """A folder in it, made if need be."""
        path = self.path / name
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path

    def write(self, name: str, text: str) -> Path:
        """Write a file of mode 0600, whole or not at all."""
        return write_whole(self.path / name, text.encode())

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Inside, no other command changes this stack; Trouble if one does."""
        with (self.path / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Trouble(f"another command is at work on the stack in {self.path}; wait for its end") from None
            yield

    def log(self, name: str) -> Path:
        """Where a part's messages go."""
        return self.subfolder("logs") / f"{name}.log"

    def last_words(self, name: str, lines: int = 5) -> list[str]:
        """The last lines of a part's log, fit for a terminal; none if there is no log."""
        path = self.log(name)
        with contextlib.suppress(OSError), path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL))
            said = file.read().decode(errors="replace").splitlines()
            return [tame(line, _LONGEST_LINE) for line in said[-lines:]]
        return []


def trouble_with(folder: Folder, name: str, sentence: str) -> Trouble:
    """The sentence, and after it what the part's own log says last."""
    words = folder.last_words(name)
    where = f"{folder.log(name)} ends with" if words else f"{folder.log(name)} is empty"
    return Trouble("\n".join([f"{sentence}; {where}", *(f"  {word}" for word in words)]))
