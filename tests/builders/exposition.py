"""Prometheus' text format read back, and a run that comes to a long one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

from telegraf_cvmfs.model import Role, RootCatalog, Run, Server, Signature, Trust
from tests.builders import runs

SAMPLE = re.compile(r'([a-z0-9_]+)\{((?:[a-z_]+="(?:[^"\\]|\\["\\])*"(?:,(?!\})|(?=\})))*)\} (\S+)')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')

Labels = dict[str, str]


def samples(text: str) -> Iterator[tuple[str, Labels, float]]:
    for line in text.splitlines():
        if not line.startswith("#"):
            sample = SAMPLE.fullmatch(line)
            assert sample, line
            labels = {name: re.sub(r"\\(.)", r"\1", value) for name, value in LABEL.findall(sample[2])}
            yield sample[1], labels, float(sample[3])


def everything(revision: int = 6, servers: int = 15) -> Run:
    """Servers with 125 repositories each, of which all is known and nothing is wrong."""
    known: dict[str, Any] = {
        "status": runs.ok(replace(runs.STATUS, last_check=runs.NOW - timedelta(days=2), check_ok=True)),
        "root_catalog": runs.ok(RootCatalog(4096, proved=runs.NOW)),
        "trust": Trust(Signature.OK),
        "revisions_behind": 0,
        "lag": timedelta(0),
        "published_behind": timedelta(0),
        "diverged": False,
        "revision": revision,
    }
    names = [f"stratum1-{number}.example.org" for number in range(servers)]
    repos = [f"repository-{number:03}.example.org" for number in range(125)]
    fleet = [Server(f"http://{name}", name, Role.STRATUM1) for name in names]
    return runs.run(*(runs.server(one, *(runs.replica(repo, on=one, **known) for repo in repos)) for one in fleet))
