"""Each kind of value that a fleet file may hold: what it means, and what it must look like. Pure.

Every function takes a value as TOML gives it and returns it as the model has it; its ValueError says what
was expected, in words that go after "expected".
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from telegraf_cvmfs.fleet.address import LONGEST_TEXT, is_host, proxy_address
from telegraf_cvmfs.model import Backend, Keep, Role, TransportName
from telegraf_cvmfs.wire.repositories import is_repository_name
from telegraf_cvmfs.words.duration import duration
from telegraf_cvmfs.words.secrecy import masked
from telegraf_cvmfs.words.text import LONGEST_SHOWN, listed, shown, tame

MAX_CONNECTIONS = 64
MAX_REPLICAS = 1000
LARGEST_FACTOR = 1000


def positive_duration(value: object) -> timedelta:
    """A duration that is longer than none."""
    span = duration(value)
    if span <= timedelta(0):
        raise ValueError("a duration of more than nothing")
    return span


def duration_or_off(value: object) -> timedelta | None:
    """A duration, or None for "off"."""
    return None if value == "off" else positive_duration(value)


def text_or_nothing(value: object) -> str:
    """A text, which may be empty."""
    return "" if value == "" else text(value)


def keep(value: object) -> tuple[Keep, ...]:
    """What is kept for how long: "48h all, 30d hourly, 400d daily"."""
    expected = ValueError('what is kept for how long, such as "48h all, 30d hourly, 400d daily", shortest first')
    parts = [part.split() for part in value.split(",")] if isinstance(value, str) else []
    try:
        kept = tuple(Keep(positive_duration(until), _STEPS[step]) for until, step in parts)
    except (ValueError, KeyError):
        raise expected from None
    if not kept or list(kept) != sorted(kept, key=lambda one: (one.until, one.step)):
        raise expected
    return kept


_STEPS = {"all": timedelta(0), "hourly": timedelta(hours=1), "daily": timedelta(days=1)}


def size(value: object) -> int:
    """A number of bytes as people write it: "16MB", "64MiB"."""
    match = re.fullmatch(r"([0-9]{1,6})(B|kB|MB|GB|KiB|MiB|GiB)", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('a size in quotes such as "16MB" or "64MiB"')
    return int(match[1]) * _SIZES[match[2]]


_SIZES = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def text(value: object) -> str:
    """A text that can be a tag and stand in a sentence."""
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ValueError("a text in quotes, not empty, without control characters")
    if len(value) > LONGEST_TEXT:
        raise ValueError(f"a text of at most {LONGEST_TEXT} characters")
    return value


def texts(value: object) -> tuple[str, ...]:
    """A list of such texts."""
    if not isinstance(value, list):
        raise ValueError('a list of texts such as ["one", "two"]')
    return tuple(text(item) for item in value)


def globs(value: object) -> tuple[str, ...]:
    """Patterns of names of repositories."""
    patterns = texts(value)
    for pattern in patterns:
        _refuse_joined(pattern, ",", "globs")
    return patterns


def files(value: object) -> tuple[str, ...]:
    """Paths of files."""
    paths = texts(value)
    for path in paths:
        if path.count(".pub:"):
            _refuse_joined(path, ":", "files")
    return paths


def _refuse_joined(text: str, by: str, what: str) -> None:
    """ValueError for several in one, as CVMFS_REPOSITORIES and CVMFS_PUBLIC_KEY have them."""
    parts = [part.strip() for part in text.split(by) if part.strip()]
    if by in text:
        each = "" if masked(text) != text else listed([f'"{tame(part, LONGEST_SHOWN)}"' for part in parts])
        raise ValueError(f"{what}, each by itself{each and f': [{each}]'}")


def repository_names(value: object) -> tuple[str, ...]:
    """Names of repositories, each as CernVM-FS allows them."""
    names = texts(value)
    for name in names:
        _refuse_joined(name, ",", "names of repositories")
        if not is_repository_name(name):
            raise ValueError(f"names of repositories; {shown(masked(name))} is none")
    return names


def hosts(value: object) -> tuple[str, ...]:
    """Host names or addresses, as GeoAPI wants them."""
    hosts = texts(value)
    for host in hosts:
        if not is_host(host):
            raise ValueError(f"host names without scheme and port; {shown(masked(host))} is none")
    return hosts


def boolean(value: object) -> bool:
    """True or false, and not 0, 1 or "yes"."""
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def connections(value: object) -> int:
    """How many connections one server is worth."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_CONNECTIONS:
        raise ValueError(f"a whole number from 1 to {MAX_CONNECTIONS}")
    return value


def replicas(value: object) -> int:
    """How many replicas are enough."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_REPLICAS:
        raise ValueError(f"a whole number from 1 to {MAX_REPLICAS}")
    return value


def factor(value: object) -> float:
    """What limits are multiplied with."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= LARGEST_FACTOR:
        raise ValueError(f"a number greater than 0, such as 1.5, and at most {LARGEST_FACTOR}")
    return float(value)


def proxy(value: object) -> str:
    """The URL of a proxy, "environment", or nothing."""
    return "environment" if value == "environment" else proxy_address(value, '"environment", or ""')


def via(value: object) -> str:
    """The URL of a proxy, or nothing."""
    return proxy_address(value)


def addresses(value: object) -> bool:
    """Are all machines behind a name scraped, or whichever answers?"""
    if value not in ("all", "any"):
        raise ValueError('"all" or "any"')
    return value == "all"


def role(value: object) -> Role:
    """What a server is for."""
    if value not in tuple(Role):
        raise ValueError('"stratum0", "stratum1" or "sync"')
    return Role(str(value))


def transport(value: object) -> TransportName:
    """What carries the requests."""
    if value not in tuple(TransportName):
        raise ValueError('"auto", "curl" or "requests"')
    return TransportName(str(value))


def backend(value: object) -> Backend:
    """Where a server keeps its files."""
    if value not in tuple(Backend):
        raise ValueError('"auto", "cvmfs" or "s3"')
    return Backend(str(value))


def table(value: object) -> dict[str, Any]:
    """A table in a table; what is in it is for the caller."""
    if not isinstance(value, dict):
        raise ValueError("a table")
    return value
