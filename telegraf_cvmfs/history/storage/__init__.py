"""Where packages and reports are stored: a folder, a bucket, or a server that takes PUT; each stores objects whole.

The same call means the same in each: names are paths without a first slash, what is put replaces what was there, what
cannot be done is a `StorageError` after some attempts, and an empty document is a document.
"""

from __future__ import annotations

from telegraf_cvmfs.history.storage.directory import StorageDirectory
from telegraf_cvmfs.history.storage.http import StorageHTTP
from telegraf_cvmfs.history.storage.name import StorageError
from telegraf_cvmfs.history.storage.s3 import StorageS3

__all__ = ["StorageDirectory", "StorageError", "StorageHTTP", "StorageS3"]
