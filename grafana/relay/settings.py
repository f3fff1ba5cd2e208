"""Each kind of value that the relay's file may hold. Pure.

Every function takes a value as TOML gives it and returns it as the model has it; its ValueError says what was
expected, in words that go after "expected".
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from telegraf_cvmfs.words.duration import duration

LONGEST_TEXT = 1000


def anything(value: object) -> object:
    """A value that is looked at elsewhere."""
    return value


def text(value: object) -> str:
    """A text in one line, not empty."""
    if not isinstance(value, str) or not value or not value.isprintable() or len(value) > LONGEST_TEXT:
        raise ValueError("a text in quotes, in one line, not empty")
    return value


def variable(value: object) -> str:
    """The name of a variable of the environment; a secret put here by mistake is refused and not repeated."""
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,99}", value):
        raise ValueError('the name of an environment variable, such as "CVMFS_RELAY_SECRET", and not the secret itself')
    return value


def boolean(value: object) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def seconds(value: object) -> float:
    """A span of at least a second, written as Telegraf does."""
    span = seconds_or_none(value)
    if span < 1:
        raise ValueError('a duration of at least "1s"')
    return span


def seconds_or_none(value: object) -> float:
    """A span in seconds, "0s" too; at most a year."""
    span = duration(value).total_seconds()
    if span > 366 * 86400:
        raise ValueError("a duration of at most a year")
    return span


def between(least: int, most: int) -> Callable[[object], int]:
    """A whole number within these."""

    def number(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError(f"a whole number from {least} to {most}")
        return value

    return number


def listen(value: object) -> tuple[str, int]:
    """An IP address, or localhost, and a port; 0 is a free one."""
    match = re.fullmatch(
        r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+|localhost)):(\d{1,5})", value if isinstance(value, str) else ""
    )
    expected = ValueError('an IP address and a port such as "127.0.0.1:9099" or "[::1]:9099"')
    if match is None or int(match[3]) > 65535:  # noqa: PLR2004
        raise expected
    name = match[1] or match[2]
    try:
        return str(ipaddress.ip_address("127.0.0.1" if name == "localhost" else name)), int(match[3])
    except ValueError:
        raise expected from None


def is_loopback(name: str) -> bool:
    """Whether this is an address of this machine that no other can reach."""
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def receiver_url(value: object, *, plain: bool) -> str:
    """The URL of an incoming webhook: https; http on loopback, or anywhere if `plain`. It is never repeated."""
    if not isinstance(value, str) or not re.fullmatch(r"https?://[!-~]+", value) or len(value) > LONGEST_TEXT:
        raise ValueError("a URL that begins with https://")
    try:
        parts = urlsplit(value)
        usable = bool(parts.hostname) and parts.username is None and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ValueError("a URL such as https://hooks.example.org/…, without a user")
    if parts.scheme == "http" and not plain and not is_loopback(parts.hostname or ""):
        raise ValueError("a URL that begins with https://; or plain_http = true if the way there is safe")
    return value


def homeserver(value: object) -> str:
    """The base URL of a Matrix homeserver, https, or http on loopback: the token goes there."""
    url = receiver_url(value, plain=False)
    if "?" in url or "#" in url:
        raise ValueError('a homeserver such as "https://matrix.example.org"')
    return url.rstrip("/")


def room(value: object) -> str:
    """A room's ID; an alias would have to be looked up first."""
    if not isinstance(value, str) or not re.fullmatch(r"![!-~]{1,254}", value):
        raise ValueError('a room ID such as "!abc:example.org" (Element: room settings, Advanced), not an alias "#…"')
    return value


def host(value: object) -> str:
    """The name or address of a mail server."""
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9._:-]{1,253}", value):
        raise ValueError('a host name such as "mail.example.org"')
    return value


def tls(value: object) -> str:
    """How a mail server is talked to."""
    if value not in ("starttls", "tls", "none"):
        raise ValueError('"starttls", "tls" or "none"')
    return str(value)


def address(value: object) -> str:
    """One mail address, without a display name."""
    if not isinstance(value, str) or not re.fullmatch(
        r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}", value
    ):
        raise ValueError('a mail address such as "cvmfs-alerts@example.org"')
    return value


def addresses(value: object) -> tuple[str, ...]:
    """One to fifty of them."""
    if not isinstance(value, list) or not 1 <= len(value) <= 50:  # noqa: PLR2004
        raise ValueError('a list of mail addresses such as ["ops@example.org"]')
    return tuple(address(item) for item in value)


def proxy(value: object) -> str:
    """The proxy for chats, or none."""
    if value == "":
        return ""
    if not isinstance(value, str) or not re.fullmatch(r"https?://[!-~]+", value):
        raise ValueError('"" or a proxy such as "http://proxy.example.org:3128"')
    return value


def password_of(url: str) -> list[str]:
    """The password in a proxy's URL, as something not to show."""
    try:
        password = urlsplit(url).password
    except ValueError:
        return []
    return [password] if password else []


def default_state(environment: Mapping[str, str]) -> Path | None:
    """Where the state lies unless the file says: systemd's folder, else the user's; None for a user without one."""
    if given := environment.get("STATE_DIRECTORY"):
        return Path(given.partition(":")[0]) / "relay.json"
    home = environment.get("HOME")
    folder = environment.get("XDG_STATE_HOME") or (f"{home}/.local/state" if home else "")
    return Path(folder) / "cvmfs-relay" / "relay.json" if folder else None
