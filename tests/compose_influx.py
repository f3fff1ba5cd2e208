"""A stand-in for the program `influx` of InfluxDB 2: what deploy/influxdb/logins.sh asks of it.

It keeps what it is told in the file that $INFLUX_STATE names, and refuses what the program refuses: an option that
it does not have, an authorization that is there already, a password of fewer than 8 characters. Its options are those of
influx-cli 2.7, whose passwords come from standard input where `--password` is not given.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

BUCKET_ID = "0a1b2c3d4e5f6071"
SHORTEST_PASSWORD = 8
OPTIONS = {
    "bucket list": {"--name", "--hide-headers"},
    "v1 dbrp list": {"--db"},
    "v1 dbrp create": {"--db", "--rp", "--default", "--bucket-id"},
    "v1 auth set-password": {"--username"},
    "v1 auth create": {"--username", "--read-bucket", "--write-bucket", "--description"},
}
FLAGS = {"--hide-headers", "--default"}

State = dict[str, Any]


def empty() -> State:
    """A database that was just set up: its bucket, which is mapped by itself."""
    return {"buckets": {"cvmfs": BUCKET_ID}, "mapped": True, "mappings": [], "logins": {}, "calls": [], "down": False}


def _password() -> str:
    password = sys.stdin.readline().rstrip("\n")
    if len(password) < SHORTEST_PASSWORD:
        sys.exit("Error: password is too short")
    return password


def _list_buckets(state: State, options: dict[str, str]) -> None:
    name = options["--name"]
    if name not in state["buckets"]:
        sys.exit(f'Error: bucket "{name}" not found')
    print(f"{state['buckets'][name]}\t{name}\tinfinite\t168h0m0s\tfeedfeedfeedfeed\timplicit")  # noqa: T201


def _list_mappings(state: State, options: dict[str, str]) -> None:
    mapped = [options["--db"]] if state["mapped"] else []
    for database in [mapping["--db"] for mapping in state["mappings"]] + mapped:
        print(f"{BUCKET_ID}\t{database}\t{BUCKET_ID}\tautogen\ttrue")  # noqa: T201


def _map(state: State, options: dict[str, str]) -> None:
    state["mappings"].append(options)


def _set_password(state: State, options: dict[str, str]) -> None:
    if options["--username"] not in state["logins"]:
        sys.exit(f'Error: could not find v1 auth with token (username) "{options["--username"]}"')
    state["logins"][options["--username"]]["password"] = _password()


def _create_login(state: State, options: dict[str, str]) -> None:
    name = options["--username"]
    if name in state["logins"]:
        sys.exit(f'Error: authorization with username "{name}" already exists')
    rights = {right: options[f"--{right}-bucket"] for right in ("read", "write") if f"--{right}-bucket" in options}
    state["logins"][name] = {"password": _password(), "rights": rights}


ANSWERS: dict[str, Callable[[State, dict[str, str]], None]] = {
    "bucket list": _list_buckets,
    "v1 dbrp list": _list_mappings,
    "v1 dbrp create": _map,
    "v1 auth set-password": _set_password,
    "v1 auth create": _create_login,
}


def _parse(arguments: list[str]) -> tuple[str, dict[str, str]]:
    """The command's words, and its options with their values."""
    words = arguments[: 3 if arguments[0] == "v1" else 2]
    command, rest, options = " ".join(words), arguments[len(words) :], dict[str, str]()
    while rest:
        name = rest.pop(0)
        if name not in OPTIONS.get(command, ()):
            sys.exit(f"Error: flag provided but not defined: {name}")
        options[name] = "" if name in FLAGS else rest.pop(0)
    return command, options


def main(arguments: list[str], file: Path) -> None:
    state: State = json.loads(file.read_text())
    state["calls"].append(arguments)
    file.write_text(json.dumps(state))
    if state["down"]:
        sys.exit("Error: dial tcp 127.0.0.1:9999: connect: connection refused")
    command, options = _parse(arguments)
    ANSWERS[command](state, options)
    file.write_text(json.dumps(state))


if __name__ == "__main__":
    main(sys.argv[1:], Path(os.environ["INFLUX_STATE"]))
