"""`telegraf-cvmfs doctor` over a whole chain: a real Telegraf and a real InfluxDB with logins, and a stand-in for Grafana.

First all is well; then each link is broken in turn, and the first line of the report has to name that link and why.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from telegraf_cvmfs.doctor.grafana import DASHBOARDS
from tests.builders import hostile
from tests.grafana import server as grafana_server
from tests.grafana.server import Grafana, grafana
from tests.programs import influxdb as influx
from tests.programs.command import command, environment, run
from tests.programs.influxdb import InfluxDB
from tests.programs.shipped import FOLDER

ADMIN, WRITER, READER = ("admin", "adminpw-1"), ("telegraf", "writerpw-2"), ("grafana", "readerpw-3")
NOBODY = 65534
PATIENCE = 60.0  # seconds until the first points are there

Done = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class Chain:
    """All links, and the variables that say where they are; the doctor reads the database as `grafana` does."""

    telegraf: Path
    files: Path
    fleet: Path
    influxdb: str
    grafana: Grafana
    variables: dict[str, str]

    def doctor(self, *arguments: str | Path, env: dict[str, str] | None = None, files: Path | None = None) -> Done:
        """Its report; none of the secrets may be in it."""
        done = run(*self.line(*arguments, files=files), env=self.variables | (env or {}))
        given = self.variables | (env or {})
        secrets = {given[name] for name in given if name.endswith(("_PASSWORD", "_TOKEN"))} - {""}
        secrets |= {self.grafana.password, ADMIN[1], WRITER[1], READER[1]}
        assert not [secret for secret in secrets if secret in done.stdout + done.stderr]
        assert not done.stderr
        return done

    def line(self, *arguments: str | Path, files: Path | None = None) -> list[str | Path]:
        where = files or self.files
        named: list[str | Path] = ["--telegraf", self.telegraf]
        for place in (where / "telegraf.conf", where / "telegraf.d", where / "influxdb1.conf"):
            named += ["--telegraf-config", place]
        if "--config" not in arguments:
            named += ["--config", self.fleet]
        return ["doctor", "--state-dir", "none", *named, *arguments]

    def query(self, influxql: str) -> None:
        answer = requests.post(f"{self.influxdb}/query", params={"q": influxql}, auth=ADMIN, timeout=30)
        assert answer.ok, answer.text

    def database(self, *lines: str) -> str:
        """A new database with these points, which both users may use as they should."""
        name = f"db{time.monotonic_ns()}"
        self.query(f"CREATE DATABASE {name}")
        for right, (user, _) in (("WRITE", WRITER), ("READ", READER)):
            self.query(f"GRANT {right} ON {name} TO {user}")
        url, body = f"{self.influxdb}/write", "\n".join(lines).encode()
        answer = requests.post(url, params={"db": name}, data=body, auth=WRITER, timeout=30)
        assert answer.status_code == 204, answer.text
        return name


@pytest.fixture(scope="module")
def guarded(influxd: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxDB]:
    """An InfluxDB that asks for logins, with its three users."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(influx, "SETTINGS", influx.SETTINGS.replace("[http]", "[http]\n  auth-enabled = true"))
        with influx.running(influxd, tmp_path_factory.mktemp("guarded")) as server:
            for statement in (
                f"CREATE USER {ADMIN[0]} WITH PASSWORD '{ADMIN[1]}' WITH ALL PRIVILEGES",
                "CREATE DATABASE cvmfs",
                f"CREATE USER {WRITER[0]} WITH PASSWORD '{WRITER[1]}'",
                f"CREATE USER {READER[0]} WITH PASSWORD '{READER[1]}'",
                f"GRANT WRITE ON cvmfs TO {WRITER[0]}",
                f"GRANT READ ON cvmfs TO {READER[0]}",
            ):
                answer = requests.post(f"{server.url}/query", params={"q": statement}, auth=ADMIN, timeout=30)
                assert answer.ok, answer.text
            yield server


@pytest.fixture(scope="module")
def chain(
    telegraf: Path, program: Path, fleet: Path, guarded: InfluxDB, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Chain]:
    """Everything runs, and the first points have arrived."""
    files = shipped(tmp_path_factory.mktemp("telegraf"))
    variables = {
        "HOME": str(tmp_path_factory.mktemp("home")),
        "TELEGRAF_CVMFS": str(program),
        "TELEGRAF_CVMFS_CONFIG": str(fleet),
        "TELEGRAF_CVMFS_INTERVAL": "5s",
        "TELEGRAF_CVMFS_JITTER": "0s",
        "INFLUXDB_URL": guarded.url,
        "INFLUXDB_DATABASE": "cvmfs",
    }
    as_writer = {"INFLUXDB_USERNAME": WRITER[0], "INFLUXDB_PASSWORD": WRITER[1]}
    as_reader = {"INFLUXDB_USERNAME": READER[0], "INFLUXDB_PASSWORD": READER[1]}
    with grafana() as server, telegraf_runs(telegraf, files, variables | as_writer):
        provision(server)
        variables |= as_reader | {"GRAFANA_URL": server.url, "GRAFANA_TOKEN": server.token}
        whole = Chain(telegraf, files, fleet, guarded.url, server, variables)
        until = time.monotonic() + PATIENCE
        while not arrived(guarded.url):
            assert time.monotonic() < until, "no points arrived"
            time.sleep(0.2)
        yield whole


@pytest.fixture
def shown(chain: Chain) -> Iterator[Grafana]:
    """The Grafana of the chain, made whole again after each test that breaks it."""
    yield chain.grafana
    for state in (chain.grafana.broken, chain.grafana.unhealthy, chain.grafana.dashboards, chain.grafana.rules):
        state.clear()
    provision(chain.grafana)


@contextmanager
def telegraf_runs(telegraf: Path, files: Path, variables: dict[str, str], user: int | None = None) -> Iterator[int]:
    """A real Telegraf in the background; stopped on exit."""
    options: list[str | Path] = ["--config", files / "telegraf.conf", "--config", files / "influxdb1.conf"]
    with (files / "log").open("wb") as log:
        process = subprocess.Popen(
            [telegraf, *options, "--config-directory", files / "telegraf.d"],
            env={"PATH": os.defpath} | variables,
            stdout=log,
            stderr=log,
            user=user,
            group=user,
        )
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(PATIENCE)


def shipped(folder: Path) -> Path:
    """A copy of the files that users get, in a place where no other Telegraf reads them; points are written at once."""
    (folder / "telegraf.d").mkdir(parents=True)
    agent = (FOLDER / "telegraf.conf").read_text().replace('flush_interval = "10s"', 'flush_interval = "1s"')
    (folder / "telegraf.conf").write_text(agent)
    shutil.copy(FOLDER / "telegraf.d" / "cvmfs.conf", folder / "telegraf.d")
    shutil.copy(FOLDER / "outputs" / "influxdb1.conf", folder)
    return folder


def changed(folder: Path, before: str, after: str) -> Path:
    """Such a copy with another input, which no Telegraf runs with."""
    path = shipped(folder / "telegraf") / "telegraf.d" / "cvmfs.conf"
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after))
    return folder / "telegraf"


def arrived(url: str) -> bool:
    asked = {"db": "cvmfs", "q": "SELECT servers FROM cvmfs_scrape"}
    return "cvmfs_scrape" in requests.get(f"{url}/query", params=asked, auth=READER, timeout=30).text


def provision(server: Grafana) -> None:
    server.datasources = {"influxdb": {"id": 1, "uid": "influxdb", "name": "InfluxDB", "type": "influxdb"}}
    for uid in DASHBOARDS:
        server.add_dashboard({"uid": uid, "title": uid}, folder="CVMFS")
    server.rules += [{"uid": f"cvmfs-rule-{number}", "title": str(number)} for number in range(3)]
    server.newest_run = datetime.now(UTC)


def run_at(moment: datetime) -> str:
    return f"cvmfs_scrape,fleet=demo servers=4i {int(moment.timestamp() * 1e9)}"


# --- all well ---------------------------------------------------------------------------------------


def test_where_all_is_well_every_link_says_so(chain: Chain, shown: Grafana) -> None:
    done = chain.doctor()
    verdicts = [line.split(":", 1)[0].split(None, 1)[1] for line in done.stdout.splitlines()[2:]]
    assert done.stdout.startswith("Nothing is broken: plugin, Telegraf, InfluxDB and Grafana.\n\n")
    assert done.returncode == 0
    assert set(verdicts) == {"ok"}
    for part in (
        "reads the fleet file",
        "servers: 1 critical",
        "Telegraf 1.39.",
        "a trial of Telegraf",
        "it runs: process",
        "InfluxDB 1.6.7",
        "the login is right: user 'grafana' may read the database 'cvmfs'",
        "points arrive: the newest run of the fleet demo",
        "the data source 'influxdb' is there",
        "through Grafana, points arrive",
        "all 8 dashboards",
        "3 alert rules",
    ):
        assert part in done.stdout
    assert all(asked.method == "GET" or asked.path == "/api/ds/query" for asked in shown.asked)


def test_it_leaves_the_memory_and_the_database_as_they_are(chain: Chain, tmp_path: Path) -> None:
    database = chain.database(run_at(datetime.now(UTC)))
    chain.doctor("--state-dir", tmp_path / "memory", env=as_user(WRITER) | {"INFLUXDB_DATABASE": database})
    asked = {"db": database, "q": "SELECT count(servers) FROM cvmfs_scrape", "epoch": "ns"}
    answer = requests.get(f"{chain.influxdb}/query", params=asked, auth=READER, timeout=30).json()
    assert answer["results"][0]["series"][0]["values"] == [[0, 1]]
    assert not (tmp_path / "memory").exists()


def test_a_user_who_may_only_write_is_no_fault_but_leaves_a_question(chain: Chain) -> None:
    done = chain.doctor(env=as_user(WRITER) | {"GRAFANA_TOKEN": ""})
    assert done.returncode == 0
    assert "user 'telegraf' may write to the database 'cvmfs'" in done.stdout
    assert "InfluxDB  unsure:     user 'telegraf' may write, but not read" in done.stdout
    assert "Not everything could be asked: see InfluxDB and Grafana below." in done.stdout


def test_whether_points_arrive_grafana_may_see_where_telegrafs_user_may_not(chain: Chain, shown: Grafana) -> None:
    done = chain.doctor(env=as_user(WRITER))
    assert (done.returncode, "unsure" in done.stdout) == (0, False)
    assert "whether points arrive it cannot see, but Grafana does (below)" in done.stdout
    shown.newest_run = None
    assert "InfluxDB  unsure:     user 'telegraf' may write" in chain.doctor(env=as_user(WRITER)).stdout


def test_where_telegraf_is_on_another_machine_the_points_show_that_it_runs(chain: Chain, tmp_path: Path) -> None:
    done = chain.doctor(files=tmp_path / "not-there")
    assert done.returncode == 0
    assert "but points arrive, so it runs elsewhere" in done.stdout


def test_what_nobody_configured_is_not_asked_for_more(chain: Chain) -> None:
    done = chain.doctor(env={"GRAFANA_TOKEN": ""})
    assert done.returncode == 0
    assert "Grafana   not asked:  what is in it: no login is given" in done.stdout
    assert "python -m grafana.tools create-token" in done.stdout


def test_an_administrator_of_grafana_may_ask_with_a_password(chain: Chain) -> None:
    login = {"GRAFANA_TOKEN": "", "GRAFANA_USER": chain.grafana.user, "GRAFANA_PASSWORD": chain.grafana.password}
    assert chain.doctor(env=login).returncode == 0


def as_user(login: tuple[str, str]) -> dict[str, str]:
    return {"INFLUXDB_USERNAME": login[0], "INFLUXDB_PASSWORD": login[1]}


# --- each link broken in turn -----------------------------------------------------------------------


def breaks_at(done: Done, link: str, *words: str) -> None:
    """The first line names the link and why, the second what to do."""
    first, second, *_ = done.stdout.splitlines()
    assert done.returncode == 1
    assert first.startswith(f"The chain breaks at {link}: ")
    assert all(word in first + second for word in words), done.stdout
    assert second.startswith("Next: ")


def test_a_missing_fleet_file(chain: Chain, tmp_path: Path) -> None:
    done = chain.doctor("--config", tmp_path / "none.toml")
    breaks_at(done, "plugin", f"{tmp_path}/none.toml", "No such file", "write one")
    assert "Telegraf  not asked:  a trial of Telegraf: the plugin itself fails" in done.stdout
    assert "InfluxDB  ok:         points arrive" in done.stdout, "what comes later is asked all the same"


def test_a_wrong_fleet_file(chain: Chain, tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text('[fleet]\nnaem = "x"\n')
    breaks_at(chain.doctor("--config", tmp_path / "fleet.toml"), "plugin", "naem", f"correct {tmp_path}/fleet.toml")


def test_an_unreadable_fleet_file(chain: Chain, tmp_path: Path) -> None:
    path = tmp_path / "fleet.toml"
    path.write_text("")
    path.chmod(0)
    line = [*without_its_power(), *command(*chain.line("--config", path))]
    done = subprocess.run(
        line, env=environment(**chain.variables), capture_output=True, text=True, check=False, timeout=60
    )
    breaks_at(done, "plugin", str(path), "Permission denied")


def without_its_power() -> list[str]:
    """How to run a program that root is to run like anybody else: files say who may read them."""
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("root may read everything, and there is no setpriv")
    power = "-dac_override,-dac_read_search"
    return ["setpriv", "--bounding-set", power, "--inh-caps", power, "--"] if os.geteuid() == 0 else []


def test_a_memory_that_cannot_be_kept(chain: Chain, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = chain.doctor("--state-dir", tmp_path / "file" / "below")
    assert "The chain breaks at plugin: memory" in done.stdout


def test_a_telegraf_that_is_not_there(chain: Chain, tmp_path: Path) -> None:
    done = chain.doctor(
        "--telegraf",
        tmp_path / "telegraf",
        files=tmp_path / "none",
        env={"INFLUXDB_DATABASE": chain.database(), "GRAFANA_URL": ""},
    )
    breaks_at(done, "Telegraf", "not installed here", "--telegraf FILE")


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('data_format = "influx"', "", ('data_format is not "influx"', "cvmfs.conf")),
        ("${TELEGRAF_CVMFS_TIMEOUT:-60s}", "5s", ("its timeout is 5s", 'write timeout = "60s"')),
        (
            "${TELEGRAF_CVMFS:-telegraf-cvmfs}",
            "/nowhere/telegraf-cvmfs",
            ("there is no /nowhere/telegraf-cvmfs", "sudo -u"),
        ),
        (
            "${TELEGRAF_CVMFS_CONFIG:-/etc/telegraf-cvmfs/fleet.toml}",
            "/nowhere/fleet.toml",
            ("there is no /nowhere/fleet.toml",),
        ),
        ("[[inputs.exec]]", "[[inputs.file]]", ("no [[inputs.exec]]", "telegraf.d/cvmfs.conf")),
        ("log_stderr = true", "no_such_setting = true", ("no_such_setting",)),
        ("tagexclude", "", ("a trial of Telegraf", "fails", "cvmfs.conf")),
    ],
)
def test_a_wrong_setting_of_telegraf(
    chain: Chain, tmp_path: Path, before: str, after: str, words: tuple[str, ...]
) -> None:
    database = chain.database()  # without points, or a Telegraf elsewhere would be taken for ours
    env = {"INFLUXDB_DATABASE": database, "GRAFANA_URL": "", "GRAFANA_TOKEN": ""}
    breaks_at(chain.doctor(files=changed(tmp_path, before, after), env=env), "Telegraf", *words)


def test_files_without_an_output(chain: Chain, tmp_path: Path) -> None:
    files = shipped(tmp_path / "telegraf")
    (files / "influxdb1.conf").write_text("")
    breaks_at(chain.doctor(files=files), "Telegraf", "no output")


def test_a_telegraf_that_does_not_run(chain: Chain, tmp_path: Path) -> None:
    done = chain.doctor(files=shipped(tmp_path / "telegraf"))
    breaks_at(done, "Telegraf", "no Telegraf runs with these files; one runs with others", "restart it")
    assert "a trial of Telegraf, as user" in done.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_a_program_that_telegrafs_user_may_not_run(chain: Chain, program: Path) -> None:
    with everybodys_folder() as room:
        copy = shutil.copy(chain.telegraf, room / "telegraf")
        Path(copy).chmod(0o755)
        (room / "private").mkdir(mode=0o700)
        (room / "private" / "telegraf-cvmfs").symlink_to(program)
        files = shipped(room / "files")
        variables = chain.variables | as_user(WRITER) | {"TELEGRAF_CVMFS": str(room / "private" / "telegraf-cvmfs")}
        os.chown(files, NOBODY, NOBODY)
        with telegraf_runs(Path(copy), files, variables, user=NOBODY):
            done = chain.doctor("--telegraf", copy, files=files, env=variables)
    breaks_at(done, "Telegraf", f"user nobody may not enter the folder {room}/private", "sudo -u nobody")
    assert "Telegraf  wrong:      a trial of Telegraf, as user nobody, fails:" in done.stdout
    assert "permission denied" in done.stdout


@contextmanager
def everybodys_folder() -> Iterator[Path]:
    """Where also others may look, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_a_database_that_is_down(chain: Chain) -> None:
    with hostile.refuses() as url:
        breaks_at(
            chain.doctor(env={"INFLUXDB_URL": url}), "InfluxDB", "no answer from", "refused", "systemctl start influxdb"
        )
        env = {"INFLUXDB_URL": url, "TELEGRAF_CVMFS_START": "./stack native up"}
        assert chain.doctor(env=env).stdout.splitlines()[1] == "Next: start it: ./stack native up"


def test_a_wrong_password(chain: Chain) -> None:
    done = chain.doctor(env={"INFLUXDB_PASSWORD": "not-the-password"})
    breaks_at(done, "InfluxDB", "the login is wrong", "user 'grafana'", "INFLUXDB_PASSWORD")


def test_no_login_for_a_database_that_wants_one_is_not_asked(chain: Chain) -> None:
    done = chain.doctor(env={"INFLUXDB_USERNAME": "", "INFLUXDB_PASSWORD": ""})
    assert done.returncode == 0
    assert "InfluxDB  not asked:  it wants a login, and none is given" in done.stdout


def test_a_user_without_rights(chain: Chain) -> None:
    chain.query("CREATE USER stranger WITH PASSWORD 'strangerpw-4'")
    done = chain.doctor(env=as_user(("stranger", "strangerpw-4")))
    breaks_at(done, "InfluxDB", "may neither read nor write", "GRANT")


def test_a_database_that_nobody_made(chain: Chain) -> None:
    for login in (READER, WRITER):
        done = chain.doctor(env=as_user(login) | {"INFLUXDB_DATABASE": "nowhere"})
        breaks_at(done, "InfluxDB", "there is no database 'nowhere'", 'CREATE DATABASE "nowhere"')


def test_a_database_without_points(chain: Chain) -> None:
    done = chain.doctor(env={"INFLUXDB_DATABASE": chain.database()})
    breaks_at(done, "InfluxDB", "no points of cvmfs_scrape", "Telegraf runs here", "log")


def test_points_that_are_old(chain: Chain) -> None:
    database = chain.database(run_at(datetime.now(UTC) - timedelta(hours=3)))
    done = chain.doctor(env={"INFLUXDB_DATABASE": database})
    breaks_at(done, "InfluxDB", "3h old", "should write every 5s", "does not write", "Telegraf runs here")


def test_old_points_of_a_telegraf_that_does_not_run_are_that_telegrafs_fault(chain: Chain, tmp_path: Path) -> None:
    database = chain.database(run_at(datetime.now(UTC) - timedelta(hours=3)))
    done = chain.doctor(files=shipped(tmp_path / "telegraf"), env={"INFLUXDB_DATABASE": database})
    breaks_at(done, "Telegraf", "runs with")
    assert "next:       start Telegraf" in done.stdout


def test_points_from_the_future(chain: Chain) -> None:
    database = chain.database(run_at(datetime.now(UTC) + timedelta(hours=2)))
    breaks_at(chain.doctor(env={"INFLUXDB_DATABASE": database}), "InfluxDB", "in the future", "clock", "date -u")


def test_points_of_another_fleet(chain: Chain) -> None:
    database = chain.database(run_at(datetime.now(UTC)).replace("fleet=demo", "fleet=other"))
    breaks_at(chain.doctor(env={"INFLUXDB_DATABASE": database}), "InfluxDB", "'other'", "none of 'demo'")


def test_something_else_at_the_port_of_the_database(chain: Chain) -> None:
    done = chain.doctor(env={"INFLUXDB_URL": chain.grafana.url})
    breaks_at(done, "InfluxDB", "it is no InfluxDB", "another program has that port")


def test_what_is_no_address(chain: Chain) -> None:
    breaks_at(chain.doctor(env={"INFLUXDB_URL": "localhost"}), "InfluxDB", "not the address", "http://host:port")
    breaks_at(chain.doctor("--grafana-url", "ftp://x"), "Grafana", "not the address", "GRAFANA_URL")


def test_a_login_in_an_address_is_used_and_hidden(chain: Chain) -> None:
    url = chain.influxdb.replace("://", "://grafana:not-the-password@")
    done = chain.doctor(env={"INFLUXDB_URL": url, "INFLUXDB_USERNAME": "", "INFLUXDB_PASSWORD": ""})
    breaks_at(done, "InfluxDB", "the login is wrong", "user 'grafana'")
    assert "not-the-password" not in done.stdout


def test_a_grafana_that_is_down(chain: Chain) -> None:
    with hostile.refuses() as url:
        breaks_at(chain.doctor(env={"GRAFANA_URL": url}), "Grafana", "no answer from", "refused", "grafana-server")


def test_something_else_at_the_port_of_grafana(chain: Chain) -> None:
    breaks_at(chain.doctor(env={"GRAFANA_URL": chain.influxdb}), "Grafana", "it is no Grafana", "another program")


def test_a_wrong_token(chain: Chain) -> None:
    done = chain.doctor(env={"GRAFANA_TOKEN": "glsa_not_the_token"})
    breaks_at(done, "Grafana", "the login is wrong", "create-token")


@pytest.mark.usefixtures("shown")
def test_a_missing_data_source(chain: Chain) -> None:
    chain.grafana.datasources = {}
    breaks_at(chain.doctor(), "Grafana", "no data source with the uid 'influxdb'", "provisioning")


@pytest.mark.usefixtures("shown")
def test_an_unhealthy_data_source(chain: Chain) -> None:
    chain.grafana.unhealthy["influxdb"] = f"error performing influxQL query: {READER[1]}: 401 authorization failed"
    breaks_at(
        chain.doctor(), "Grafana", "does not reach its database", "401 authorization failed", "***", "INFLUXDB_URL"
    )


@pytest.mark.usefixtures("shown")
def test_missing_dashboards(chain: Chain) -> None:
    del chain.grafana.dashboards["cvmfs-trust"], chain.grafana.dashboards["cvmfs-home"]
    breaks_at(chain.doctor(), "Grafana", "2 of 8 dashboards are missing: cvmfs-home, cvmfs-trust", "provisioning")


@pytest.mark.usefixtures("shown")
def test_missing_alert_rules(chain: Chain) -> None:
    chain.grafana.rules[:] = [{"uid": "somebody-elses", "title": "x"}]
    breaks_at(chain.doctor(), "Grafana", "no alert rules of this project", "provisioning")


@pytest.mark.usefixtures("shown")
def test_a_grafana_that_sees_no_points_or_old_ones(chain: Chain) -> None:
    chain.grafana.newest_run = None
    breaks_at(chain.doctor(), "Grafana", "through Grafana, there are no points")
    chain.grafana.newest_run = datetime.now(UTC) - timedelta(hours=5)
    breaks_at(chain.doctor(), "Grafana", "through Grafana, the newest point is 5h old")


@pytest.mark.usefixtures("shown")
def test_when_its_time_is_up_what_is_left_was_not_asked(chain: Chain) -> None:
    chain.grafana.broken[""] = grafana_server.slow(30)
    began = time.monotonic()
    done = chain.doctor("--deadline", "6")
    assert time.monotonic() - began < 9
    assert "Grafana   not asked:  the doctor's time was up (--deadline)" in done.stdout


@pytest.mark.usefixtures("shown")
def test_it_ends_at_once_when_told_to(chain: Chain) -> None:
    chain.grafana.broken[""] = grafana_server.slow(30)
    process = subprocess.Popen(
        command(*chain.line()), env=environment(**chain.variables), stdout=subprocess.PIPE, text=True
    )
    time.sleep(1)
    process.send_signal(signal.SIGTERM)
    stdout, _ = process.communicate(timeout=5)
    assert "(--deadline)" in stdout
