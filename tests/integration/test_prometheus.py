"""From servers to a chat by way of the real Prometheus and Alertmanager; text files; TLS and a login before the exporter."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from benchmarks.nginx import free_port
from telegraf_cvmfs.demo import DemoFleet
from telegraf_cvmfs.demo.server import DemoServer
from tests import ROOT
from tests.builders.exposition import samples
from tests.exporter.test_exporter import exporter
from tests.grafana.relay.receivers import chat, make_certificate
from tests.grafana.relay.test_service import SECRET, config, running, service
from tests.programs.command import environment, run
from tests.programs.nginx import nginx_running
from tests.programs.prometheus import alertmanager_running, comes, prometheus_running

pytestmark = pytest.mark.slow

SHIPPED = ROOT / "prometheus"
STOPPED = "stratum1-stopped"
EVERY_SECOND = ("--interval", "1s", "--jitter", "1s")


def shipped(folder: Path, ports: dict[int, int]) -> Path:
    """The shipped files with other ports and without what is waited for: a minute is a second, the rule's time is none."""
    for path in SHIPPED.glob("*.yaml"):
        text = path.read_text()
        for usual, port in ports.items():
            text = text.replace(f"127.0.0.1:{usual}", f"127.0.0.1:{port}")
        text = re.sub(r"interval: (1m|5m|1h)\b", "interval: 1s", text).replace(
            "scrape_timeout: 20s", "scrape_timeout: 1s"
        )
        text = re.sub(r"(alert: CVMFS server_down\n.*?\n    for:) 20m", r"\1 0s", text, flags=re.DOTALL)
        text = text.replace("wait: 30s", "wait: 0s")
        (folder / path.name).write_text(text)
    return folder


@contextmanager
def fleet_with_one_to_stop(folder: Path) -> Iterator[tuple[Path, DemoServer]]:
    """A fleet file of the demo's healthy servers, and the last of them."""
    with DemoFleet(datetime.now(UTC)) as demo, closing(DemoServer(demo.documents["stratum1-healthy"])) as last:
        urls = {"stratum0": demo.urls["stratum0"], "stratum1-healthy": demo.urls["stratum1-healthy"], STOPPED: last.url}
        path = demo.write(folder)
        servers = "".join(
            f'[[server]]\nname = "{name}"\nurl = "{url}"\nrole = "{name.partition("-")[0]}"\n'
            for name, url in urls.items()
        )
        path.write_text(path.read_text().partition("[[server]]")[0] + servers)
        yield path, last


def test_a_stratum_that_is_stopped_is_told_in_the_chat(prometheus: Path, alertmanager: Path, tmp_path: Path) -> None:
    with ExitStack() as stack:
        (folder := tmp_path / "fleet").mkdir()
        fleet, stratum = stack.enter_context(fleet_with_one_to_stop(folder))
        told = stack.enter_context(chat())
        relay = stack.enter_context(running(config(tmp_path, service("mattermost", told))))
        source = stack.enter_context(exporter("--config", fleet, *EVERY_SECOND))
        ports = {9877: port_of(source.url), 9093: free_port(), 9099: port_of(relay.url)}
        files = shipped(tmp_path, ports)
        (files / "relay.secret").write_text(SECRET)
        alerts = stack.enter_context(alertmanager_running(alertmanager, files / "alertmanager.yaml", ports[9093]))
        asked = stack.enter_context(prometheus_running(prometheus, files / "prometheus.yaml"))
        comes(lambda: asked.query(f'cvmfs_server_up{{server="{STOPPED}"}} == 1'))
        assert asked.query('ALERTS{alertname="CVMFS server_down"}') == []
        stratum.close()
        comes(lambda: asked.query(f'ALERTS{{alertname="CVMFS server_down",alertstate="firing",server="{STOPPED}"}}'))
        (alert,) = comes(lambda: in_alertmanager(alerts))
        assert alert["labels"] == {
            "alertname": "CVMFS server_down",
            "component": "cvmfs",
            "finding": "server_down",
            "fleet": "demo",
            "role": "stratum1",
            "server": STOPPED,
            "severity": "critical",
        }
        dashboard = f"http://localhost:3000/d/cvmfs-server-prometheus?var-fleet=demo&var-server={STOPPED}"
        assert alert["annotations"]["dashboard_url"] == dashboard
        comes(lambda: relay.relay.health()["alerts"])
        relay.pass_time(400)
        relay.pass_time(20)
        (message,) = told.messages
        assert f"{STOPPED} is down: nothing can be read from it" in message["text"]
        assert dashboard in message["text"]


def in_alertmanager(url: str) -> list[dict[str, dict[str, str]]]:
    found: list[dict[str, dict[str, str]]] = requests.get(f"{url}/api/v2/alerts", timeout=10).json()
    return [alert for alert in found if alert["labels"]["finding"] == "server_down"]


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


def test_the_page_followed_as_written_ends_with_an_alert_in_alertmanager(
    prometheus: Path, alertmanager: Path, tmp_path: Path
) -> None:
    """Only installing is left out, ports are others, and minutes are seconds."""
    (block,) = re.findall(r"```sh\n(python3 -m venv .*?)```", (ROOT / "docs" / "prometheus.md").read_text(), re.DOTALL)
    for program, path in (("prometheus", prometheus), ("prometheus-alertmanager", alertmanager)):
        (tmp_path / program).symlink_to(path)
    for template in (alertmanager.parents[1] / "share" / "prometheus" / "alertmanager").glob("*.tmpl"):
        (tmp_path / template.name).symlink_to(template)
    (tmp_path / "clone").mkdir()
    (tmp_path / "clone" / "prometheus").symlink_to(SHIPPED)
    lines = block.replace(".venv/bin/telegraf-cvmfs", f"{sys.executable} -m telegraf_cvmfs").splitlines()
    changes = (
        "interval: 1m/interval: 1s",
        "timeout: 20s/timeout: 1s",
        "for: 1m/for: 1s",
        ":987[7]/:9877",
        ":909[3]/:9093",
    )
    faster = "sed -i '" + "; ".join(f"s/{change}/" for change in changes) + "' try/*"
    waits = "until curl -s 127.0.0.1:9093/api/v2/alerts | grep -q server_down; do sleep 0.1; done"
    lines = [line.replace("sleep 180", waits) for line in lines[1:]]
    lines.insert(next(number for number, line in enumerate(lines) if line.startswith("sed ")) + 1, faster)
    script = f"ln -s {tmp_path}/*.tmpl .\nexport PATH={tmp_path}:$PATH\n" + "\n".join(lines)
    for port in (9090, 9093, 9877):
        script = re.sub(rf"\b{port}\b", str(free_port()), script)
    done = subprocess.run(
        ["bash", "-eu"], input=script, cwd=tmp_path / "clone", capture_output=True, text=True, timeout=90, check=False,
        env=environment(PYTHONPATH=str(ROOT), no_proxy="127.0.0.1"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert '"server":"stratum1-down"' in done.stdout


def test_a_text_file_that_is_written_whole_is_what_node_exporter_tells(node_exporter: Path, tmp_path: Path) -> None:
    done = run("--demo", "--format", "prometheus", "--output", tmp_path / "cvmfs.prom")
    assert (done.returncode, done.stderr) == (0, "")
    port = free_port()
    options = ["--collector.disable-defaults", "--collector.textfile", f"--collector.textfile.directory={tmp_path}"]
    command: list[str | Path] = [node_exporter, *options, f"--web.listen-address=127.0.0.1:{port}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            text = comes(lambda: told_at(f"http://127.0.0.1:{port}/metrics"))
        finally:
            process.terminate()
    assert "node_textfile_scrape_error 0\n" in text
    of_ours = "\n".join(line for line in text.splitlines() if line.startswith("cvmfs_"))
    assert series(of_ours) == series((tmp_path / "cvmfs.prom").read_text())


def series(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """node_exporter gives each series of a name the labels of all; to Prometheus an empty one is none."""
    found = (
        (name, {label: value for label, value in labels.items() if value}, number)
        for name, labels, number in samples(text)
    )
    return {(name, frozenset(labels.items())): number for name, labels, number in found}


def told_at(url: str) -> str:
    try:
        return requests.get(url, timeout=10).text
    except requests.ConnectionError:
        return ""


def test_nginx_before_the_exporter_has_tls_and_a_login(nginx: Path, promtool: Path, tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    (tmp_path / "exporter.pem").write_bytes(certificate.read_bytes())
    (tmp_path / "exporter.key").write_bytes(key.read_bytes())
    (tmp_path / "exporter.htpasswd").write_text("prometheus:{PLAIN}a-password\n")
    port = free_port()
    with exporter("--demo") as source:
        site = (SHIPPED / "nginx.conf").read_text().replace("9878", f"127.0.0.1:{port}")
        (tmp_path / "site.conf").write_text(site.replace("9877", str(port_of(source.url))))
        with nginx_running(nginx, tmp_path, port):
            url = f"https://127.0.0.1:{port}/metrics"
            assert requests.get(url, verify=str(certificate), timeout=10).status_code == 401
            login = ("prometheus", "a-password")
            assert (
                requests.get(url, verify=str(certificate), auth=("prometheus", "another"), timeout=10).status_code
                == 401
            )
            assert source.reaches("cvmfs_exporter_runs_total", 1)
            answer = requests.get(url, verify=str(certificate), auth=login, timeout=10)
            assert answer.headers["Content-Encoding"] == "gzip"
            assert 'cvmfs_server_up{fleet="demo"' in answer.text
            assert (
                requests.get(f"https://127.0.0.1:{port}/", verify=str(certificate), auth=login, timeout=10).status_code
                == 404
            )
    # the part of the page that tells Prometheus of it
    (job,) = re.findall(r"```yaml\n(scrape_configs:.*?)```", (ROOT / "docs" / "prometheus.md").read_text(), re.DOTALL)
    (tmp_path / "prometheus.yaml").write_text(job)
    (tmp_path / "exporter.password").write_text("a-password")
    checked = subprocess.run(
        [promtool, "check", "config", tmp_path / "prometheus.yaml"], capture_output=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
