"""`telegraf-cvmfs doctor`: asks the plugin, Telegraf, InfluxDB and Grafana, and says where the chain breaks.

Asking and judging are apart: `chain`, `freshness`, `question`, `login`, `servers`, `telegraf`,
`telegraf.files`, `influxdb` and `grafana` are pure, and get who asks as an argument; `plugin`, `processes`, `program`,
`telegraf.configuration` and `telegraf.installation` ask, and `net.web` does.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from telegraf_cvmfs.doctor import grafana, influxdb, plugin, telegraf
from telegraf_cvmfs.doctor.chain import Step, Verdict, first_wrong, text
from telegraf_cvmfs.doctor.freshness import Expected, is_fresh
from telegraf_cvmfs.doctor.login import DEFAULT_GRAFANA, DEFAULT_INFLUXDB, Login
from telegraf_cvmfs.doctor.plugin import Plugin, Share
from telegraf_cvmfs.doctor.question import TIME_IS_UP
from telegraf_cvmfs.doctor.telegraf import installation
from telegraf_cvmfs.model import Fleet
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.net.question import basic
from telegraf_cvmfs.net.web import Web
from telegraf_cvmfs.words.secrecy import Secrecy, login_in, secrets_in, without_secrets

__all__ = ["ALL_WELL", "BROKEN", "DEADLINE", "Plugin", "examine"]

DEADLINE = timedelta(seconds=90)
"""The whole doctor's time, unless --deadline says otherwise."""

ALL_WELL, BROKEN = 0, 1
FOR_SERVERS = 20.0
"""Seconds of that which a trial of Telegraf leaves for the database and Grafana."""

START = "TELEGRAF_CVMFS_START"
"""The variable in which who runs all parts together says what command starts those that do not run."""

_BAD = (Verdict.WRONG, Verdict.UNSURE)
_LATER = "the plugin itself fails, see above"


def examine(
    options: argparse.Namespace,
    ours: Plugin,
    deadline: Deadline,
    clock: Callable[[], datetime],
    environment: Mapping[str, str],
) -> tuple[str, int]:
    """The report, and the exit code: `ALL_WELL` or `BROKEN`.

    Args:
        options: the command line; of it the names that begin with telegraf, influxdb and grafana.
        ours: this program, as the command line says.
        deadline: when all has to be over.
        clock: the time of day (aware UTC).
        environment: variables of this process.
    """
    steps, fleet = plugin.examine(ours, deadline, clock)
    machine = installation.machine(options.telegraf or "", options.telegraf_config, environment)
    found = installation.installation(machine, deadline)
    tried, patience = _trial(machine, found, fleet, deadline), fleet.deadline if fleet else timedelta(seconds=45)
    start = environment.get(START, "")
    steps += telegraf.examine(found, tried, patience, ours.file, start)
    expected = replace(_expected(fleet, found), start=start)
    variables = {**machine.environment, **environment}
    database, dashboards = _database(options, variables), _dashboards(options, variables)
    web = Web(deadline)
    stored = influxdb.examine(database, web.ask, clock, expected)
    shown = grafana.examine(dashboards, web.ask, clock, expected)
    if not found.inputs and any(is_fresh(one.newest, expected, clock()) for one in (stored, shown)):
        steps = _elsewhere(steps)
    steps += stored.steps
    if is_fresh(shown.newest, expected, clock()):
        steps = [_seen_by_grafana(step) if step is stored.unseen else step for step in steps]
    steps += shown.steps
    secrecy = Secrecy(_secrets(database.login, dashboards) | secrets_in(machine.environment, environment))
    steps = [
        replace(step, what=_harmless(secrecy, step.what), advice=_harmless(secrecy, step.advice)) for step in steps
    ]
    return text(steps), BROKEN if first_wrong(steps) else ALL_WELL


def _harmless(secrecy: Secrecy, said: str) -> str:
    """What is said without secrets: those that are known, and logins and queries of URLs, which may be."""
    return without_secrets(secrecy.hide(said))


def _trial(
    machine: installation.Machine, found: telegraf.Installation, fleet: Fleet | None, deadline: Deadline
) -> telegraf.Trial | str:
    """A trial of Telegraf, or why there is none."""
    seconds = deadline.remaining - min(FOR_SERVERS, deadline.remaining / 2)
    if fleet is None:
        return _LATER
    if not found.program:
        return "it is not here"
    if any(one.kind == "execd" for one in found.inputs):
        return "a program that stays (inputs.execd) cannot be tried beside the one that runs"
    if seconds <= 1:
        return TIME_IS_UP
    return installation.attempt(machine, Share(deadline, seconds), seconds)


def _expected(fleet: Fleet | None, found: telegraf.Installation) -> Expected:
    name = fleet.name if fleet else ""
    if not found.inputs:
        return Expected(name)
    return Expected(name, max(one.interval for one in found.inputs), found.pid is not None)


def _database(options: argparse.Namespace, variables: Mapping[str, str]) -> influxdb.Database:
    """From the options, else from the variables that the shipped files of Telegraf read."""
    given = options.influxdb_url or variables.get("INFLUXDB_URL", "")
    url, user, password = login_in(given or DEFAULT_INFLUXDB)
    bucket = variables.get("INFLUXDB_DATABASE") or variables.get("INFLUXDB_BUCKET")
    user = options.influxdb_username or variables.get("INFLUXDB_USERNAME") or user
    password = _line(variables, "INFLUXDB_PASSWORD") or password
    login = Login(url.rstrip("/"), user, password, _line(variables, "INFLUXDB_TOKEN"), bool(given))
    return influxdb.Database(login, options.influxdb_database or bucket or "cvmfs")


def _dashboards(options: argparse.Namespace, variables: Mapping[str, str]) -> Login:
    given = options.grafana_url or variables.get("GRAFANA_URL", "")
    url, user, password = login_in(given or DEFAULT_GRAFANA)
    user = variables.get("GRAFANA_USER") or user
    password = _line(variables, "GRAFANA_PASSWORD") or password
    return Login(url.rstrip("/"), user, password, _line(variables, "GRAFANA_TOKEN"), bool(given))


def _line(variables: Mapping[str, str], name: str) -> str:
    """A secret without the end of the line that it was read from."""
    return variables.get(name, "").strip("\r\n")


def _secrets(*logins: Login) -> set[str]:
    """What is sent, also where no variable names it."""
    pairs = {basic(one.user, one.password).removeprefix("Basic ") for one in logins}
    return {secret for one in logins for secret in (one.password, one.token)} | pairs


def _elsewhere(steps: Iterable[Step]) -> list[Step]:
    """The steps where points arrive, though no Telegraf of this machine has our input: then another machine's has."""
    return [_not_here(step) if step.link is telegraf.LINK and step.verdict in _BAD else step for step in steps]


def _seen_by_grafana(step: Step) -> Step:
    """The step that a login left open which may only write, answered by Grafana."""
    return replace(step, verdict=Verdict.OK, what=f"{step.what}, but Grafana does (below)", advice="")


def _not_here(step: Step) -> Step:
    what = f"{step.what}; but points arrive, so it runs elsewhere"
    return replace(step, verdict=Verdict.NOT_ASKED, what=what, advice="")
