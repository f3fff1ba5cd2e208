"""Where the parts listen: always on loopback, at the same port each time if that is free."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Mapping

from deploy.native.folder import Refused, Trouble

_LARGEST = 65535


def choose(
    variable: str, usual: int, environment: Mapping[str, str], say: Callable[[str], None], *, before: int | None = None
) -> int:
    """The port that the variable names (0 for any), else the one from before, else the usual one, else any.

    Raises:
        Refused: the variable has no port.
        Trouble: the port that it names is taken.
    """
    if named := environment.get(variable):
        if not (re.fullmatch(r"[0-9]{1,5}", named) and int(named) <= _LARGEST):
            raise Refused(f"{variable}={named}: expected a port, 1 to {_LARGEST}, or 0 for any that is free")
        if int(named) and not _is_free(int(named)):
            raise Trouble(f"{variable}={named}: another program listens at this port; name another, or 0 for any")
        return int(named) or _any()
    for port in (before, usual):
        if port and _is_free(port):
            return port
    other = _any()
    say(f"port {usual} is taken by another program, so it is {other} this time ({variable} can name one)")
    return other


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _any() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
