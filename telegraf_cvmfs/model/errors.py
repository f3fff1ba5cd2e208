"""What goes wrong: a server, a document, or the operator's own file."""

from __future__ import annotations

from telegraf_cvmfs.model.result import Cause, Result


class ScrapeError(Exception):
    """A stratum did not serve what it should, or what it served is not good; str() is a sentence for the operator."""


class ParseError(ScrapeError):
    """An answer arrived, but it is not the document that it claims to be: str() names that first, `why` does not."""

    def __init__(self, document: str, why: str) -> None:
        super().__init__(f"{document}: {why}")
        self.document = document
        self.why = why


class FetchError(ScrapeError):
    """No usable answer arrived: refused, timed out, 5xx, too large."""

    def __init__(self, result: Result, why: str, http_status: int | None = None, cause: Cause | None = None) -> None:
        super().__init__(why)
        self.result = result
        self.http_status = http_status
        self.cause = cause


class ConfigError(Exception):
    """The operator's file or option is wrong; nothing is scraped. str() says where, and what is right."""
