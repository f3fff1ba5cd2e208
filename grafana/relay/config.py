"""The relay's file (TOML) and the environment to a `Config`; what is not known is refused.

Secrets are never in the file itself: a key `token` is written as `token_env = "NAME"` (a variable of the environment)
or `token_file = "PATH"`. Each error names the file, the key, and what would be right.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grafana.relay import settings
from grafana.relay.damping import Damping
from telegraf_cvmfs.whole_file import read_file, within
from telegraf_cvmfs.words.secrecy import masked, without_secrets

LARGEST = 1 << 18
SHORTEST_SECRET, LONGEST_SECRET = 16, 4096
MOST_RECEIVERS = 20

Convert = Callable[[Any], Any]
"""A value of the file to a value of the model; ValueError says what was expected."""


class ConfigError(Exception):
    """The file cannot be used; str() is one sentence."""


@dataclass(frozen=True)
class Chat:
    """An incoming webhook of Slack or Mattermost; its URL is the secret."""

    name: str
    kind: str
    url: str = field(repr=False)
    ca: Path | None


@dataclass(frozen=True)
class Matrix:
    """A room of Matrix, and the account that writes there."""

    name: str
    homeserver: str
    room: str
    token: str = field(repr=False)
    ca: Path | None


@dataclass(frozen=True)
class Mail:
    """Addresses, and the server that takes mail for them; `tls` is "starttls", "tls" or "none"."""

    name: str
    host: str
    port: int
    tls: str
    sender: str
    to: tuple[str, ...]
    user: str
    password: str = field(repr=False)
    ca: Path | None


Receiver = Chat | Matrix | Mail


@dataclass(frozen=True)
class Config:
    """Everything that the file says; `give_up` is in seconds, `secrets` is what must not be shown."""

    host: str
    port: int
    secret: str = field(repr=False)
    state: Path
    proxy: str
    give_up: float
    damping: Damping
    receivers: tuple[Receiver, ...]
    secrets: tuple[str, ...] = field(repr=False)
    warnings: tuple[str, ...]


def load(path: Path, environment: Mapping[str, str]) -> Config:
    """Read the file and the secrets that it names.

    Raises:
        ConfigError: the file cannot be read, is not understood, or names a secret that is not there.
    """
    try:
        body = read_file(path, LARGEST, within())
        if len(body) > LARGEST:
            raise ConfigError(f"{path}: larger than {LARGEST} bytes")
        document = tomllib.loads(body.decode())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (ValueError, RecursionError) as error:  # of TOML, UTF-8, int() and tomllib's depth
        raise ConfigError(f"{path}: not TOML: {without_secrets(' '.join(str(error).split()))[:200]}") from error
    return _config(_Reader(path, environment), document)


def _config(reader: _Reader, document: dict[str, Any]) -> Config:
    top = reader.section(document, _TOP, "")
    secret = reader.secret(document, "secret", "", required=False)
    host, port = top.get("listen", ("127.0.0.1", 9099))
    if secret and len(secret) < SHORTEST_SECRET:
        raise reader.error("secret", f"at least {SHORTEST_SECRET} characters; try: openssl rand -hex 32")
    if not secret and not settings.is_loopback(host):
        raise reader.error("listen", "secret_env or secret_file beside it, because the address is not loopback")
    if not secret:
        reader.warnings.append("no secret: every user and program of this machine can send messages through the relay")
    damping = reader.section(document.get("damping", {}), _DAMPING, "damping")
    rows = document.get("receiver", [])
    if not isinstance(rows, list) or not 1 <= len(rows) <= MOST_RECEIVERS:
        raise reader.error("receiver", f"one to {MOST_RECEIVERS} tables [[receiver]]")
    receivers = tuple(_receiver(reader, row, f"receiver {number}") for number, row in enumerate(rows, 1))
    names = [receiver.name for receiver in receivers]
    if double := next((name for name in names if names.count(name) > 1), None):
        raise reader.error("receiver", f'a name of its own for each; two are {masked(double)!r}: add name = "…"')
    state = top.get("state") or settings.default_state(reader.environment)
    if state is None:
        raise reader.error("state", "a file for it, because neither STATE_DIRECTORY nor HOME says where")
    give_up, proxy = top.get("give_up", 6 * 3600.0), top.get("proxy", "")
    reader.secrets.extend(settings.password_of(proxy))
    return Config(
        host, port, secret, reader.path.parent / state, proxy, give_up, Damping(**damping), receivers,
        tuple(reader.secrets), tuple(reader.warnings),
    )  # fmt: skip


def _receiver(reader: _Reader, row: object, where: str) -> Receiver:
    kind = row.get("kind") if isinstance(row, dict) else None
    if not isinstance(row, dict) or not isinstance(kind, str) or kind not in _RECEIVERS:
        raise reader.error(f"{where}: kind", f"one of {', '.join(_RECEIVERS)}")
    where = f"{where} ({kind})"
    values = reader.section(row, _RECEIVERS[kind], where)
    for key in _REQUIRED[kind]:
        if key not in values:
            raise reader.error(f"{where}: {key}", "it, for it is missing")
    values = {"name": kind, "plain_http": False, **values, "ca": reader.authorities(values.get("ca"), where)}
    if kind == "mail":
        return _mail(reader, row, values, where)
    name, ca = values["name"], values["ca"]
    if kind == "matrix":
        return Matrix(name, values["homeserver"], values["room"], reader.secret(row, "token", where), ca)
    url = reader.secret(row, "url", where)
    try:
        return Chat(name, kind, settings.receiver_url(url, plain=values["plain_http"]), ca)
    except ValueError as expected:
        raise reader.error(f"{where}: what url_env or url_file names", str(expected)) from None


def _mail(reader: _Reader, row: Mapping[str, Any], values: Mapping[str, Any], where: str) -> Mail:
    tls, user, host = values.get("tls", "starttls"), values.get("user", ""), values["host"]
    if user and tls == "none" and not settings.is_loopback(host):
        raise reader.error(f"{where}: tls", '"starttls" or "tls": a password is not sent in the clear')
    password = reader.secret(row, "password", where, required=bool(user))
    port = values.get("port", {"starttls": 587, "tls": 465, "none": 25}[tls])
    name, sender, to, ca = values["name"], values["from"], values["to"], values["ca"]
    return Mail(name, host, port, tls, sender, to, user, password, ca)


class _Reader:
    """The file that is being read: its path for messages, and what was found in passing."""

    def __init__(self, path: Path, environment: Mapping[str, str]) -> None:
        self.path = path
        self.environment = environment
        self.secrets: list[str] = []
        self.warnings: list[str] = []

    def error(self, key: str, expected: str) -> ConfigError:
        return ConfigError(f"{self.path}: {key}: expected {expected}")

    def section(self, table: object, converters: Mapping[str, Convert], where: str) -> dict[str, Any]:
        """The values of a table, converted; the names of secrets are left to `secret`."""
        prefix = f"{where}: " if where else ""
        if not isinstance(table, dict):
            raise self.error(where, "a table")
        values = {}
        for key, value in table.items():
            if key not in converters:
                raise self.error(f"{prefix}{masked(key)[:60]!r} is not known", f"one of {', '.join(converters)}")
            try:
                values[key] = converters[key](value)
            except ValueError as expected:
                raise self.error(f"{prefix}{key}", str(expected)) from None
        return values

    def secret(self, table: Mapping[str, Any], key: str, where: str, *, required: bool = True) -> str:
        """The secret that `<key>_env` or `<key>_file` of this table names; empty if neither is there."""
        prefix = f"{where}: " if where else ""
        variable, file = str(table.get(f"{key}_env", "")), str(table.get(f"{key}_file", ""))
        if variable and file:
            raise self.error(f"{prefix}{key}", f"{key}_env or {key}_file, not both")
        if not variable and not file:
            if required:
                raise self.error(f"{prefix}{key}", f"{key}_env (a variable's name) or {key}_file (a path)")
            return ""
        value = self._variable(variable, f"{prefix}{key}_env") if variable else self._file(file, f"{prefix}{key}_file")
        if not value.isprintable() or " " in value:
            raise self.error(f"{prefix}{key}", "a secret of one line, without spaces")
        self.secrets.append(value)
        return value

    def authorities(self, name: str | None, where: str) -> Path | None:
        """The file of certificates that `ca` names."""
        if name is None:
            return None
        if not (path := self.path.parent / name).is_file():
            raise self.error(f"{where}: ca", f"a file of certificates (PEM); {path} is none")
        return path

    def _variable(self, name: str, where: str) -> str:
        if value := self.environment.get(name, "").strip():
            return value
        raise self.error(where, f"a value in the environment: {name} is not set, or empty")

    def _file(self, name: str, where: str) -> str:
        path = self.path.parent / name
        try:
            value = read_file(path, LONGEST_SECRET, within()).decode().strip()
            if path.stat().st_mode & 0o077:
                self.warnings.append(f"{path} holds a secret and others may read it: chmod 600 {path}")
        except (OSError, ValueError) as error:
            raise self.error(where, f"a file with the secret; {path} cannot be read ({error})") from None
        if not value:
            raise self.error(where, f"a file with the secret; {path} is empty")
        return value


_SECRET: Mapping[str, Convert] = {"secret_env": settings.variable, "secret_file": settings.text}
_TOP: Mapping[str, Convert] = {
    "listen": settings.listen,
    **_SECRET,
    "state": settings.text,
    "proxy": settings.proxy,
    "give_up": settings.seconds,
    "damping": settings.anything,
    "receiver": settings.anything,
}
_DAMPING: Mapping[str, Convert] = {
    "hold": settings.seconds_or_none,
    "repeat": settings.seconds,
    "gather": settings.seconds_or_none,
    "flapping_changes": settings.between(3, 50),
    "flapping_window": settings.seconds,
    "worst": settings.between(1, 50),
}
_ANY: Mapping[str, Convert] = {"kind": settings.text, "name": settings.text, "ca": settings.text}
_WEBHOOK: Mapping[str, Convert] = {
    **_ANY, "url_env": settings.variable, "url_file": settings.text, "plain_http": settings.boolean,
}  # fmt: skip
_RECEIVERS: Mapping[str, Mapping[str, Convert]] = {
    "slack": _WEBHOOK,
    "mattermost": _WEBHOOK,
    "matrix": {
        **_ANY, "homeserver": settings.homeserver, "room": settings.room,
        "token_env": settings.variable, "token_file": settings.text,
    },
    "mail": {
        **_ANY, "host": settings.host, "port": settings.between(1, 65535), "tls": settings.tls,
        "from": settings.address, "to": settings.addresses, "user": settings.text,
        "password_env": settings.variable, "password_file": settings.text,
    },
}  # fmt: skip
_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "slack": (), "mattermost": (), "matrix": ("homeserver", "room"), "mail": ("host", "from", "to"),
}  # fmt: skip
