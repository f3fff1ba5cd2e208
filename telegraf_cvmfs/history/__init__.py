"""What finished runs saw, kept for later: a spool of runs, and what is made of it.

Names are imported when they are asked for: a scrape that keeps its runs needs no database, and one that does not needs
nothing of this. What needs a library that is not there is an ImportError that says what to install.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from telegraf_cvmfs.history import collectors as collectors
    from telegraf_cvmfs.history import instants as instants
    from telegraf_cvmfs.history.exclusive import lock as lock
    from telegraf_cvmfs.history.exclusive import tempdir as tempdir
    from telegraf_cvmfs.history.package import Package as Package
    from telegraf_cvmfs.history.package import PackageError as PackageError
    from telegraf_cvmfs.history.package import extract as extract
    from telegraf_cvmfs.history.package import verify as verify
    from telegraf_cvmfs.history.report import ReportAvailability as ReportAvailability
    from telegraf_cvmfs.history.rollup import Rollups as Rollups
    from telegraf_cvmfs.history.rollup import TableOutages as TableOutages
    from telegraf_cvmfs.history.rollup import TableReplicas as TableReplicas
    from telegraf_cvmfs.history.rollup import TableRepositories as TableRepositories
    from telegraf_cvmfs.history.rollup import TableRuns as TableRuns
    from telegraf_cvmfs.history.rollup import TableServers as TableServers
    from telegraf_cvmfs.history.spool import SpoolError as SpoolError
    from telegraf_cvmfs.history.storage import StorageDirectory as StorageDirectory
    from telegraf_cvmfs.history.storage import StorageError as StorageError
    from telegraf_cvmfs.history.storage import StorageHTTP as StorageHTTP
    from telegraf_cvmfs.history.storage import StorageS3 as StorageS3

_ROOMS = {
    "Package": "package",
    "PackageError": "package",
    "ReportAvailability": "report",
    "Rollups": "rollup",
    "SpoolError": "spool",
    "StorageDirectory": "storage",
    "StorageError": "storage",
    "StorageHTTP": "storage",
    "StorageS3": "storage",
    "TableOutages": "rollup",
    "TableReplicas": "rollup",
    "TableRepositories": "rollup",
    "TableRuns": "rollup",
    "TableServers": "rollup",
    "extract": "package",
    "lock": "exclusive",
    "tempdir": "exclusive",
    "verify": "package",
}
"""Where each name is; what is in none of these is a module of its own."""

_MODULES = ("collectors", "instants")


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return _module(name)
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(_module(_ROOMS[name]), name)


def __dir__() -> list[str]:
    return sorted([*_ROOMS, *_MODULES])


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(f"{__name__}.{name}")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("telegraf_cvmfs"):
            raise
        raise ImportError(f"{error}: pip install 'telegraf-cvmfs[history]'", name=error.name) from error
