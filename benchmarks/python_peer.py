"""Scrapes servers (host:port) with cvmfs-server-scraper, and prints "server repository revision" for each replica.

It runs in that package's own virtual environment.
"""

from __future__ import annotations

import sys

from cvmfsscraper import scrape  # type: ignore[import-not-found]


def main() -> None:
    """As the package's README has it: all servers, all of their repositories."""
    for server in scrape(stratum0_servers=[], stratum1_servers=sys.argv[1:], repos=[], ignore_repos=[]):
        for repository in server.repositories:
            print(server.name, repository.name, repository.revision)


if __name__ == "__main__":
    main()
