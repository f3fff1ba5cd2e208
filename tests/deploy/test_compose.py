"""The stack's compose file, image, settings and provisioning: they fit together, and keep secrets where they belong."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from telegraf_cvmfs.fleet.file import load
from tests import ROOT
from tests.deploy.compose_file import RULES, Stack, is_ignored, shipped
from tests.programs.telegraf import run

STACK = shipped()
PROVISIONING = ROOT / "grafana" / "provisioning"
WRITER = ROOT / "telegraf" / "outputs" / "influxdb-writer.conf"


# --- the rules ---------------------------------------------------------------------------------------


def complaints(stack: Stack) -> list[str]:
    return [complaint for rule in RULES for complaint in rule(stack)]


def test_the_shipped_files_keep_every_rule() -> None:
    assert complaints(STACK) == []


BROKEN = [
    ("compose", "influxdb:2.9.1", "influxdb:latest", "influxdb: influxdb:latest is not one exact version"),
    ("compose", "grafana/grafana:12.4.12", "grafana/grafana:12.4", "grafana/grafana:12.4 is not one exact"),
    ("dockerfile", "telegraf:1.39.3", "telegraf:1.39", "stage base: telegraf:1.39 is not one exact version"),
    ("compose", '"127.0.0.1:${GRAFANA_PORT', '"0.0.0.0:${GRAFANA_PORT', "grafana: port 0.0.0.0"),
    ("compose", '"127.0.0.1:${GRAFANA_PORT', '"${GRAFANA_PORT', "is not on 127.0.0.1"),
    ("compose", "network_mode: service:demo", "network_mode: host", "network host"),
    ("compose", "network_mode: service:demo", "network_mode: service:gone", "there is no service gone"),
    ("compose", "${GRAFANA_PORT:-3000}:3000", "${GRAFANAPORT_PORT:-3000}:3000", "GRAFANAPORT_PORT is used and not"),
    ("example", "GRAFANA_ANONYMOUS=false", "", "GRAFANA_ANONYMOUS is used and not in .env.example"),
    ("example", "GRAFANA_PORT=3000", "GRAFANA_PORT=3000\nLEFT_OVER=1", "LEFT_OVER is in .env.example and not used"),
    ("example", "GRAFANA_ADMIN_PASSWORD=", "GRAFANA_ADMIN_PASSWORD=admin", "GRAFANA_ADMIN_PASSWORD has a value"),
    ("compose", "${GRAFANA_ADMIN_PASSWORD:?", "${GRAFANA_ADMIN_PASSWORD:-", "GRAFANA_ADMIN_PASSWORD is not asked for"),
    ("compose", "${INFLUXDB_RETENTION:-0}", "${INFLUXDB_RETENTION}", "INFLUXDB_RETENTION has no default"),
    (
        "compose",
        "GF_SECURITY_ADMIN_PASSWORD: ${GRAFANA_ADMIN_PASSWORD:?is missing in .env. Run ./stack init once}",
        "GF_SECURITY_ADMIN_PASSWORD: admin",
        "grafana: GF_SECURITY_ADMIN_PASSWORD is written down",
    ),
    ("compose", "    user: influxdb\n", "    user: influxdb\n    env_file: .env\n", "env_file gives it every setting"),
    (
        "compose",
        "      GF_SECURITY_ADMIN_USER: admin\n",
        "      GF_SECURITY_ADMIN_USER: admin\n      LEAK: ${INFLUXDB_ADMIN_PASSWORD:?. Run ./stack init once}\n",
        "grafana: gets GRAFANA_ADMIN_PASSWORD, INFLUXDB_ADMIN_PASSWORD",
    ),
    ("compose", "test: [CMD, test, -s, /var", "tests: [CMD, test, -s, /var", "demo: no health check"),
    ("compose", "/api/health ||", "/api/helth ||", "grafana: its health check asks for something else"),
    ("compose", "influx, ping,", "influx, pong,", "influxdb: its health check asks for something else"),
    ("compose", "127.0.0.1:8080/", "127.0.0.1:8081/", "telegraf-demo: its health check asks for something else"),
    ("compose", "restart: unless-stopped", "restart: 'no'", "influxdb: is not restarted"),
    ("compose", 'max-size: 10m, max-file: "3"', "max-size: 10m", "telegraf: its log has no end"),
    ("compose", "cap_drop: [ALL]", "cap_drop: [NET_RAW]", "grafana: has capabilities"),
    ("compose", "no-new-privileges:true", "seccomp:unconfined", "demo: may gain rights"),
    ("compose", "  read_only: true\n  tmpfs", "  tmpfs", "telegraf: may change its own program"),
    (
        "compose",
        "- memory:/var/lib/telegraf-cvmfs\n",
        "- memory:/var/lib/telegraf-cvmfs\n      - /var/run/docker.sock:/docker.sock\n",
        "telegraf: may speak with Docker",
    ),
    ("compose", "source: ./grafana/dashboards", "source: ./grafana/boards", "there is no ./grafana/boards"),
    ("compose", "create_host_path: false", "create_host_path: true", "is made if missing"),
    ("compose", "  demo-memory:\n", "", "volume demo-memory is not declared"),
    ("compose", "  demo-memory:\n", "  demo-memory:\n  more:\n", "volume more is not used"),
    ("compose", "influxdb: {condition: service_healthy}", "influxdb: {condition: service_started}", "does not wait"),
    ("compose", "    profiles: [demo]\n    network", "    network", "telegraf-demo: demo runs in another profile"),
    ("compose", "target: telegraf\n", "target: telegram\n", "telegraf: there is no stage telegram"),
    ("dockerfile", "COPY setup.cfg ", "COPY setup.py ", "COPY: setup.py is not there"),
    ("dockerfile", "--from=plugin", "--from=builder", "COPY: there is no stage builder"),
    ("dockerfile", "USER telegraf\n", "", "the image runs as root"),
    ("dockerignore", "!telegraf_cvmfs\n", "", "COPY: telegraf_cvmfs is not there or in .dockerignore"),
]


@pytest.mark.parametrize(("text", "old", "new", "complaint"), BROKEN, ids=[case[3] for case in BROKEN])
def test_what_breaks_a_rule_is_found(text: str, old: str, new: str, complaint: str) -> None:
    whole = getattr(STACK, text)
    assert old in whole
    found = complaints(replace(STACK, **{text: whole.replace(old, new)}))
    assert complaint in "\n".join(found)


def test_the_example_of_a_fleet_file_is_one() -> None:
    fleet = load(ROOT / "telegraf" / "fleet" / "fleet.example.toml")
    assert {server.role.value for server in fleet.servers} == {"stratum0", "stratum1"}


def test_nothing_that_is_the_users_own_gets_into_the_image() -> None:
    own = [".env", ".git/config", ".stack/x", "telegraf/fleet/fleet.toml", "telegraf/fleet/keys/a.pub"]
    assert [path for path in own if not is_ignored(STACK, path)] == []


# --- Compose's own rules -----------------------------------------------------------------------------


def schema_check(path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_compose_file_is_one_by_the_compose_specification(tmp_path: Path) -> None:
    done = schema_check(ROOT / "docker-compose.yml")
    assert done.returncode == 0, done.stdout
    wrong = tmp_path / "docker-compose.yml"
    wrong.write_text(STACK.compose.replace("    healthcheck: *telegraf-health", "    healthchecks: *telegraf-health"))
    assert schema_check(wrong).returncode == 1


# --- Telegraf's side ---------------------------------------------------------------------------------


def test_every_file_that_telegraf_is_started_with_is_in_the_image() -> None:
    copied = re.findall(r"^COPY (?!--)\S+ (/etc/telegraf/\S+)$", STACK.dockerfile, re.MULTILINE)
    texts = STACK.dockerfile + (ROOT / "stack").read_text()
    named = set(re.findall(r"/etc/telegraf/[\w./-]+", texts))
    assert {
        name for name in named if not any(name == target or name.startswith(f"{target}/") for target in copied)
    } == set()
    for name in named:
        inside = Path(name).relative_to("/etc/telegraf")
        source = "deploy/native/history.conf" if inside.parts[0] == "demo" else f"telegraf/{inside}"
        assert (ROOT / source).exists(), f"{name} would not be in the image"


Requests = list[tuple[str, str]]
"""What Telegraf asked, and with which authorization, in its order."""


@pytest.fixture
def database() -> Iterator[tuple[str, Requests]]:
    """What an InfluxDB says to a login that may write and nothing else."""
    requests = Requests()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            path = self.path.partition("?")[0]
            while size := int(self.rfile.readline(), 16):  # all of it, or closing would reset the connection
                self.rfile.read(size + 2)
            requests.append((self.path, self.headers.get("Authorization", "")))
            self.send_response(204 if path == "/write" else 403)
            self.send_header("Content-Length", "0")
            self.send_header("Connection", "close")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", requests
        server.shutdown()
        thread.join()


def test_a_login_that_may_only_write_is_asked_for_nothing_else(
    telegraf: Path, tmp_path: Path, database: tuple[str, Requests]
) -> None:
    url, requests = database
    speaker = tmp_path / "speaker"
    speaker.write_text("#!/bin/sh\necho 'cvmfs_scrape,fleet=a repos=1i'\n")
    speaker.chmod(0o755)
    shipped_files: list[str | Path] = ["--config", ROOT / "telegraf" / "telegraf.conf", "--config", WRITER]
    shipped_files += ["--config-directory", ROOT / "telegraf" / "telegraf.d"]
    login = {"INFLUXDB_URL": url, "INFLUXDB_USERNAME": "telegraf", "INFLUXDB_PASSWORD": "it's secret"}
    finished = run(telegraf, [*shipped_files, "--once"], login | {"TELEGRAF_CVMFS": str(speaker)})
    assert (finished.code, finished.trouble) == (0, [])
    basic = base64.b64encode(b"telegraf:it's secret").decode()
    assert [(path.partition("?")[0], login) for path, login in requests] == [("/write", f"Basic {basic}")]
    assert "db=cvmfs" in requests[0][0]


@pytest.mark.parametrize("missing", ["INFLUXDB_USERNAME", "INFLUXDB_PASSWORD"])
def test_telegraf_does_not_start_without_a_login(telegraf: Path, missing: str) -> None:
    login = {"INFLUXDB_USERNAME": "telegraf", "INFLUXDB_PASSWORD": "secret"} | {missing: ""}
    finished = run(telegraf, ["config", "check", "--config", WRITER], login)
    assert finished.code == 1
    assert f"{missing} is missing a value: must" in finished.log


# --- Grafana's side ----------------------------------------------------------------------------------


def provisioned(name: str) -> tuple[str, dict[str, Any]]:
    text = (PROVISIONING / name).read_text()
    loaded: dict[str, Any] = yaml.safe_load(text)
    return text, loaded


def test_the_data_source_is_the_one_that_dashboards_name_and_takes_its_login_from_the_environment() -> None:
    text, document = provisioned("datasources/influxdb.yaml")
    (source,) = document["datasources"]
    assert (source["uid"], source["type"], source["editable"]) == ("influxdb", "influxdb", False)
    assert document.keys() == {"apiVersion", "datasources"}, "neither prune nor deleteDatasources"
    assert "${" not in text, "with braces a $ in a password would be expanded again"
    wanted = set(re.findall(r"\$(\w+)", str(source)))
    assert wanted == {"INFLUXDB_URL", "INFLUXDB_DATABASE", "INFLUXDB_USERNAME", "INFLUXDB_PASSWORD"}
    assert wanted <= STACK.services["grafana"]["environment"].keys()


def test_the_data_source_in_a_comment_is_one_too() -> None:
    text, _ = provisioned("datasources/influxdb.yaml")
    comment = text.partition("# Instead, InfluxDB 2 with a token")[2]
    lines = [line.removeprefix("#") for line in comment.splitlines() if line.startswith("#  ")]
    (source,) = yaml.safe_load("datasources:\n" + "\n".join(lines))["datasources"]
    _, document = provisioned("datasources/influxdb.yaml")
    (shipped_source,) = document["datasources"]
    assert {"uid", "type", "url", "editable"} <= source.keys()
    assert {key: source[key] for key in ("uid", "type", "url")} == {
        key: shipped_source[key] for key in ("uid", "type", "url")
    }


def test_dashboards_are_read_from_where_they_are_mounted() -> None:
    _, document = provisioned("dashboards/cvmfs.yaml")
    provider, of_prometheus = document["providers"]
    grafana = STACK.services["grafana"]
    folder = grafana["environment"]["CVMFS_DASHBOARDS"]
    mounts = {mount["target"]: mount["source"] for mount in grafana["volumes"] if isinstance(mount, dict)}
    assert provider["options"]["path"] == "$CVMFS_DASHBOARDS"
    assert (provider["folder"], provider["allowUiUpdates"]) == ("CVMFS", False)
    home = Path(grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (ROOT / mounts[folder] / home.relative_to(folder)).is_file()
    assert of_prometheus["options"]["path"] == "$CVMFS_DASHBOARDS_PROMETHEUS"
    source = mounts[grafana["environment"]["CVMFS_DASHBOARDS_PROMETHEUS"]]
    without = re.fullmatch(r"\$\{PROMETHEUS_DASHBOARDS:-(.*)\}", source)
    assert without is not None
    assert not [*(ROOT / without[1]).glob("*.json")]
    assert "export PROMETHEUS_DASHBOARDS=./prometheus/dashboards" in (ROOT / "stack").read_text()


def test_the_data_source_for_prometheus_is_the_one_that_its_dashboards_name() -> None:
    _, document = provisioned("datasources/prometheus.yaml")
    (source,) = document["datasources"]
    assert (source["uid"], source["type"], source["url"]) == ("prometheus", "prometheus", "$PROMETHEUS_URL")
    assert STACK.services["grafana"]["environment"]["PROMETHEUS_URL"] == "http://prometheus:9090"


def test_nobody_gets_into_grafana_without_being_asked() -> None:
    environment = STACK.services["grafana"]["environment"]
    assert environment["GF_AUTH_ANONYMOUS_ENABLED"] == "${GRAFANA_ANONYMOUS:-false}"
    assert environment["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert environment["GF_USERS_ALLOW_SIGN_UP"] == "false"
    assert STACK.settings["GRAFANA_ANONYMOUS"] == "false"


# --- the page ----------------------------------------------------------------------------------------


def test_the_page_names_what_runs_in_its_version_and_what_it_keeps() -> None:
    page = (ROOT / "docs" / "stack.md").read_text()
    images = [service["image"] for service in STACK.services.values() if "build" not in service]
    versions = [image.partition(":")[2] for image in [*images, STACK.stages["base"]]]
    names = [f"`{name}`" for name in (*STACK.services, *STACK.document["volumes"], *STACK.secrets)]
    assert [name for name in (*versions, *names) if name not in page] == []


def test_every_command_on_the_page_is_one() -> None:
    pages = [ROOT / "docs" / "stack.md", ROOT / "telegraf" / "fleet" / "README.md"]
    told = {word for page in pages for word in re.findall(r"\./stack (\w+)", page.read_text())}
    known = set(re.findall(r"^  (\w+)", (ROOT / "stack").read_text().partition("END")[2], re.MULTILINE))
    assert told <= known
    assert {"up", "init", "reset"} <= told


def test_what_the_page_starts_by_docker_is_waited_for() -> None:
    page = (ROOT / "docs" / "stack.md").read_text()
    started = re.findall(r"docker compose up (.*)", page)
    assert started
    assert [words for words in started if "--wait" not in words and "--no-start" not in words] == []


# --- git ---------------------------------------------------------------------------------------------


def git(*arguments: str) -> subprocess.CompletedProcess[str]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a clone")
    return subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True, check=False)


OWN = [
    ".env",
    ".env.x1",
    ".stack/notes",
    "docker-compose.override.yml",
    "grafana/provisioning/alerting/local-policy.yaml",
    "telegraf/fleet/fleet.toml",
    "telegraf/fleet/keys/example.org.pub",
]
OURS = [
    ".env.example",
    "stack",
    "telegraf/fleet/fleet.example.toml",
    "telegraf/fleet/README.md",
    "deploy/influxdb/logins.sh",
]


def test_git_takes_no_notice_of_what_is_the_users_own() -> None:
    assert git("check-ignore", "--no-index", *OWN).stdout.split() == OWN
    assert git("check-ignore", "--no-index", *OURS).stdout.split() == []
    assert git("ls-files", "--", *OWN).stdout.split() == []
