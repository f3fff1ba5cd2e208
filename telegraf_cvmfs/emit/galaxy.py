"""The lines of galaxyproject's Ansible role `telegraf_cvmfs`, for dashboards that were made for it.

`cvmfs.status,server=…,repo=… value=1,size=57344,gc=f,ts=1795204800,rev=6`, and `value=0` alone when the
manifest could not be read. Numbers are floats (no `i`), as InfluxDB has them from that role: it would
refuse integers in the same fields. There is no time; Telegraf sets it.
"""

from __future__ import annotations

from telegraf_cvmfs.emit.line_protocol import fits, key
from telegraf_cvmfs.model import Manifest, Replica, Run
from telegraf_cvmfs.points.rows import unix


def render(run: Run) -> str:
    """One line for each repository on each server; of two paths to one, or two machines of one, the better one's.

    That is one that is up, then one without an alias.
    """
    best: dict[tuple[str, str], Replica] = {}
    for replica in (verdict.replica for verdict in run.replicas):
        place = (key(replica.server.name), key(replica.repo))
        if all(place) and (place not in best or _rank(replica) > _rank(best[place])):
            best[place] = replica
    return "".join(_line(*place, replica) for place, replica in best.items())


def _rank(replica: Replica) -> tuple[bool, bool]:
    return replica.up, replica.alias is None


def _line(server: str, repo: str, replica: Replica) -> str:
    manifest = replica.manifest.value
    fields = "value=0" if manifest is None else _fields(manifest)
    return f"cvmfs.status,server={server},repo={repo} {fields}\n"


def _fields(manifest: Manifest) -> str:
    size, ts, rev = (
        _number(name, number)
        for name, number in (
            ("size", manifest.root_size),
            ("ts", unix(manifest.published)),
            ("rev", manifest.revision),
        )
    )
    gc = "" if manifest.garbage_collectable is None else f",gc={'t' if manifest.garbage_collectable else 'f'}"
    return f"value=1{size}{gc}{ts}{rev}"


def _number(name: str, number: int | None) -> str:
    return f",{name}={number}" if number is not None and fits(number) else ""
