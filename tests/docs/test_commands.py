"""The blocks of the pages that are not about a finding, and the doctor's advice: run as pasted, or a reason why not here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import tests.grafana.server as faults
from telegraf_cvmfs.demo import DemoFleet
from telegraf_cvmfs.demo.server import RefusingPort
from telegraf_cvmfs.doctor import grafana as doctor
from telegraf_cvmfs.doctor.freshness import Expected
from telegraf_cvmfs.doctor.login import Login
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.net.web import Web
from tests import ROOT
from tests.docs.blocks import blocks
from tests.grafana.command import board
from tests.grafana.relay.receivers import HOOK, Fault, chat
from tests.grafana.server import Grafana, grafana
from tests.programs import seaweedfs as weed
from tests.programs.influxdb import InfluxDB

DOCUMENTS = {path.name: path.read_text() for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))}

TOOLS = "grafana-tools.md"
TRIED = {
    (TOOLS, ". .venv/bin/activate"),
    (TOOLS, "python -m grafana.tools create-token --name cvmfs-nagios --output /etc/nagios/grafana-token"),
    (TOOLS, "mkdir -p backup"),
    (TOOLS, "python -m grafana.tools import grafana/dashboards --datasource MY-INFLUXDB-UID --token-file ~/.grafana-editor"),
    ("relay.md", "cp grafana/relay/relay.example.toml relay.toml"),
    ("alerts.md", "cp grafana/examples/contact-point-email.yaml grafana/provisioning/alerting/local-contact-point.yaml"),
    ("fleet-file.md", "telegraf-cvmfs --config fleet.toml --check"),
    ("history.md", "telegraf-cvmfs demo --history 40d --spool try/spool"),
    ("history.md", "telegraf-cvmfs report --spool try/spool --to try/report"),
    ("history.md", "telegraf-cvmfs history rollup --spool try/spool"),
    ("history.md", "export INFLUXDB_URL=http://127.0.0.1:8086 INFLUXDB_DATABASE=cvmfs"),
    ("statuspage.md", "telegraf-cvmfs demo --history 40d --spool try/past"),
    ("history.md", "telegraf-cvmfs history package --spool try/spool --since 2026-11-01 --to try/packages"),
}  # fmt: skip
"""Document and first line of the blocks that the tests below run."""

DOCKER = "needs Docker; tests/deploy runs ./stack with a stand-in for it"
NATIVE = "tests/deploy/test_native runs these commands with real programs"
SERVICE = "needs root and a service of Telegraf; tests/integration runs the shipped files with a real Telegraf"
NOT_HERE = {
    ("README.md", "make demo"): "makes an environment from a package index; tests/command runs what it shows",
    ("README.md", "make test"): "would run this",
    ("README.md", "./stack init"): DOCKER,
    ("README.md", "python3 -m venv /opt/telegraf-cvmfs"): "installs from a package index",
    ("README.md", "cp telegraf/sample.conf /etc/telegraf/telegraf.d/cvmfs.conf"): SERVICE,
    ("clients.md", "CVMFS_TELEMETRY_SEND=ON"): "settings of a client; tests/integration/test_clients sends what it would",
    ("clients.md", "telegraf --config telegraf/telegraf.conf --config-directory telegraf/telegraf.d \\"): SERVICE,
    ("dashboards.md", "export INFLUXDB_USERNAME=grafana"): "asks at a terminal; tests/grafana/queries asks real InfluxDBs",
    ("dashboards.md", "make check"): "opens an editor; tests/grafana/generator runs the generator",
    ("doctor.md", "sudo telegraf-cvmfs doctor"): "needs root; tests/integration/test_doctor walks a real chain",
    ("doctor.md", "sudo install -m 600 /dev/null /root/doctor.env"): "needs root, and opens an editor",
    ("history.md", 'pip install "telegraf-cvmfs[history]"'): "installs from a package index",
    ("statuspage.md", 'pip install "telegraf-cvmfs[history,statuspage]"'): "installs from a package index",
    ("nagios.md", "telegraf-cvmfs --nagios --config /etc/telegraf-cvmfs/fleet.toml"): "tests/command/test_nagios runs these",
    ("native.md", "./stack native"): NATIVE,
    ("native.md", "./stack native status"): NATIVE,
    ("native.md", ".venv/bin/telegraf-cvmfs --config /etc/telegraf-cvmfs/fleet.toml --check"): NATIVE,
    ("native.md", "curl -u admin http://127.0.0.1:8086/query --data-urlencode 'q=ALTER RETENTION POLICY \"autogen\" ON \"cvmfs\" DURATION 104w'"): "asks for a password at a terminal",
    ("native.md", "GRAFANA=$HOME/grafana/bin/grafana ./stack native"): "needs Grafana",
    ("prometheus.md", 'python3 -m venv .venv && .venv/bin/pip install ".[curl,exporter]"'): "tests/integration/test_prometheus follows it with real programs",
    ("stack.md", "./stack init"): DOCKER,
    ("stack.md", "cp telegraf/fleet/fleet.example.toml telegraf/fleet/fleet.toml"): DOCKER,
    ("stack.md", "docker build --file telegraf/Dockerfile --tag telegraf-cvmfs-stack:local ."): DOCKER,
    ("stack.md", "./stack down"): DOCKER,
    ("stack.md", "docker compose up --no-start"): DOCKER,
    ("stack.md", "docker compose up --detach --wait influxdb"): DOCKER,
    ("telegraf.md", "python3.11 -m venv /opt/telegraf-cvmfs"): "installs from a package index",
    ("telegraf.md", "telegraf --config telegraf/telegraf.conf --config-directory telegraf/telegraf.d --test"): SERVICE,
}  # fmt: skip
"""Document and first line of the blocks that are not run, and why."""


def first_line(block: str) -> str:
    return re.sub(r" +#.*", "", block.strip().splitlines()[0])


def block(document: str, line: str) -> str:
    (found,) = [text for text in blocks(DOCUMENTS[document], "sh") if first_line(text) == line]
    return found


def test_every_block_is_tried_or_says_why_not() -> None:
    written = {
        (name, first_line(text))
        for name, page in DOCUMENTS.items()
        for kind in ("sh", "bash")
        for text in blocks(page, kind)
    }
    assert written == TRIED | set(NOT_HERE)


# --- where they are pasted --------------------------------------------------------------------------


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What of a clone the blocks name, with an environment in which Python is."""
    ignored = shutil.ignore_patterns("__pycache__", "generator", "preview", "queries")
    shutil.copytree(ROOT / "grafana", tmp_path / "grafana", ignore=ignored)
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name, module in (("python", ""), ("telegraf-cvmfs", "-m telegraf_cvmfs")):
        (programs / name).write_text(f'#!/bin/sh\nexec {sys.executable} {module} "$@"\n')
        (programs / name).chmod(0o755)
    (programs / "activate").write_text(f"PATH={programs}:$PATH\n")
    return tmp_path


def paste(text: str, folder: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Each line runs, whatever became of those before; the exit code says whether one of them failed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GRAFANA", "CVMFS", "SLACK"))}
    path = f"{folder / '.venv' / 'bin'}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", f"failed=0; trap failed=1 ERR\n{text}\nexit $failed"],
        cwd=folder,
        env={**kept, "HOME": str(folder), "PATH": path, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )


def pasted_for(server: Grafana, url: str, folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    (folder / ".grafana-editor").write_text(server.tokens["Editor"])
    (folder / ".grafana-editor").chmod(0o600)
    text = block(TOOLS, line).replace("/etc/nagios/", "").replace("MY-INFLUXDB-UID", "influxdb")
    login = {"GRAFANA_USER": server.user, "GRAFANA_PASSWORD": server.password, "GRAFANA_TOKEN": server.token}
    return paste(text.replace("http://127.0.0.1:3000", url), folder, {**login, "GRAFANA_URL": url})


# --- the tools --------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("line", sorted(line for document, line in TRIED if document == TOOLS))
def test_a_block_for_a_grafana_works_and_says_it_when_grafana_is_ill_or_away(line: str, clone: Path) -> None:
    with grafana() as server, ExitStack() as stack:
        for uid, folder in (("cvmfs-home", "CVMFS"), ("abc123", "Mine")):
            server.add_dashboard(board(uid), folder)
        if "import" in line:
            server.dashboards.clear()
        done = pasted_for(server, server.url, clone, line)
        assert (done.returncode, "E! " in done.stdout) == (0, False), done.stdout
        server.broken[""] = faults.status(500, "database is locked")
        done = pasted_for(server, server.url, clone, line)
        assert (done.returncode, "Grafana failed with HTTP status 500" in done.stdout) == (1, True), done.stdout
        nobody = RefusingPort()
        stack.callback(nobody.close)
        done = pasted_for(server, nobody.url, clone, line)
        assert (done.returncode, "nobody listens there" in done.stdout) == (1, True), done.stdout


# --- the relay, the alerts, the fleet file ----------------------------------------------------------


@pytest.mark.slow
def test_the_relay_is_set_up_as_its_page_says(clone: Path) -> None:
    *lines, last = block("relay.md", "cp grafana/relay/relay.example.toml relay.toml").strip().splitlines()
    assert last == lines[-1].removesuffix(" --check"), "without --check it runs until it is told to stop"
    with chat() as taken:
        text = re.sub(r"https://hooks\S+", taken.url + HOOK, "\n".join(lines))
        plain = "sed -i 's/^url_env.*/&\\nplain_http = true/' relay.toml"  # the stand-in has no certificate
        well = paste(text.replace("export SLACK", f"{plain}\nexport SLACK"), clone, {})
        assert (well.returncode, well.stdout) == (0, "I! slack: took a test message\n")
        taken.faults = [Fault(503)]
        ill = paste(text.replace("export SLACK", f"{plain}\nexport SLACK"), clone, {})
        assert (ill.returncode, "E! slack: did not take a test message: it answered 503" in ill.stdout) == (1, True)


def test_what_the_alerts_page_copies_is_there(clone: Path) -> None:
    line = "cp grafana/examples/contact-point-email.yaml grafana/provisioning/alerting/local-contact-point.yaml"
    done = paste(block("alerts.md", line), clone, {})
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.slow
def test_the_fleet_file_is_checked_as_its_page_says(clone: Path) -> None:
    line = "telegraf-cvmfs --config fleet.toml --check"
    with DemoFleet(datetime.now(UTC)) as demo:
        demo.write(clone)
        there = paste(block("fleet-file.md", line), clone, {})
    away = paste(block("fleet-file.md", line), clone, {})
    assert "software.demo.example" in there.stdout
    assert "Traceback" not in there.stdout + away.stdout
    assert away.stdout.count("refused") > there.stdout.count("refused")


# --- what the doctor advises ------------------------------------------------------------------------


@pytest.mark.slow
def test_the_token_that_the_doctor_advises_is_one_that_the_doctor_can_use(clone: Path) -> None:
    with grafana() as server:
        asked = Web(Deadline(20)).ask
        advice = {
            step.advice
            for login in (Login(server.url, given=True), Login(server.url, token="glsa_gone", given=True))  # noqa: S106
            for step in doctor.examine(login, asked, lambda: datetime.now(UTC), Expected("")).steps
        }
        (commands,) = [re.findall(r"`([^`]+)`", text) for text in advice if "create-token" in text]
        login_of_admin = {"GRAFANA_USER": server.user, "GRAFANA_PASSWORD": server.password, "GRAFANA_URL": server.url}
        done = paste(f'{commands[0]}\necho "$GRAFANA_TOKEN"', clone, login_of_admin)
        token = done.stdout.splitlines()[-1]
        told = doctor.examine(
            Login(server.url, token=token, given=True), asked, lambda: datetime.now(UTC), Expected("")
        )
        assert (done.returncode, server.issued[0]["key"]) == (0, token)
        assert "the login is right (GRAFANA_TOKEN)" in [step.what for step in told.steps]


# --- the history ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_page_about_history_goes_from_a_past_to_a_workbook_packages_rollups_and_influxdb(
    clone: Path, seaweedfs: Path, influxdb: InfluxDB, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """In fewer steps than an hour or two: forty days of those take a minute, and more to roll up."""
    page = DOCUMENTS["history.md"]
    past, report, rollup, influx, package = (text for text in blocks(page, "sh") if "pip" not in text)
    done = paste(past.replace("--history 40d", "--history 40d --step 12h") + report, clone, {})
    assert done.returncode == 0, done.stdout
    (book,) = (clone / "try" / "report").glob("demo-availability-*.xlsx")
    assert book.name in done.stdout
    since = (datetime.now(UTC) - timedelta(days=20)).strftime("%Y-%m-%d")
    done = paste(package.replace("2026-11-01", since), clone, {})
    assert done.returncode == 0, done.stdout
    assert ": whole: " in done.stdout
    tables, code = blocks(page, "python")
    code = code.replace("datetime(2026, 11, 1, tzinfo=UTC)", f'datetime.fromisoformat("{since}T00:00:00+00:00")')
    with weed.running(seaweedfs, tmp_path_factory.mktemp("seaweedfs")) as there:
        (clone / "store.py").write_text(code.replace("http://s3.example.org:8333", there.endpoint))
        done = paste("python store.py", clone, {})
    assert done.returncode == 0, done.stdout
    assert re.search(r"^packages/cvmfs-\S+\.tar\.gz \d+ of \d+ times up$", done.stdout, re.MULTILINE), done.stdout
    for day in sorted((clone / "try" / "spool" / "demo").iterdir())[:-3]:
        shutil.rmtree(day)
    (clone / "tables.py").write_text(tables)
    influx = influx.replace("http://127.0.0.1:8086", influxdb.url).replace("=cvmfs", f"={influxdb.create_database()}")
    done = paste(rollup + "python tables.py\n" + influx.replace("2026-11-01", since), clone, {})
    assert done.returncode == 0, done.stdout
    assert re.search(r"^demo: \d\d hours rolled up, 0 runs thinned; 6 runs in ", done.stdout, re.MULTILINE), done.stdout
    assert re.search(r"^\d runs replayed, \d+ points$", done.stdout, re.MULTILINE), done.stdout
    assert "interval_le_3600" in done.stdout
    assert len((clone / "replicas.csv").read_text().splitlines()) > 10  # the demo's replicas


@pytest.mark.slow
def test_the_public_page_of_the_demo_is_built_and_tells_nothing_else(clone: Path) -> None:
    """In fewer steps than an hour or two."""
    (text,) = (one for one in blocks(DOCUMENTS["statuspage.md"], "sh") if "pip" not in one)
    done = paste(text.replace("--history 40d", "--history 40d --step 12h"), clone, {})
    assert done.returncode == 0, done.stdout
    assert re.search(r"^try/page: \d+ texts looked for, 0 found$", done.stdout, re.MULTILINE), done.stdout
    page = (clone / "try" / "page" / "index.html").read_text()
    assert "Asia" in page
    assert "stratum1-down" not in page
