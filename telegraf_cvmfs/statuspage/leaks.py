"""What must not be on a page, and whether it is: every byte of every file and name is looked through."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import urlsplit

from telegraf_cvmfs.history.spool import Row
from telegraf_cvmfs.model import Role
from telegraf_cvmfs.statuspage.settings import Settings

_SHORTEST = 4
"""Letters of what is looked for: shorter texts stand in any page."""

_ADDRESS = re.compile(rb"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])|\[[0-9A-Fa-f:]*:[0-9A-Fa-f:]*\]")


_OWN_WORDS = {role.value for role in Role}
"""What pages say by themselves; some servers are called so."""


@dataclass
class Texts:
    """What must not be on a page, and names that may, of which it can be a part."""

    secret: set[str]
    told: set[str]


def texts(rows: Iterable[Row], settings: Settings) -> Texts:
    """Of rows of runs: names and hosts of servers, addresses, sentences, hidden repositories; what may be told."""
    found = Texts(set(), set(settings.servers.values()))
    for row in rows:
        found.secret |= {str(row[name]) for name in ("server", "address", "problem", "alias") if row.get(name)}
        found.secret |= {part for part in (urlsplit(str(row.get("url", ""))).hostname,) if part}
        if repo := row.get("repo"):
            (found.told if settings.tells(repo) else found.secret).add(repo)
        if "version" not in settings.fields:
            found.secret.add(row.get("cvmfs_version", ""))
    return found


def leaks(folder: Path, looked_for: Texts) -> Iterator[tuple[Path, str]]:
    """Each file of a site in which something secret is, or an address, with what; in its name or in its content."""
    told = sorted((one.lower().encode() for one in looked_for.told), key=len, reverse=True)
    wanted = sorted({one.lower() for one in looked_for.secret - looked_for.told - _OWN_WORDS if len(one) >= _SHORTEST})
    for path in sorted(folder.rglob("*")):
        content = path.relative_to(folder).as_posix().lower().encode() + b"\n"
        if path.is_file():
            content += path.read_bytes().lower()
        for one in told:
            content = content.replace(one, b"\0")
        for text in wanted:
            if text.encode() in content or escape(text).encode() in content:
                yield path, text
        if found := _ADDRESS.search(content):
            yield path, found[0].decode()
