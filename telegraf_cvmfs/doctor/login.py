"""Where a server that keeps or shows the points is, and as whom the doctor asks it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from telegraf_cvmfs.net.question import basic

DEFAULT_INFLUXDB, DEFAULT_GRAFANA = "http://127.0.0.1:8086", "http://127.0.0.1:3000"
"""Where they are unless somebody says so."""


@dataclass(frozen=True)
class Login:
    """An address, and a user with a password, or a token, or neither; `given` if somebody said where it is."""

    url: str
    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    given: bool = True

    @property
    def is_one(self) -> bool:
        """Is there anything to log in with?"""
        return bool(self.user or self.token)

    @property
    def by_password(self) -> dict[str, str]:
        """The header that logs in as the user; none without one."""
        return {"Authorization": basic(self.user, self.password)} if self.user else {}

    def by_token(self, scheme: str) -> dict[str, str]:
        """The header that logs in with the token, which servers take under different schemes; none without one."""
        return {"Authorization": f"{scheme} {self.token}"} if self.token else {}
