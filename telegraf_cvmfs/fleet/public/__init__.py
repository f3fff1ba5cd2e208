"""The public fleets that ship with the package, as fleet files with their master keys beside them.

Each file says where its facts come from. To change one, copy it together with `keys/`, and give the copy to `--config`.
"""

from __future__ import annotations

from pathlib import Path

from telegraf_cvmfs.fleet import file as fleet_file
from telegraf_cvmfs.model import ConfigError, Fleet, Role
from telegraf_cvmfs.words.secrecy import masked

FOLDER = Path(__file__).parent
"""Where the fleet files lie, and their keys in `keys/`."""

_FACTS = "# Facts from "


def names() -> tuple[str, ...]:
    """What `--fleet` may name, sorted."""
    return tuple(sorted(file.stem for file in FOLDER.glob("*.toml")))


def path(name: str) -> Path:
    """The fleet file of a named fleet.

    Raises:
        ConfigError: there is none of that name; it lists those that there are.
    """
    if name not in names():
        raise ConfigError(f"no public fleet is named {masked(name)!r}; known are {', '.join(names())}")
    return FOLDER / f"{name}.toml"


def describe() -> str:
    """What there is to choose from: a line for each fleet (name, servers, repositories, origin), then the folder."""
    return "".join(f"{_line(name)}\n" for name in names()) + f"The fleet files lie in {FOLDER}\n"


def _line(name: str) -> str:
    text = path(name).read_text(encoding="utf-8")
    fleet = fleet_file.parse(text, path(name))
    return f"{name:8}{_servers(fleet)}  {', '.join(fleet.only)}  (from {_facts(text)})"


def _servers(fleet: Fleet) -> str:
    counts = {role: sum(server.role is role for server in fleet.servers) for role in Role}
    roles = ", ".join(f"{count} {role}" for role, count in counts.items() if count)
    return f"{len(fleet.servers)} servers: {roles}"


def _facts(text: str) -> str:
    """The origin that a fleet file names in its first line."""
    return text.partition("\n")[0].removeprefix(_FACTS)
