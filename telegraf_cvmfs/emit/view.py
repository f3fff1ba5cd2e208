"""What a person wants to see of a run on the page, and on what: all of it on plain paper unless said otherwise."""

from __future__ import annotations

from dataclasses import dataclass, replace

from telegraf_cvmfs.model import Run, ServerVerdict, matches


@dataclass(frozen=True, slots=True)
class View:
    """What of a run is shown, and how.

    `servers` are names, `only` are globs of repositories; all are shown where there are none. With `each` every replica
    has lines of its own. `width` is that of a terminal in columns; None for a pipe, whose lines are never folded.
    """

    servers: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    each: bool = False
    colour: bool = False
    width: int | None = None

    @property
    def narrow(self) -> bool:
        """Is a part of the run left out?"""
        return bool(self.servers or self.only)

    def of(self, run: Run) -> Run:
        """The part of a run that is shown; what was made of each replica by comparison stays as it was."""
        servers = tuple(self._narrowed(server) for server in run.servers if self._shows_server(server))
        repos = {one.replica.repo for server in servers for one in server.replicas}
        return replace(run, servers=servers, repositories=tuple(one for one in run.repositories if one.repo in repos))

    def shows(self, repo: str) -> bool:
        """Is this repository shown?"""
        return not self.only or matches(repo, self.only)

    def _shows_server(self, verdict: ServerVerdict) -> bool:
        server = verdict.stratum.server
        return not self.servers or server.name in self.servers or server.label in self.servers

    def _narrowed(self, verdict: ServerVerdict) -> ServerVerdict:
        if not self.only:
            return verdict
        replicas = tuple(one for one in verdict.replicas if self.shows(one.replica.repo))
        return replace(verdict, replicas=replicas)


EVERYTHING = View()
