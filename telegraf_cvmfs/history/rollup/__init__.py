"""Rollups: what runs saw in an hour, a day, a month, added up so that spans can be put together again."""

from __future__ import annotations

from telegraf_cvmfs.history.rollup.rollups import Rollups
from telegraf_cvmfs.history.rollup.table import (
    TableOutages,
    TableReplicas,
    TableRepositories,
    TableRuns,
    TableServers,
)

__all__ = ["Rollups", "TableOutages", "TableReplicas", "TableRepositories", "TableRuns", "TableServers"]
