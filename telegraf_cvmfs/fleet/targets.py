"""Which repositories to scrape on which server, and where their manifests lie. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from telegraf_cvmfs.model import Entry, Fleet, Listed, Listing, Replica, Role, Server, matches


def listed_replicas(fleet: Fleet, server: Server, listing: Listing) -> list[Replica]:
    """What a server lists and the fleet file wants watched, in the order of the list."""
    wanted = _wanted(fleet, server)
    return [_listed_replica(server, entry) for entry in listing.entries if wanted(entry.name)]


def named_for(fleet: Fleet, server: Server) -> tuple[str, ...]:
    """The repositories to scrape on this server even if it does not list them."""
    everywhere = () if server.role is Role.STRATUM0 else fleet.repos
    return tuple(dict.fromkeys((*everywhere, *server.repos)))


def named_replicas(fleet: Fleet, server: Server, listed: Listed) -> list[Replica]:
    """What the fleet file names for this server; `listed` says what the list has to say of them."""
    return [Replica(server, name, places_of(server, name)[0], listed) for name in named_for(fleet, server)]


def places_of(server: Server, repo: str) -> list[str]:
    """The URLs at which the manifest of a repository may lie; the first is the likeliest."""
    return [f"{server.url}{place}/{repo}/.cvmfspublished" for place in server.places]


def remembered_replicas(fleet: Fleet, server: Server, entries: Iterable[Entry], listed: Listed) -> list[Replica]:
    """What was seen on a server before, as far as the fleet file still wants it watched."""
    wanted = _wanted(fleet, server)
    return [
        replace(_listed_replica(server, entry), listed=listed, remembered=entry)
        for entry in entries
        if wanted(entry.name)
    ]


def _listed_replica(server: Server, entry: Entry) -> Replica:
    return Replica(
        server=server,
        repo=entry.name,
        url=f"{server.url}{entry.path}/.cvmfspublished",
        listed=Listed.REPLICA if entry.replica else Listed.SOURCE,
        alias=entry.alias,
        pass_through=entry.pass_through,
    )


def _wanted(fleet: Fleet, server: Server) -> Callable[[str], bool]:
    """Does the fleet file want a repository of this name watched on this server?"""
    named = {*fleet.repos, *server.repos}
    ignored = (*fleet.ignore_repos, *server.ignore_repos)

    def wanted(name: str) -> bool:
        if name in named:
            return True
        return not matches(name, ignored) and (not fleet.only or matches(name, fleet.only))

    return wanted
