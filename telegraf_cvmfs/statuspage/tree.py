"""A site on the disk: each build a folder of its own, and a symbolic link to the newest, which is swapped at once.

`<out>` is the link, `<out>.trees/<number>` are the folders. Who reads, and who is killed, sees the old tree or the new
one. A file that did not change is the same file, by a hard link.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

KEPT = 3
"""Trees that stay: the newest, and two for readers that are under way."""

_MODE = 0o755


class Tree:
    """The trees of a site; the caller has the lock."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.trees = out.with_name(f"{out.name}.trees")

    @property
    def now(self) -> Path | None:
        """The tree that is shown; None where there is none."""
        if not self.out.is_symlink():
            return None
        found = self.out.parent / self.out.readlink()
        return found if found.is_dir() else None

    @property
    def inputs(self) -> dict[str, Any]:
        """What the tree that is shown was made of, as it was told to `write`; empty if it is not known."""
        if (now := self.now) is None:
            return {}
        try:
            found = json.loads(now.with_suffix(".json").read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def write(self, files: Mapping[str, bytes], linked: set[str], inputs: Mapping[str, Any]) -> Path:
        """Write a tree of these files and of those that are taken from the one that is shown, and show it.

        Raises:
            OSError: it cannot be written, or `out` is something else than a link: then nothing has changed.
        """
        if self.out.exists() and not self.out.is_symlink():
            raise FileExistsError(17, "it is there, and no link to a tree of pages", str(self.out))
        self.trees.mkdir(parents=True, exist_ok=True, mode=_MODE)
        self._sweep()
        old, new = self.now, self.trees / str(self._next())
        unfinished = new.with_suffix(".new")
        for path, content in files.items():
            _put(unfinished / path, content, old and old / path)
        for path in linked:
            (unfinished / path).parent.mkdir(parents=True, exist_ok=True)
            os.link((old or self.out) / path, unfinished / path)
        _settle(unfinished)
        new.with_suffix(".json").write_text(json.dumps(inputs))
        unfinished.rename(new)
        self._show(new)
        self._sweep()
        return new

    def _show(self, tree: Path) -> None:
        beside = self.out.with_name(f".{self.out.name}.link")
        beside.unlink(missing_ok=True)
        beside.symlink_to(Path(self.trees.name) / tree.name)
        beside.replace(self.out)
        _settle(self.out.parent)

    def _next(self) -> int:
        return max(self._numbers(), default=0) + 1

    def _numbers(self) -> list[int]:
        return sorted(int(path.name) for path in self.trees.iterdir() if path.name.isdecimal() and path.is_dir())

    def _sweep(self) -> None:
        """Remove what a killed build left, and old trees; never the one that is shown."""
        now, numbers = self.now, self._numbers()
        stay = {str(number) for number in numbers[-KEPT:]} | ({now.name} if now else set())
        for path in self.trees.iterdir():
            if path.suffix == ".new" or (path.is_dir() and path.name not in stay):
                shutil.rmtree(path)
            elif path.suffix == ".json" and path.stem not in stay:
                path.unlink()


def _put(path: Path, content: bytes, old: Path | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=_MODE)
    if old is not None:
        with contextlib.suppress(OSError):
            if old.stat().st_size == len(content) and old.read_bytes() == content:
                os.link(old, path)
                return
    path.write_bytes(content)


def _settle(folder: Path) -> None:
    """What is in a folder is on the disk before it is shown."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
