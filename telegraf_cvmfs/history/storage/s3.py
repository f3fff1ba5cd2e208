"""A bucket as a storage, by the library `obstore`; whatever speaks S3 will do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import S3Store

from telegraf_cvmfs.history.storage.content import copied, opened, secret_in
from telegraf_cvmfs.history.storage.name import StorageError, beginning, checked, selected
from telegraf_cvmfs.words.secrecy import without_secrets

_RETRIES = {
    "max_retries": 3,
    "retry_timeout": timedelta(seconds=60),
    "backoff": {"init_backoff": timedelta(milliseconds=200), "max_backoff": timedelta(seconds=2), "base": 2},
}


class StorageS3:
    """Objects in a bucket, which must exist.

    Keys that are a `Path` are read from that file; without keys they come from the environment
    (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`) or from the machine's role. `endpoint` is the URL of a server that is
    not Amazon's, `ca` a file of certificate authorities (PEM) to trust beside the usual ones.
    """

    def __init__(
        self,
        bucket: str,
        endpoint: str | None = None,
        region: str | None = None,
        access_key: str | Path | None = None,
        secret_key: str | Path | None = None,
    ) -> None:
        if (access_key is None) != (secret_key is None):
            raise ValueError("access_key and secret_key: both or neither")
        options: dict[str, Any] = {"region": region or "us-east-1"}
        if endpoint is not None:
            options["endpoint"] = endpoint
        if access_key is not None and secret_key is not None:
            options |= {"access_key_id": _secret(access_key), "secret_access_key": _secret(secret_key)}
        client = {"allow_http": (endpoint or "").startswith("http://"), "timeout": timedelta(seconds=60)}
        self._where = without_secrets(f"{endpoint or 's3:/'}/{bucket}")
        self._store = S3Store(bucket, client_options=client, retry_config=_RETRIES, **options)  # type: ignore[arg-type]

    def put(
        self,
        name: str,
        *,
        dict: Mapping[str, Any] | None = None,  # noqa: A002
        filename: str | Path | None = None,
        fileobj: IO[bytes] | None = None,
    ) -> None:
        """As `StorageDirectory.put`."""
        checked(name)
        with opened(dict, filename, fileobj) as content, self._told("store", name):
            obstore.put(self._store, name, content)

    @contextlib.contextmanager
    def get(self, name: str) -> Iterator[Path]:
        """As `StorageDirectory.get`."""
        checked(name)

        def read(copy: IO[bytes]) -> None:
            with self._told("read", name):
                for piece in obstore.get(self._store, name).stream():
                    copy.write(piece)

        with copied(read, name) as path:
            yield path

    def exists(self, name: str) -> bool:
        """As `StorageDirectory.exists`."""
        with self._told("look for", name):
            try:
                obstore.head(self._store, checked(name))
            except (NotFoundError, FileNotFoundError):
                return False
            return True

    def remove(self, name: str) -> None:
        """As `StorageDirectory.remove`."""
        with self._told("remove", name), contextlib.suppress(NotFoundError, FileNotFoundError):
            obstore.delete(self._store, checked(name))

    def glob(self, pattern: str, since: datetime | None = None, until: datetime | None = None) -> list[str]:
        """As `StorageDirectory.glob`."""
        prefix = beginning(pattern)
        with self._told("list", prefix):
            pages = obstore.list(self._store, prefix=prefix or None)
            names = [one["path"] for page in pages for one in page]
            if prefix == pattern:
                names += [pattern] if self.exists(pattern) else []
        return selected(set(names), pattern, since, until)

    @contextlib.contextmanager
    def _told(self, what: str, name: str) -> Iterator[None]:
        try:
            yield
        except (BaseError, OSError) as error:
            why = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
            raise StorageError(f"cannot {what} {self._where}/{name}: {without_secrets(why)}") from error


def _secret(key: str | Path) -> str:
    return secret_in(key) if isinstance(key, Path) else key
