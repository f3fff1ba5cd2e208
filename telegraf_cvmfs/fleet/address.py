"""The address of a server as people write it, and as CernVM-FS's own configuration has it. Pure.

Each ValueError says what was expected, in words that go after "expected". It never repeats a user or a password.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from telegraf_cvmfs.wire.repositories import is_repository_name
from telegraf_cvmfs.words.text import listed

LONGEST_TEXT = 4096
"""Characters: the longest path of Linux. InfluxDB drops a point whose name and tags exceed 64 KiB."""

_BELOW = "/cvmfs"
"""Below which CernVM-FS's own web servers have their repositories, and their list."""

_FQRN = "/@fqrn@"
"""Where CVMFS_SERVER_URL has the name of the repository (CernVM-FS, OptionsManager::ParseDefault)."""

_OTHER_WORD = re.compile(r"@[a-z_]+@")
_OF_REPOSITORY = re.compile(r"(.*)/cvmfs/([^/]+)(/\.cvmfs[a-z_.]*|/v1/.*)?")
_DIRECT = "DIRECT"
_LOOKED_FOR = "auto"
"""By this word a client looks for a proxy by itself (WPAD), which is not done here."""

_EXAMPLE = "a server such as http://stratum1.example.org:8000, https://… or host:port"


@dataclass(frozen=True)
class Address:
    """Where a server is, and the paths below it under which its repositories may lie, as `Server` has them."""

    url: str
    places: tuple[str, ...]


def server_address(value: object) -> Address:
    """`http://host[:port][/base]`, `https://…` or `host[:port]`, with `/cvmfs`, `/cvmfs/@fqrn@` or nothing at the end.

    Without @fqrn@ a repository may lie right below what is written, or below `/cvmfs` there: the buckets of
    `cvmfs_server mkfs -s` are of the first kind (mangle_s3_cvmfs_url).
    """
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        raise ValueError(_EXAMPLE)
    urls = several(value)
    if len(urls) > 1:
        each = listed([f'url = "{server_address(url).url}"' for url in urls])
        raise ValueError(f"one server: each of these is a [[server]] of its own, with {each}")
    text = "".join(urls)
    known = text.rstrip("/").endswith(_FQRN)
    url = web_url(text.rstrip("/").removesuffix(_FQRN) if known else text)
    _refuse_more(url)
    base = url.removesuffix(_BELOW).rstrip("/")
    below = url.endswith(_BELOW)
    if known:
        return Address(base, (_BELOW,) if below else ("",))
    return Address(base, (_BELOW, _BELOW + _BELOW) if below else (_BELOW, ""))


def several(text: str) -> list[str]:
    """The URLs that CVMFS_SERVER_URL joins by ";", or the one that it is."""
    return [part.strip() for part in text.split(";") if part.strip()] if ";" in text else [text]


def proxy_address(value: object, or_else: str = '""') -> str:
    """The URL of a proxy; empty for none, which CVMFS_HTTP_PROXY calls DIRECT. `or_else` may stand there too."""
    if value == "":
        return ""
    expected = ValueError(f'a proxy such as "http://squid.example.org:3128", or {or_else}')
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        raise expected
    proxies = [part.strip() for part in re.split("[;|]", value) if part.strip()]  # groups, and what shares the load
    try:
        urls = ["" if proxy.upper() == _DIRECT else web_url(proxy) for proxy in proxies]
    except ValueError:
        raise expected from None
    if not urls or _LOOKED_FOR in proxies:
        raise expected
    if len(urls) > 1:
        raise ValueError(f'one proxy of this list, such as "{next(filter(None, urls), "")}", or {or_else}')
    return urls[0]


def web_url(text: str) -> str:
    """A URL of http or https, its host in lower case, without a final slash, a user, a query or a fragment."""
    expected = ValueError(_EXAMPLE)
    if not re.fullmatch(r"[!-~]+", text):
        raise expected
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        port = parts.port
    except ValueError:
        raise expected from None
    host = parts.hostname or ""
    plain = not (parts.query or parts.fragment or text.endswith(("?", "#")))
    if parts.scheme not in ("http", "https") or not is_host(host) or port == 0 or not plain:
        raise expected
    host = f"[{host}]" if ":" in host else host
    # urlsplit leaves out a user, and what stands between a bracket and the port.
    if not re.fullmatch(re.escape(host) + r"(:[0-9]*)?", parts.netloc.lower()):
        raise expected
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}{parts.path.rstrip('/')}"


def server_name(url: str) -> str:
    """The name that a server has unless it is given another: host[:port] of its URL."""
    return urlsplit(url).netloc


def is_host(host: str) -> bool:
    """Can this be the name or the address of a machine?"""
    return bool(re.fullmatch(r"[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_.])?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*", host))


def _refuse_more(url: str) -> None:
    """ValueError for what is not the address of a server, but of something on it."""
    if word := _OTHER_WORD.search(url):
        raise ValueError(f"a server without {word[0]}: only /@fqrn@ at the end is understood")
    found = _OF_REPOSITORY.fullmatch(url)
    if found is None:
        return
    server, name = found[1], found[2]
    if name == "info":
        raise ValueError(f'the server alone, "{server}": its list is found by itself')
    if "." in name and is_repository_name(name):
        raise ValueError(f'the server alone, "{server}"; one of its repositories is chosen by repos = ["{name}"]')
