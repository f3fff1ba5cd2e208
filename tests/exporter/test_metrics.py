"""What the exporter answers, without a process: rendered once a run, told until it is old."""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from http.client import HTTPException
from pathlib import Path
from socket import AF_INET, create_connection
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from telegraf_cvmfs.emit import prometheus
from telegraf_cvmfs.exporter import server as http
from telegraf_cvmfs.exporter.metrics import ENCODERS, Metrics, content_type
from telegraf_cvmfs.model import Run
from tests.builders import runs
from tests.builders.exposition import everything, samples
from tests.programs.prometheus import comes

PLAIN, OPEN = ENCODERS
OWN = ("cvmfs_exporter_", "process_", "python_")
INTERVAL = timedelta(minutes=5)


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def text(metrics: Metrics, kind: str = PLAIN) -> str:
    long, end = metrics.text(kind)
    return b"".join(long.unpacked(end)).decode()


def telling(run: Run, clock: Clock | None = None) -> Metrics:
    metrics = Metrics(INTERVAL, clock or Clock())
    metrics.publish(run)
    return metrics


def read(text: str, kind: str = PLAIN) -> list[Sample]:
    parse: Any = openmetrics_families if kind == OPEN else text_string_to_metric_families
    families = parse(text)
    return [sample for family in families for sample in family.samples]


@pytest.mark.parametrize("kind", ENCODERS)
def test_what_is_served_says_the_same_as_what_is_printed(kind: str) -> None:
    served = read(text(telling(runs.example()), kind), kind)
    of_the_run = {
        (one.name, frozenset(one.labels.items())): one.value for one in served if not one.name.startswith(OWN)
    }
    printed = samples(prometheus.render(runs.example()))
    assert of_the_run == {(name, frozenset(labels.items())): value for name, labels, value in printed}
    assert {one.name for one in served} >= {"process_resident_memory_bytes", "cvmfs_exporter_config_ok", "python_info"}


def test_promtool_finds_nothing_to_say_about_what_is_served(promtool: Path) -> None:
    served = text(telling(runs.example()))
    done = subprocess.run(
        [promtool, "check", "metrics"], input=served, capture_output=True, encoding="utf-8", check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_format_is_the_one_that_is_asked_for() -> None:
    asked_by_prometheus = "application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
    assert content_type(asked_by_prometheus).startswith("application/openmetrics-text; version=1.0.0")
    assert content_type("text/plain").startswith("text/plain; version=0.0.4")
    assert content_type("") == content_type("text/html,*/*") == PLAIN


def test_before_the_first_run_it_tells_of_itself_alone() -> None:
    metrics = Metrics(INTERVAL, Clock())
    assert metrics.waits_for() == "no run has finished yet"
    assert all(sample.name.startswith(OWN) for sample in read(text(metrics)))
    assert text(metrics, OPEN).endswith("# EOF\n")


def test_after_three_missed_intervals_only_the_run_itself_is_told_until_the_next() -> None:
    clock = Clock()
    metrics = telling(runs.example(), clock)
    clock.now += 3 * INTERVAL.total_seconds()
    assert metrics.waits_for() == ""
    assert "cvmfs_replica_up{" in text(metrics)
    clock.now += 1
    assert metrics.waits_for() == "no run has finished for 901 s"
    for kind in ENCODERS:
        names = {sample.name for sample in read(text(metrics, kind), kind) if not sample.name.startswith(OWN)}
        assert "cvmfs_scrape_started_timestamp_seconds" in names
        assert all(name.startswith("cvmfs_scrape_") for name in names)
    metrics.publish(runs.example())
    assert metrics.waits_for() == ""
    assert "cvmfs_replica_up{" in text(metrics)


def test_a_wrong_configuration_is_a_metric() -> None:
    metrics = telling(runs.example())
    assert "cvmfs_exporter_config_ok 1.0\n" in text(metrics)
    metrics.configured(ok=False)
    assert "cvmfs_exporter_config_ok 0.0\n" in text(metrics)


def test_an_answer_about_a_large_fleet_costs_next_to_nothing() -> None:
    metrics = telling(everything())
    for kind in ENCODERS:
        began = time.process_time()
        long, end = metrics.text(kind)
        assert len(long.packed(end)) < 500_000
        assert sum(map(len, long.unpacked(end))) > 4_000_000
        assert time.process_time() - began < 0.3  # both; rendering alone takes as long


# --- over HTTP --------------------------------------------------------------------------------------


@contextmanager
def serving(metrics: Metrics) -> Iterator[str]:
    server = http.Server(AF_INET, ("127.0.0.1", 0), metrics)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def get(url: str, **headers: str) -> bytes:
    request = urllib.request.Request(url, headers={name.replace("_", "-"): value for name, value in headers.items()})  # noqa: S310
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
        body: bytes = answer.read()
        assert int(answer.headers["Content-Length"]) == len(body)
        return body


def test_a_hundred_clients_at_once_get_whole_answers_of_one_run_each_while_runs_go_on() -> None:
    metrics = telling(everything(1, servers=3))
    stopped = threading.Event()

    def publish() -> None:
        for revision in range(2, 1000):
            if stopped.is_set():
                return
            metrics.publish(everything(revision, servers=3))

    with serving(metrics) as url, ThreadPoolExecutor(100) as clients:
        publisher = threading.Thread(target=publish)
        publisher.start()
        bodies = list(clients.map(lambda _: get(f"{url}/metrics", Accept="application/openmetrics-text"), range(100)))
        stopped.set()
        publisher.join()
    for body in bodies:
        lines = body.decode().splitlines()
        revisions = [line.rpartition(" ")[2] for line in lines if line.startswith("cvmfs_replica_revision{")]
        assert len(revisions) == 375
        assert len(set(revisions)) == 1
        assert lines[-1] == "# EOF"


@pytest.mark.parametrize(("path", "status"), [("/-/healthy", 200), ("/-/ready", 503), ("/", 200), ("/other", 404)])
def test_every_path_answers_what_it_should(path: str, status: int) -> None:
    with (
        serving(Metrics(INTERVAL, Clock())) as url,
        create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as peer,
    ):
        peer.sendall(f"HEAD {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        answer = b"".join(iter(lambda: peer.recv(1 << 16), b""))
    assert answer.startswith(b"HTTP/1.0 %d " % status)
    assert answer.endswith(b"\r\n\r\n")


def test_whoever_says_nothing_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "SECONDS", 0.2)
    with (
        serving(Metrics(INTERVAL, Clock())) as url,
        create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as peer,
    ):
        peer.settimeout(5)
        peer.sendall(b"GET /met")
        assert peer.recv(100) == b""


def test_more_than_so_many_connections_are_closed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MOST_CONNECTIONS", 1)
    with serving(Metrics(INTERVAL, Clock())) as url:
        address = ("127.0.0.1", int(url.rpartition(":")[2]))
        with create_connection(address) as first, create_connection(address) as second:
            second.settimeout(5)
            assert second.recv(100) == b""
            first.sendall(b"GET /-/healthy HTTP/1.1\r\n\r\n")
            assert first.recv(100).startswith(b"HTTP/1.0 200")
        assert b"healthy" in comes(lambda: got_at_last(f"{url}/-/healthy"))  # once the first one's end is noticed


def got_at_last(url: str) -> bytes:
    with contextlib.suppress(HTTPException, OSError):
        return get(url)
    return b""
