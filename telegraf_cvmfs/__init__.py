"""telegraf-cvmfs watches CernVM-FS servers: it scrapes every stratum 0 and stratum 1 of a fleet.

One way through: a fleet file becomes a `Fleet` (fleet), its servers are asked (scraping, by net) and what they serve is
read (wire) and judged (assess, trust); the judgements become points (points), and points become text (emit). The model
has the nouns that all of them speak in, and `watch` is one look at a fleet as one call.

As a library it offers `scrape` and `scrape_server`, which return objects with the documented attributes of
cvmfs-server-scraper's, and `set_log_level`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from telegraf_cvmfs._version import __version__

if TYPE_CHECKING:
    from telegraf_cvmfs.library import GeoAPIStatus, Repository, Server, scrape, scrape_server, set_log_level

__all__ = [
    "GeoAPIStatus",
    "Repository",
    "Server",
    "__version__",
    "scrape",
    "scrape_server",
    "set_log_level",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401
    """Import the library when it is asked for: the command line does not need it at each start."""
    if name in __all__:
        from telegraf_cvmfs import library

        return getattr(library, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
