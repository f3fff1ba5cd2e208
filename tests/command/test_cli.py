"""The command: options, exit codes, signals, and what goes to which stream."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from line_protocol_parser import parse_line  # type: ignore[import-untyped]

from telegraf_cvmfs import __version__
from telegraf_cvmfs.command.options import parse
from telegraf_cvmfs.demo import DemoFleet
from telegraf_cvmfs.model import ConfigError, TransportName
from telegraf_cvmfs.net.deadline import ending_signals
from tests import ROOT
from tests.builders.asking import BOTH
from tests.programs.command import command, environment, run


@contextmanager
def silent_server() -> Iterator[str]:
    """A server that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


# --- what it prints ---------------------------------------------------------------------------------


def test_it_prints_line_protocol_and_says_nothing_else(fleet_file: Path) -> None:
    done = run("--config", fleet_file)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("\n")
    points = [parse_line(line) for line in done.stdout.splitlines()]
    counts = {
        name: sum(point["measurement"] == name for point in points) for name in {p["measurement"] for p in points}
    }
    assert counts["cvmfs_server"] == 4
    assert counts["cvmfs_repo"] == 20
    assert counts["cvmfs_scrape"] == 1
    assert counts["cvmfs_publish"] == 4


def test_the_demo_needs_no_file_and_nothing_but_loopback() -> None:
    done = run("--demo")
    assert (done.returncode, done.stderr) == (0, "")
    assert "server_down" in done.stdout


def test_the_demo_can_show_every_fault() -> None:
    done = run("--demo-faults")
    assert (done.returncode, done.stderr) == (0, "")
    fields = {
        point["tags"]["repo"].partition(".")[0]: point["fields"]
        for line in done.stdout.splitlines()
        if line.startswith("cvmfs_repo,") and (point := parse_line(line))["tags"]["server"] == "stratum1-faulty"
    }
    assert {repo: (found["finding"], found["health"]) for repo, found in fields.items()} == {
        "nightlies": ("whitelist", 2),
        "conditions": ("signature", 2),
        "containers": ("root_catalog", 2),
        "config": ("root_catalog", 2),
        "data": ("root_catalog", 2),
        "software": ("diverged", 2),
    }
    assert fields["data"]["root_catalog"] == "corrupt"
    assert fields["nightlies"]["signature"] == "whitelist_expired"


def test_each_format_is_printed_whole(fleet_file: Path) -> None:
    texts = {
        name: run("--config", fleet_file, "--format", name).stdout for name in ("human", "json", "galaxy", "prometheus")
    }
    assert all(text.endswith("\n") for text in texts.values())
    assert json.loads(texts["json"])["schema"] == 1
    assert texts["galaxy"].startswith("cvmfs.status,")
    assert "cvmfs_replica_lag_seconds{" in texts["prometheus"]
    assert texts["human"].split()[0] == "critical"


def test_print_for_human_is_the_human_format_and_plain_in_a_pipe(fleet_file: Path) -> None:
    done = run("--config", fleet_file, "--print-for-human")
    assert "\x1b" not in done.stdout
    assert done.stderr == ""
    assert "software.demo.example" in done.stdout


def test_servers_can_be_given_without_a_file(demo: DemoFleet) -> None:
    zero, one = demo.urls["stratum0"], demo.urls["stratum1-healthy"].removeprefix("http://")
    done = run("--stratum0", zero, "--stratum1", one, "--only", "soft*", "--ignore-repo", "data.demo.example")
    assert (done.returncode, done.stderr) == (0, "")
    repos = [parse_line(line) for line in done.stdout.splitlines() if line.startswith("cvmfs_repo,")]
    assert {point["tags"]["repo"] for point in repos} == {"software.demo.example"}
    assert {point["tags"]["server"] for point in repos} == {zero.removeprefix("http://"), one}
    assert {point["tags"]["fleet"] for point in repos} == {"cvmfs"}


def test_a_named_repository_is_scraped_even_if_not_listed(demo: DemoFleet) -> None:
    done = run("--stratum1", demo.urls["stratum1-healthy"], "--repo", "gone.demo.example", "--only", "none")
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("cvmfs_repo,")]
    fields = parse_line(line)["fields"]
    assert (fields["up"], fields["result"], fields["health"]) == (0, "unlisted", 1)


def test_the_environment_may_name_the_fleet_file(fleet_file: Path) -> None:
    done = run(env={"TELEGRAF_CVMFS_CONFIG": str(fleet_file)})
    assert (done.returncode, done.stderr) == (0, "")
    assert "fleet=demo" in done.stdout


def test_verbose_says_how_each_server_did(fleet_file: Path) -> None:
    lines = run("--config", fleet_file, "--verbose").stderr.splitlines()
    assert [line[:2] for line in lines] == ["I!"] * 4
    assert "I! stratum0: 6 of 6 repositories up: ok" in lines


def test_all_servers_down_is_a_run_too() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        done = run("--stratum1", f"127.0.0.1:{bound.getsockname()[1]}")
    assert (done.returncode, done.stderr) == (0, "")
    assert 'finding="server_down"' in done.stdout


# --- wrong use --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--format", "xml"], "argument --format: invalid choice: 'xml'"),
        (["--deadline", "soon"], "argument --deadline: 'soon' is not a number of seconds greater than 0"),
        (["--deadline", "0"], "is not a number of seconds greater than 0"),
        (["--deadline", "nan"], "is not a number of seconds greater than 0"),
        (["--no-such-option"], "there is no option '--no-such-option'"),
        (["--config", "/nowhere/fleet.toml"], "fleet file /nowhere/fleet.toml: No such file or directory"),
        (["--stratum1", "ftp://a.example"], "--stratum1 'ftp://a.example': expected a server such as"),
        (["--stratum1", "a.example", "--stratum0", "a.example"], "two servers are named 'a.example'"),
        (["--stratum1", "a.example", "--repo", "../x"], "--repo: expected names of repositories; '../x' is none"),
        ([], "nothing to scrape: give --config, --stratum0, --stratum1 or --demo"),
    ],
)
def test_wrong_use_is_exit_2_and_the_first_line_says_which(arguments: list[str], said: str) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    first, *rest = done.stderr.splitlines()
    assert first.startswith("E! ")
    assert said in first
    assert rest == []


def test_an_empty_fleet_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text("")
    done = run("--config", tmp_path / "fleet.toml")
    assert done.returncode == 2
    assert "no [[server]] in it" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        *((["http://s1.tld:8000"], "expected --stratum1 http://s1.tld:8000, or --stratum0"),),
        *((["http://me:secret@s1.tld"], "expected --stratum1 http://***@s1.tld, or --stratum0"),),
        *((["s1.tld"], "expected --stratum1 s1.tld, or"), (["s1:8000"], "expected --stratum1 s1:8000, or")),
        *((["/etc/fleet.toml"], "expected --config /etc/fleet.toml"), (["fleet.toml"], "expected --config fleet.toml")),
        *((["eessi"], "expected --fleet eessi"), (["json"], "expected --format json")),
        *((["check"], "expected --check"), (["help"], "expected --help"), (["doctr"], "expected doctor")),
        *((["nonsense"], "expected one of execd, "), (["--strtum1", "s1.tld"], "expected --stratum1 ")),
        *((["doctor", "--check"], "--check and doctor: expected one of them"),),
        *((["--check", "doctor"], "--check and doctor: expected one of them"),),
        *((["execd", "--check"], "--check and execd: expected one of them"),),
        *((["fleets", "--check"], "--check and fleets: expected one of them"),),
        *((["doctor", "--grafana-ulr", "x"], "expected --grafana-url"),),
    ],
)
def test_an_argument_that_there_is_not_is_answered_with_what_was_meant(arguments: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(arguments)
    assert said in str(refused.value)
    assert "secret" not in str(refused.value)


def test_version_and_help_go_to_stdout() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"telegraf-cvmfs {__version__}\n", "")
    done = run("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "--print-for-human" in done.stdout


# --- deadline, signals, streams ---------------------------------------------------------------------


def test_a_silent_server_does_not_keep_it_beyond_its_deadline(fleet_file: Path) -> None:
    with silent_server() as url:
        began = time.monotonic()
        done = run("--config", fleet_file, "--stratum1", url, "--deadline", "2")
        took = time.monotonic() - began
    assert took < 3.0, "half a second is promised; a noisy machine gets another half"
    assert done.returncode == 0
    down = next(line for line in done.stdout.splitlines() if line.startswith("cvmfs_server") and url[7:] in line)
    assert parse_line(down)["fields"]["result"] == "timeout"
    assert done.stdout.count("health=0i") >= 13


IN_THE_MIDST_OF_IMPORTS = """
import os, runpy, signal, sys
class Finder:
    def find_spec(name, path=None, target=None):
        if name == sys.argv[1]:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder)
runpy.run_module(sys.argv[2], run_name="__main__")
"""


@pytest.mark.parametrize(
    ("imported", "program"),
    [
        ("telegraf_cvmfs.net.deadline", "telegraf_cvmfs"),
        ("telegraf_cvmfs.command.cli", "telegraf_cvmfs"),
        ("grafana.tools.cli", "grafana.tools"),
        ("grafana.queries.dashboard", "grafana.queries"),
        ("grafana.generator.dashboards", "grafana.generator"),
        ("grafana.preview.browser", "grafana.preview"),
        ("deploy.native.executables", "deploy.native"),
    ],
)
def test_ctrl_c_while_a_program_is_still_imported_ends_it_without_a_traceback(imported: str, program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IN_THE_MIDST_OF_IMPORTS, imported, program],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment(),
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    if imported == "telegraf_cvmfs.command.cli":
        assert done.returncode in (0, 2), "it is listened to by then, and there is something to say"
    else:
        assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


def test_a_hang_up_ends_a_program_but_not_under_nohup() -> None:
    assert signal.SIGHUP in ending_signals()
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert set(ending_signals()) == {signal.SIGTERM, signal.SIGINT}
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.slow
def test_a_signal_ends_it_with_all_that_is_known(fleet_file: Path, number: signal.Signals) -> None:
    with silent_server() as url:
        process = subprocess.Popen(
            command("--config", fleet_file, "--stratum1", url),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        time.sleep(1.5)
        began = time.monotonic()
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert time.monotonic() - began < 1.5
    assert process.returncode == 0
    points = [parse_line(line) for line in out.splitlines()]
    assert out.endswith("\n")
    assert sum(point["measurement"] == "cvmfs_repo" and point["fields"]["up"] == 1 for point in points) == 18
    assert (points[-1]["fields"]["deadline_hit"], points[-1]["fields"]["interrupted"]) == (0, 1)
    assert err.startswith(f"W! {number.name} ended the run after ")
    assert "time was up" not in out + err
    assert "Traceback" not in err


def test_a_reader_that_leaves_is_no_error(fleet_file: Path) -> None:
    process = subprocess.Popen(
        command("--config", fleet_file), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(timeout=20) == 0


def test_a_full_disk_is_said_in_one_line(fleet_file: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command("--config", fleet_file),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, "E! stdout: No space left on device\n")


def test_output_goes_into_a_file_that_others_may_read_whole_or_not_at_all(fleet_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "textfiles" / "cvmfs.prom"
    path.parent.mkdir()
    path.write_text("before\n")
    options = ("--config", fleet_file, "--format", "prometheus", "--output")
    done = run(*options, path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert path.read_text().count("\ncvmfs_server_up{") == 4
    assert path.stat().st_mode & 0o444 == 0o444
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("output", "code", "said"),
    [
        ("nowhere/cvmfs.prom", 1, "E! nowhere/cvmfs.prom: No such file or directory\n"),
        ("/", 2, "E! argument --output: '/' is not the name of a file (see telegraf-cvmfs --help)\n"),
    ],
)
def test_an_output_that_cannot_be_written_is_said_with_its_name(
    fleet_file: Path, output: str, code: int, said: str
) -> None:
    done = run("--config", fleet_file, "--output", output)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", said)


def test_closed_streams_are_survived(fleet_file: Path) -> None:
    line = " ".join(command("--config", fleet_file))
    closed = subprocess.run(
        ["sh", "-c", f"{line} >&-"], stderr=subprocess.PIPE, text=True, env=environment(), timeout=60, check=False
    )
    assert (closed.returncode, closed.stderr) == (1, "E! stdout: it is closed, nothing can be printed\n")
    deaf = subprocess.run(
        ["sh", "-c", f"{line} <&- 2>&-"], stdout=subprocess.PIPE, text=True, env=environment(), timeout=60, check=False
    )
    assert deaf.returncode == 0
    assert deaf.stdout.count("\ncvmfs_repo,") == 20


def test_the_demo_command_serves_until_it_is_told_to_stop() -> None:
    process = subprocess.Popen(command("demo"), stdout=subprocess.PIPE, text=True, env=environment())
    assert process.stdout is not None
    lines = [process.stdout.readline().split() for _ in range(5)]
    assert [line[0] for line in lines] == ["stratum0", "stratum1", "stratum1", "stratum1", "fleet"]
    path = Path(lines[-1][-1])
    done = run("--config", path)
    assert (done.returncode, done.stderr) == (0, "")
    process.terminate()
    process.stdout.close()
    assert process.wait(timeout=20) == 0
    assert not path.exists()


# --- start ------------------------------------------------------------------------------------------


OF_REQUESTS = {"requests", "urllib3", "ssl", "http.client", "certifi", "email.parser"}


def test_nothing_heavy_is_imported_on_the_way_of_exec(fleet_file_of_each_transport: Path) -> None:
    fleet_file = fleet_file_of_each_transport
    others = OF_REQUESTS if '"curl"' in fleet_file.read_text() else {"pycurl"}
    heavy = {"rich", "influxdb_client", "asyncio", "logging.config", "telegraf_cvmfs.demo", "telegraf_cvmfs.library"}
    heavy |= {"telegraf_cvmfs.emit.human", "concurrent.futures.thread"} | others
    assert not heavy & imported_by("--config", fleet_file)


@pytest.mark.parametrize("keys", ["", 'keys = ["demo.pub"]'])
@pytest.mark.parametrize("transport", BOTH)
def test_what_was_verified_once_needs_no_cryptography_again(
    demo: DemoFleet, tmp_path: Path, transport: TransportName, keys: str
) -> None:
    (tmp_path / "demo.pub").write_bytes(demo.public_key)
    url, fleet_file = demo.urls["stratum1-healthy"], tmp_path / "fleet.toml"
    fleet_file.write_text(
        f'[fleet]\n{keys}\n[scrape]\ntransport = "{transport}"\n[[server]]\nurl = "{url}"\nrole = "stratum1"\n'
    )
    first, second = (imported_by("--config", fleet_file, "--state-dir", tmp_path / "state") for _ in "12")
    assert "cryptography" in first
    assert "cryptography" not in second


def imported_by(*arguments: str | Path) -> set[str]:
    """The modules that a run has imported."""
    code = (
        "import sys, telegraf_cvmfs.command.cli as cli\n"
        f"cli.main({[str(argument) for argument in arguments]!r})\n"
        "print(*sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [command()[0], "-c", code], capture_output=True, text=True, env=environment(), timeout=60, check=False
    )
    assert len(done.stderr.splitlines()) == 1
    return set(done.stderr.split())
