"""The whole stack without Docker, with the real Telegraf and InfluxDB: up, what it shows, who may what, down."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from deploy.native import logins, process
from deploy.native.folder import Folder, Trouble
from deploy.native.logins import Logins
from deploy.native.parts import grafana, influxdb
from deploy.native.parts.influxdb import Denied
from telegraf_cvmfs.net.influxdb import Database
from tests import ROOT
from tests.deploy.native import GRAFANA, Stack, script
from tests.grafana import server as grafana_server
from tests.programs.influxdb import running_with_logins
from tests.programs.prometheus import Prometheus

PARTS = ["influxdb", "demo", "telegraf", "grafana", "exporter", "prometheus"]


def _stop(stack: Stack) -> None:
    down = stack.run("down")
    assert (down.returncode, stack.processes()) == (0, []), down.stderr


# --- the demo fleet, with a stand-in for Grafana ------------------------------------------------------


@pytest.fixture(scope="module")
def started(
    telegraf: Path, influxd: Path, prometheus: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Stack, subprocess.CompletedProcess[str]]]:
    folder = tmp_path_factory.mktemp("native")
    grafana = script(folder / "grafana", GRAFANA, (sys.executable,))
    programs = {"TELEGRAF": str(telegraf), "INFLUXD": str(influxd), "GRAFANA": str(grafana)} | {
        "PROMETHEUS": str(prometheus)
    }
    # what a user may have set for other purposes must not get into a part
    stack = Stack(
        folder / "stack", programs | {"INFLUXDB_HTTP_AUTH_ENABLED": "false", "GF_USERS_ALLOW_SIGN_UP": "true"}
    )
    yield stack, stack.run("--prometheus")
    _stop(stack)


@pytest.fixture(scope="module")
def stack(started: tuple[Stack, subprocess.CompletedProcess[str]]) -> Stack:
    return started[0]


@pytest.fixture(scope="module")
def up(started: tuple[Stack, subprocess.CompletedProcess[str]]) -> subprocess.CompletedProcess[str]:
    return started[1]


@pytest.fixture(scope="module")
def passwords(stack: Stack) -> Logins:
    return logins.kept(Folder(stack.folder))


@pytest.fixture(scope="module")
def given(stack: Stack) -> dict[str, Any]:
    """What the stand-in for Grafana was given."""
    found: dict[str, Any] = json.loads((stack.folder / "grafana" / "data" / "given.json").read_text())
    return found


def test_up_starts_every_part_and_every_panel_answers(stack: Stack, up: subprocess.CompletedProcess[str]) -> None:
    assert (up.returncode, up.stderr) == (0, "")
    assert list(stack.noted) == PARTS
    (questions,) = re.findall(r"^(\d+) questions, 0 without an answer$", up.stdout, re.MULTILINE)
    dashboards = [path.name for path in (ROOT / "grafana" / "dashboards").glob("*.json")]
    assert int(questions) > len(dashboards) > 0
    assert "EMPTY" not in up.stdout


def test_up_says_where_everything_is_and_no_password(
    stack: Stack, up: subprocess.CompletedProcess[str], passwords: Logins
) -> None:
    assert f"Grafana    {stack.url('grafana')}  user admin" in up.stdout
    assert f"InfluxDB   {stack.url('influxdb')}" in up.stdout
    assert f"passwords  {stack.folder / 'passwords'}" in up.stdout
    assert not [password for password in vars(passwords).values() if password in up.stdout]


def test_prometheus_has_what_the_exporter_tells_and_asks_the_shipped_rules(stack: Stack) -> None:
    asked = Prometheus(stack.url("prometheus"))
    assert len(asked.query("cvmfs_server_up")) == 5
    rules = requests.get(f"{asked.url}/api/v1/rules", timeout=10).json()["data"]["groups"]
    assert {group["file"] for group in rules} == {str(ROOT / "prometheus" / "rules.yaml")}
    settings = yaml.safe_load((stack.folder / "prometheus.yaml").read_text())
    assert settings["global"]["external_labels"] == {"grafana": stack.url("grafana")}


def test_the_demo_fleet_has_a_past_and_goes_on(stack: Stack, passwords: Logins) -> None:
    reader = influxdb.reader(stack.url("influxdb"), passwords)
    (row,) = influxdb.ask(reader, 'SELECT count("servers") AS "runs", first("servers") FROM "cvmfs_scrape"')
    (oldest,) = influxdb.ask(reader, 'SELECT first("servers") FROM "cvmfs_scrape"')
    assert row["runs"] > 100
    assert time.time() - oldest["time"] / 1e9 > 20 * 3600
    began = int(time.time())
    until = time.monotonic() + 60
    while influxdb.newest_run(reader, "demo", since=began) is None and time.monotonic() < until:
        time.sleep(1)
    assert influxdb.newest_run(reader, "demo", since=began), "Telegraf does not run the plugin by itself"


def test_status_has_each_part_with_its_number_and_exits_0_while_all_run(stack: Stack) -> None:
    status = stack.run("status")
    assert (status.returncode, status.stderr) == (0, "")
    for name in PARTS:
        (line,) = (line for line in status.stdout.splitlines() if line.startswith(name))
        assert re.search(rf"running +pid {stack.pid(name)} +since \d{{4}}-", line)
        assert stack.url(name) in line
    assert re.search(r"^newest +measurements are \d+ s old$", status.stdout, re.MULTILINE)


def test_the_writer_cannot_read_the_reader_cannot_write_and_nobody_else_can_do_either(
    stack: Stack, passwords: Logins
) -> None:
    url = stack.url("influxdb")
    writer, reader = influxdb.writer(url, passwords), influxdb.reader(url, passwords)
    assert influxdb.ask(reader, 'SELECT "servers" FROM "cvmfs_scrape" LIMIT 1')
    assert _written(writer) == requests.codes.no_content
    with pytest.raises(Denied, match="not authorized"):
        influxdb.ask(writer, 'SELECT "servers" FROM "cvmfs_scrape" LIMIT 1')
    assert _written(reader) == requests.codes.forbidden
    for stranger in (
        Database(url, "cvmfs"),
        Database(url, "cvmfs", "grafana", "wrong"),
        Database(url, "cvmfs", "admin", ""),
    ):
        assert _written(stranger) == requests.codes.unauthorized
        with pytest.raises(Denied):
            influxdb.ask(stranger, 'SELECT "servers" FROM "cvmfs_scrape" LIMIT 1')
    for user in (writer, reader):
        with pytest.raises(Denied, match="requires admin privilege"):
            influxdb.ask(user, 'DROP DATABASE "cvmfs"')


def _written(database: Database) -> int:
    login = (database.user, database.password) if database.user else None
    line = "trial,fleet=none a=1i 1700000000000000000"
    parameters = {"db": database.name}
    return requests.post(f"{database.url}/write", params=parameters, data=line, auth=login, timeout=30).status_code


def test_secrets_are_in_one_file_of_this_user_and_in_no_log_and_no_command_line(
    stack: Stack, passwords: Logins
) -> None:
    secrets = vars(passwords).values()
    assert len(set(secrets)) == 4
    assert all(len(secret) >= 32 for secret in secrets)
    commands = stack.processes()
    assert len(commands) >= len(PARTS)
    for path in stack.folder.rglob("*"):
        mode = stat.S_IMODE(path.lstat().st_mode)
        assert mode & 0o077 == 0, f"{path} has mode {mode:o}"
        if path.is_file() and path.name not in ("passwords", "given.json"):
            content = path.read_bytes()
            assert not [secret for secret in secrets if secret.encode() in content], path
    assert not [secret for secret in secrets for command in commands if secret in command]


def test_each_part_has_its_own_secret_alone(stack: Stack, passwords: Logins, given: dict[str, Any]) -> None:
    has = {name: Path(f"/proc/{stack.pid(name)}/environ").read_text() for name in PARTS}
    held = {name: {field for field, secret in vars(passwords).items() if secret in has[name]} for name in PARTS}
    assert held == {
        "influxdb": set(),
        "demo": set(),
        "telegraf": {"influxdb_telegraf"},
        "grafana": {"influxdb_grafana", "grafana_admin"},
        "exporter": set(),
        "prometheus": set(),
    }
    assert given["environment"]["INFLUXDB_USERNAME"] == "grafana"


def test_everything_listens_on_loopback_only(stack: Stack) -> None:
    sessions = {stack.pid(name) for name in PARTS}
    found = [address for pid in sessions for address in _listening(pid)]
    assert len(found) >= 2 + 4  # InfluxDB twice, the demo fleet's servers, Grafana
    assert {address for address in found if not address.startswith("0100007F:")} == set()


def _listening(pid: int) -> Iterator[str]:
    """The addresses at which a process listens, as Linux writes them."""
    sockets = {str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()}
    for version in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{version}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                yield fields[1]


def test_grafana_gets_our_provisioning_and_its_own_folders(stack: Stack, given: dict[str, Any]) -> None:
    got = given["environment"]
    provisioning, dashboards = Path(got["GF_PATHS_PROVISIONING"]), Path(got["CVMFS_DASHBOARDS"])
    assert {path.name for path in provisioning.iterdir()} >= {"datasources", "dashboards", "alerting"}
    assert (dashboards / "home.json").samefile(got["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (Path(got["CVMFS_DASHBOARDS_PROMETHEUS"]) / "home.json").samefile(ROOT / "prometheus/dashboards/home.json")
    assert got["PROMETHEUS_URL"] == stack.url("prometheus")
    for name in ("DATA", "LOGS", "PLUGINS"):
        assert Path(got[f"GF_PATHS_{name}"]).is_relative_to(stack.folder / "grafana")
    assert (got["GF_AUTH_ANONYMOUS_ENABLED"], got["GF_USERS_ALLOW_SIGN_UP"]) == ("false", "false")
    assert (got["GF_SERVER_HTTP_ADDR"], got["GF_SECURITY_ADMIN_USER"]) == ("127.0.0.1", "admin")
    assert given["arguments"] == ["server", "--config", str(stack.folder / "grafana.ini")]


def test_grafana_has_every_variable_that_the_provisioning_files_name(given: dict[str, Any]) -> None:
    files = [*(ROOT / "grafana" / "provisioning").glob("d*/*.yaml")]
    lines = [line for path in files for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
    named = {name for line in lines for name in re.findall(r"\$([A-Z][A-Z_]+)", line)}
    assert named >= {"INFLUXDB_URL", "INFLUXDB_PASSWORD", "CVMFS_DASHBOARDS"}
    assert named <= given["environment"].keys()


def test_a_second_up_says_so_and_changes_nothing(stack: Stack) -> None:
    before = stack.noted
    again = stack.run("up")
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout.startswith("the stack runs already and watches the demo fleet; nothing was changed\n")
    assert stack.noted == before


def test_while_the_demo_fleet_is_watched_another_fleet_is_refused(stack: Stack, fleet: Path) -> None:
    before = stack.noted
    other = stack.run("up", "--config", fleet)
    assert other.returncode == 2
    assert other.stderr == "stack: the stack runs and watches the demo fleet: `./stack native down` first\n"
    assert stack.noted == before


def test_a_part_that_died_is_told_and_the_next_up_starts_it_alone(stack: Stack) -> None:
    before = {name: stack.pid(name) for name in PARTS}
    os.kill(before["telegraf"], signal.SIGKILL)
    until = time.monotonic() + 10
    while "not running" not in (status := stack.run("status")).stdout and time.monotonic() < until:
        time.sleep(0.1)
    assert status.returncode == 1
    assert re.search(r"^telegraf +not running$", status.stdout, re.MULTILINE)
    again = stack.run("up")
    assert (again.returncode, again.stderr) == (0, "")
    assert {name for name in PARTS if stack.pid(name) != before[name]} == {"telegraf"}
    assert stack.run("status").returncode == 0


def test_when_the_database_comes_back_elsewhere_those_who_use_it_follow(stack: Stack) -> None:
    before, url = {name: stack.pid(name) for name in PARTS}, stack.url("influxdb")
    os.kill(before["influxdb"], signal.SIGKILL)
    host, _, port = url.removeprefix("http://").rpartition(":")
    while _accepts(host, int(port)):
        time.sleep(0.1)
    assert stack.run("doctor").stdout.splitlines()[1] == "Next: start it: ./stack native up"
    with socket.create_server((host, int(port))):
        again = stack.run("up")
    assert (again.returncode, again.stderr) == (0, "")
    assert stack.url("influxdb") != url
    assert {name for name in PARTS if stack.pid(name) != before[name]} == {"influxdb", "telegraf", "grafana"}
    environment = Path(f"/proc/{stack.pid('telegraf')}/environ").read_text()
    assert f"INFLUXDB_URL={stack.url('influxdb')}" in environment


def _accepts(host: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


def test_doctor_examines_every_link_with_the_logins_of_this_stack(stack: Stack, passwords: Logins) -> None:
    """The stand-in knows nothing but its own health, so that Grafana is the link that breaks."""
    said = stack.run("doctor")
    assert (said.returncode, said.stderr) == (1, "")
    assert {line.split()[0] for line in said.stdout.splitlines() if " wrong: " in line} == {"Grafana"}
    for link in ("a run gives", "it runs: process", "may read the database 'cvmfs'", "points arrive"):
        assert re.search(rf"^\w+ +ok: .*{link}", said.stdout, re.MULTILINE), link
    assert str(stack.folder / "memory") in said.stdout
    assert not [password for password in vars(passwords).values() if password in said.stdout]


def test_logs_shows_the_last_lines_of_one_part_or_of_all(stack: Stack) -> None:
    one = stack.run("logs", "telegraf", "--lines", "3")
    assert one.returncode == 0
    head, *lines = one.stdout.splitlines()
    assert head == f"==> {stack.folder / 'logs' / 'telegraf.log'}"
    assert len(lines) == 3
    every = stack.run("logs").stdout
    assert re.findall(r"^==> .*/(.*)\.log$", every, re.MULTILINE)[: len(PARTS)] == PARTS


def test_down_stops_everything_and_keeps_the_data_and_reset_leaves_nothing(stack: Stack) -> None:
    ports = [int(stack.url(name).rpartition(":")[2]) for name in ("influxdb", "grafana", "exporter", "prometheus")]
    down = stack.run("down")
    assert (down.returncode, down.stderr) == (0, "")
    stopped = [f"stopping {name} …" for name in PARTS]
    assert sorted(down.stdout.splitlines()) == sorted([*stopped, "all parts are stopped; the data stay"])
    assert stack.processes() == []
    for port in ports:
        socket.create_server(("127.0.0.1", port)).close()
    assert stack.run("status").returncode == 1
    assert stack.run("down").stdout == "nothing runs\n"
    assert (stack.folder / "influxdb" / "data").is_dir()
    asked = stack.run("reset", stdin="y\n")
    assert (asked.returncode, asked.stderr) == (1, "stack: nothing was deleted\n")
    assert (stack.folder / "influxdb" / "data").is_dir()
    assert stack.run("reset", "--yes").returncode == 0
    assert not stack.folder.exists()


# --- a fleet of one's own, and what may go wrong ------------------------------------------------------


@pytest.fixture
def own(telegraf: Path, influxd: Path, tmp_path: Path) -> Iterator[Stack]:
    stack = Stack(tmp_path / "stack", {"TELEGRAF": str(telegraf), "INFLUXD": str(influxd)})
    yield stack
    _stop(stack)


def test_a_fleet_of_ones_own_is_watched_at_the_rhythm_that_is_shipped(own: Stack, fleet: Path) -> None:
    up = own.run("up", "--config", fleet)
    assert "Grafana    is not installed" in up.stdout
    assert list(own.noted) == ["influxdb", "telegraf"]
    environment = Path(f"/proc/{own.pid('telegraf')}/environ").read_text()
    assert f"TELEGRAF_CVMFS_CONFIG={fleet}" in environment
    assert "TELEGRAF_CVMFS_INTERVAL" not in environment
    reader = influxdb.reader(own.url("influxdb"), logins.kept(Folder(own.folder)))
    assert influxdb.newest_run(reader, "demo")
    doctor = own.run("doctor")
    assert (doctor.returncode, doctor.stderr) == (0, "")
    assert "the login is right: user 'grafana' may read the database 'cvmfs'" in doctor.stdout
    assert "points arrive: the newest run of the fleet demo is" in doctor.stdout
    os.kill(own.pid("influxdb"), signal.SIGKILL)
    assert own.run("doctor").stdout.splitlines()[1] == f"Next: start it: ./stack native up --config {fleet}"
    again = own.run("up", "--config", fleet)
    assert (again.returncode, again.stderr, own.run("status").returncode) == (0, "", 0)
    demo = own.run("up")
    assert (demo.returncode, demo.stderr) == (
        2, f"stack: the stack runs and watches {fleet}: `./stack native down` first\n",
    )  # fmt: skip


@pytest.mark.parametrize(("number", "name"), [(signal.SIGTERM, "SIGTERM"), (signal.SIGINT, "Ctrl-C")])
def test_an_up_that_is_interrupted_leaves_nothing_behind(
    own: Stack, fleet: Path, tmp_path: Path, number: int, name: str
) -> None:
    hangs = script(
        tmp_path / "telegraf", 'case $1 in --version) echo "Telegraf 1.39.0";; *) /bin/sleep 600 & wait;; esac\n'
    )
    stack = Stack(own.folder, {**own.settings, "TELEGRAF": str(hangs)})
    with _killed(stack.begin("up", "--config", fleet)) as command:
        until = time.monotonic() + 60
        while not any("sleep 600" in each for each in stack.processes()):  # what Telegraf itself has started
            assert command.poll() is None, command.communicate()
            assert time.monotonic() < until
            time.sleep(0.05)
        command.send_signal(number)
        _, trouble = command.communicate(timeout=30)
    assert (command.returncode, trouble) == (130, "stack: interrupted; nothing runs on\n")
    assert stack.processes() == [], name


BROKEN = {
    "cannot write": (
        'echo "2026 E! [outputs.influxdb] refused" >&2; exit 1',
        "Telegraf could not write to InfluxDB",
        "E! [outputs.influxdb] refused",
    ),
    "cannot run the plugin": (
        'echo "2026 E! [inputs.exec] exit status 2" >&2',
        "Telegraf ran the plugin, and it failed",
        "E! [inputs.exec] exit status 2",
    ),
    "writes nothing and says nothing": (":", "Telegraf ran once, and no measurement arrived in InfluxDB", "is empty"),
    "does not stay": (
        'for word; do [ "$word" = --once ] && exec "$REAL" "$@"; done; echo "I have had enough" >&2; exit 1',
        "telegraf has ended by itself",
        "I have had enough",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_the_missing_link_is_named_with_its_last_words_and_nothing_runs_on(
    own: Stack, fleet: Path, tmp_path: Path, case: str
) -> None:
    does, meaning, words = BROKEN[case]
    text = f'[ "$1" = --version ] && echo "Telegraf 1.39.0" && exit\n{does}\n'
    broken = script(tmp_path / "telegraf", text)
    settings = own.settings | {"REAL": own.settings["TELEGRAF"], "TELEGRAF": str(broken)}
    up = Stack(own.folder, settings).run("up", "--config", fleet)
    assert up.returncode == 1
    first, *rest = up.stderr.splitlines()
    assert first.startswith(f"stack: {meaning}; {own.folder / 'logs'}/")
    assert words in "\n".join([first, *rest])
    assert "Traceback" not in up.stderr
    assert own.processes() == []


def test_a_port_that_is_taken_is_told_if_it_was_asked_for_and_nothing_is_started(own: Stack, fleet: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        up = own.run("up", "--config", fleet, INFLUXDB_PORT=str(port))
    assert up.returncode == 1
    assert up.stderr == (
        f"stack: INFLUXDB_PORT={port}: another program listens at this port; name another, or 0 for any\n"
    )
    assert own.processes() == []


def test_an_influxdb_that_does_not_start_is_told_with_its_last_words(own: Stack, fleet: Path, tmp_path: Path) -> None:
    broken = script(
        tmp_path / "influxd", '[ "$1" = version ] && echo "InfluxDB v1.8.10" && exit\necho "no room"; exit 1\n'
    )
    up = own.run("up", "--config", fleet, INFLUXD=str(broken))
    assert up.returncode == 1
    log = own.folder / "logs" / "influxdb.log"
    assert up.stderr == f"stack: influxdb has ended by itself; {log} ends with\n  no room\n"
    assert own.processes() == []


def test_where_nothing_more_can_be_written_it_says_so_and_nothing_runs(own: Stack, fleet: Path) -> None:
    full = ["/bin/bash", "-c", 'ulimit -f 0; exec "$@"', "-", *own.command("up", "--config", fleet)]
    up = subprocess.run(full, cwd=ROOT, env=own.environment, capture_output=True, text=True, timeout=60, check=False)
    assert up.returncode == 1
    assert re.fullmatch(r"stack: .*: File too large\n", up.stderr)
    assert own.processes() == []


def test_with_other_passwords_than_the_data_have_it_says_what_to_do(influxd: Path, tmp_path: Path) -> None:
    with running_with_logins(influxd, tmp_path) as (url, passwords):
        influxdb.let_in(url, passwords)  # the same again is no trouble
        with pytest.raises(Trouble, match="put the old file back, or `./stack native reset`"):
            influxdb.let_in(url, logins.made())
    with pytest.raises(Trouble, match="gives no answer"):
        influxdb.let_in(url, passwords)


def test_a_proxy_of_the_user_is_not_asked_for_what_is_on_loopback(
    influxd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with running_with_logins(influxd, tmp_path) as (url, passwords):
        influxdb.let_in(url, passwords)
    with grafana_server.grafana() as server:
        assert grafana.answers(server.url)


def test_what_is_asked_of_fleets_with_quotes_in_their_names_stays_one_question(influxd: Path, tmp_path: Path) -> None:
    name = "o'brien \\' OR 1=1"
    with running_with_logins(influxd, tmp_path) as (url, passwords):
        reader = influxdb.reader(url, passwords)
        assert influxdb.newest_run(reader, name) is None
        tag = name.replace(" ", "\\ ").replace("=", "\\=")
        line = f"cvmfs_scrape,fleet={tag} servers=1i 1700000000000000000"
        login = (logins.WRITER, passwords.influxdb_telegraf)
        requests.post(f"{url}/write", params={"db": "cvmfs"}, data=line, auth=login, timeout=30).raise_for_status()
        assert influxdb.newest_run(reader, name) == 1_700_000_000
        assert influxdb.newest_run(reader, "o") is None


@contextmanager
def _killed(process: subprocess.Popen[Any]) -> Iterator[subprocess.Popen[Any]]:
    """The process, which is gone at the end, also where a test fails."""
    with process:
        try:
            yield process
        finally:
            process.kill()


def test_only_a_process_of_ours_is_ever_stopped(own: Stack, tmp_path: Path) -> None:
    """The number of a part that ended long ago now belongs to another program."""
    with _killed(subprocess.Popen(["/bin/sleep", "600"], start_new_session=True)) as stranger:
        folder = Folder(own.folder)
        folder.make()
        ours = process.start(["/bin/sleep", "600"], {}, tmp_path / "log")
        ticks = int(Path(f"/proc/{stranger.pid}/stat").read_text().rpartition(")")[2].split()[19])
        recycled = {"pid": stranger.pid, "ticks": ticks - 1, "boot": ours.boot}
        rebooted = {"pid": stranger.pid, "ticks": ticks, "boot": "another start of the machine"}
        parts = [
            {"name": name, "process": noted, "since": "2026-01-01T00:00:00+00:00", "url": "", "recipe": ""}
            for name, noted in (("telegraf", recycled), ("demo", rebooted), ("influxdb", vars(ours)))
        ]
        folder.write("running.json", json.dumps({"watches": "the demo fleet", "fleet": "demo", "parts": parts}))
        status = own.run("status")
        assert status.returncode == 1
        assert re.search(r"^telegraf +not running$", status.stdout, re.MULTILINE)
        down = own.run("down")
        assert down.stdout == "stopping influxdb …\nall parts are stopped; the data stay\n"
        assert (ours.alive, stranger.poll()) == (False, None)
