"""A folder as a storage: each object a file, written beside its place and renamed."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from telegraf_cvmfs.history.storage.content import copied, opened
from telegraf_cvmfs.history.storage.name import StorageError, beginning, checked, selected
from telegraf_cvmfs.whole_file import open_file, whole_file

_READABLE = 0o640


class StorageDirectory:
    """Objects below a folder, which is made with the first of them."""

    def __init__(self, base_path: str | Path) -> None:
        self._base = Path(base_path)

    def put(
        self,
        name: str,
        *,
        dict: Mapping[str, Any] | None = None,  # noqa: A002
        filename: str | Path | None = None,
        fileobj: IO[bytes] | None = None,
    ) -> None:
        """Store a document, a file, or an open file under a name, whole or not at all.

        Raises:
            StorageError: it cannot be stored.
            ValueError: no name, or not exactly one content.
        """
        place = self._place(name)
        with opened(dict, filename, fileobj) as content, _told("store", place):
            place.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
            with whole_file(place, _READABLE) as file:
                shutil.copyfileobj(content, file)

    @contextlib.contextmanager
    def get(self, name: str) -> Iterator[Path]:
        """A temporary copy of an object, which is gone after the block; StorageError if it is not there."""
        place = self._place(name)

        def read(copy: IO[bytes]) -> None:
            with _told("read", place), open_file(place) as file:
                shutil.copyfileobj(file, copy)

        with copied(read, name) as path:
            yield path

    def exists(self, name: str) -> bool:
        """Is there an object of this name?"""
        return self._place(name).is_file()

    def remove(self, name: str) -> None:
        """Remove an object; that it is not there is no error."""
        place = self._place(name)
        with _told("remove", place):
            place.unlink(missing_ok=True)

    def glob(self, pattern: str, since: datetime | None = None, until: datetime | None = None) -> list[str]:
        """Names that match, sorted; arguments as those of `name.selected`."""
        below = self._base / beginning(pattern)
        with _told("list", below):
            paths = [path for path in (below, *below.rglob("*")) if path.is_file()]
        return selected((path.relative_to(self._base).as_posix() for path in paths), pattern, since, until)

    def _place(self, name: str) -> Path:
        return self._base / checked(name)


@contextlib.contextmanager
def _told(what: str, place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"cannot {what} {place}: {error.strerror or error}") from error
