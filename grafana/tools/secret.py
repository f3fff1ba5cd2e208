"""Where secrets come from and where they go: the environment, a prompt, a file that only its owner reads."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

from grafana.tools.server import Credentials, UsageError
from telegraf_cvmfs.whole_file import read_file, whole_file, within

_LONGEST = 4096


class Ask(Protocol):
    """Asks whoever sits at the terminal."""

    def __call__(self, what: str, *, hidden: bool) -> str:
        """The answer to `what`, typed unseen if it must stay hidden."""
        ...


def token(environment: Mapping[str, str], path: Path | None, warn: Callable[[str], None]) -> Credentials:
    """The token of the file, or of $GRAFANA_TOKEN; `UsageError` if there is none that can be one."""
    if path is not None:
        return Credentials(token=_checked(_read(path, warn), str(path)))
    if environment.get("GRAFANA_TOKEN"):
        return Credentials(token=_checked(environment["GRAFANA_TOKEN"], "GRAFANA_TOKEN"))
    raise UsageError(
        "no token: set GRAFANA_TOKEN or give --token-file FILE; "
        "`python -m grafana.tools create-token --name NAME --output FILE` makes one"
    )


def login(environment: Mapping[str, str], ask: Ask | None) -> Credentials:
    """User name and password of the environment, else of whoever sits there.

    Args:
        environment: GRAFANA_USER and GRAFANA_PASSWORD.
        ask: asks a person; None where nobody can be asked.
    """
    user, password = environment.get("GRAFANA_USER", ""), environment.get("GRAFANA_PASSWORD", "")
    if ask is None and not (user and password):
        raise UsageError("no user: set GRAFANA_USER and GRAFANA_PASSWORD, or run it in a terminal to be asked for them")
    if ask is not None:
        user = user or ask("Grafana user: ", hidden=False)
        password = password or ask(f"Password of {user}: ", hidden=True)
    if not user or ":" in user or not password:
        raise UsageError("GRAFANA_USER, GRAFANA_PASSWORD: expected a name without a colon, and a password")
    return Credentials(user=user, password=password)


def _read(path: Path, warn: Callable[[str], None]) -> str:
    try:
        mode = path.stat().st_mode
        text = read_file(path, _LONGEST, within())
    except OSError as error:
        raise UsageError(f"--token-file {path}: {error.strerror or error}") from error
    if stat.S_ISREG(mode) and mode & (stat.S_IRGRP | stat.S_IROTH):
        warn(f"--token-file {path}: others than its owner can read it; `chmod 600 {path}`")
    return text.decode(errors="replace")


def _checked(text: str, where: str) -> str:
    secret = text.strip()
    if not secret or not secret.isascii() or not secret.isprintable() or " " in secret:
        raise UsageError(f"{where}: expected one token, on one line, and nothing else")
    return secret


@contextmanager
def private_file(path: Path) -> Iterator[Callable[[str], None]]:
    """A function that writes a text to this file, mode 0600, all at once; that it can be written is known before.

    Raises:
        UsageError: the folder is not there or must not be written to, or something else than a file has the name.
    """
    if os.path.lexists(path) and (path.is_symlink() or not path.is_file()):  # /dev/stdout would be replaced
        raise UsageError(f"--output {path}: it is there and is no plain file; `--output -` is stdout")
    with ExitStack() as stack:
        try:
            file = stack.enter_context(whole_file(path))
        except OSError as error:
            raise UsageError(f"--output {path}: {error.strerror}") from error

        def write(text: str) -> None:
            file.write(text.encode())
            file.flush()  # so that whoever wrote it knows that it is there
            os.fsync(file.fileno())

        yield write
