"""Whether a replica has only a part of its repository: `.cvmfs_partial_replication` (CernVM-FS 2.14 and newer)."""

from __future__ import annotations

from telegraf_cvmfs.model import ParseError
from telegraf_cvmfs.words.text import shown

_VERSION = b"version 1"


def parse_partial(body: bytes) -> bool:
    """True: a partial replica serves this file, and only such a one.

    Its first line is `version 1`, the paths that are replicated follow (CernVM-FS, Partial Replication). ParseError if
    it is anything else: some servers have a web page for every path.
    """
    first = body.removeprefix(b"\xef\xbb\xbf").partition(b"\n")[0].rstrip()
    if first != _VERSION:
        raise ParseError(
            "partial replication", f"it does not begin with `version 1`: {shown(first.decode(errors='replace'))}"
        )
    return True
