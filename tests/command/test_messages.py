from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from telegraf_cvmfs.command.cli import main
from telegraf_cvmfs.command.terminal import tell
from telegraf_cvmfs.demo import DemoFleet
from telegraf_cvmfs.fleet.file import SECTIONS, parse
from telegraf_cvmfs.model import ConfigError, FetchError
from telegraf_cvmfs.net.answer import redirected
from telegraf_cvmfs.net.circumstances import Circumstances
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.whole_file import write_whole
from telegraf_cvmfs.words.log import SaidOnce
from telegraf_cvmfs.words.secrecy import masked, without_secrets
from tests.programs.command import command, environment, run

PACKETS = 0o40000
"""O_DIRECT: each read of such a pipe gives what one write wrote (pipe(2))."""


# --- whole lines ------------------------------------------------------------------------------------


def test_each_message_is_one_whole_line_in_one_write_from_whatever_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe2(PACKETS)
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 1 << 20)  # a page for each write
    with os.fdopen(write, "w", buffering=1, encoding="utf-8") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        lines = [f"W! {name} says\n{number}" for name in "abcdefgh" for number in range(8)]
        threads = [threading.Thread(target=lambda each=line: tell(each)) for line in lines]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        tell("E! " + "é" * 10_000)
        monkeypatch.undo()
    writes = []
    while piece := os.read(read, 1 << 16):
        writes.append(piece.decode())
    os.close(read)
    assert sorted(writes[:-1]) == sorted(line.replace("\n", " ") + "\n" for line in lines)
    assert (len(writes[-1].encode()) <= 4096, writes[-1][-4:]) == (True, "...\n")


@pytest.mark.parametrize("stderr", ["2>&-", "2>/dev/full"])
def test_a_message_that_nobody_can_be_told_costs_nothing(stderr: str, fleet_file: Path) -> None:
    line = f"{shlex.join(command('--config', fleet_file, '--state-dir', fleet_file))} {stderr}"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, env=environment(), check=False)
    assert (done.returncode, done.stdout.count("cvmfs_scrape,")) == (0, 1)


def test_one_cause_is_said_once_a_run() -> None:
    said: list[str] = []
    log = SaidOnce(said.append)
    for _ in range(3):
        log("W! key file x: no key")
        log("W! key file y: no key")
    log.forget()
    log("W! key file x: no key")
    assert said == ["W! key file x: no key", "W! key file y: no key", "W! key file x: no key"]


def test_a_bad_key_file_that_concerns_many_repositories_is_one_line(demo: DemoFleet, tmp_path: Path) -> None:
    path = demo.write(tmp_path)
    text = path.read_text(encoding="utf-8").replace("[fleet]", '[fleet]\nkey_dirs = ["client"]', 1)
    path.write_text(text, encoding="utf-8")
    bad = tmp_path / "client" / "demo.example" / "bad.pub"
    bad.parent.mkdir(parents=True)
    bad.write_text("no key", encoding="utf-8")
    done = run("--config", path, "--state-dir", "none")
    assert done.stdout.count("\ncvmfs_repo,") > 10  # all of them of this domain
    assert [line for line in done.stderr.splitlines() if "bad.pub" in line] == done.stderr.splitlines()
    assert (done.stderr.count("\n"), done.stderr[:3]) == (1, "W! ")


# --- secrets ----------------------------------------------------------------------------------------

SECRETS = {
    "http://user:pass-word@host:3128": "http://***@host:3128",
    "http://user:pa/ss wo@rd@host/cvmfs": "http://***@host/cvmfs",
    "http://pass-word@host": "http://***@host",
    "user:pass-word@host:3128": "***@host:3128",
    "pass-word@host": "***@host",
    "http:/user:pass-word@host": "http:/***@host",
    "/etc/http:/host/#pass-word": "/etc/http:/host/#***",
    "user:pass-word@http://host": "***://host",
    "https://host/base?token=pass-word": "https://host/base?***",
    "https://host/base#pass-word": "https://host/base#***",
    "host/base?token=pass-word&x": "host/base?token=***&x",
    "http://a.tld;http://user:pass-word@b.tld": "http://***@b.tld",
    "http://user:pass-word@host/cvmfs/@fqrn@": "http://***@host/cvmfs/@fqrn@",
    "http://host:80/cvmfs/@org@/": "http://host:80/cvmfs/@org@/",
    "/etc/cvmfs/keys/a@b.pub": "/etc/cvmfs/keys/a@b.pub",
    "*.tld?": "*.tld?",
}


@pytest.mark.parametrize(("value", "shown"), SECRETS.items(), ids=SECRETS.keys())
def test_what_may_be_a_password_in_a_value_is_masked(value: str, shown: str) -> None:
    assert masked(value) == shown


SENTENCES = {
    "fleet file /a/http:/user:pass@host/x: http://u:p@s@h, 12:30 to ops@example.org":
        "fleet file /a/http:/***@host/x: http://***@h, 12:30 to ops@example.org",
    "no file me:pass@host, http://token@h is 'http://h/a?b=c', for": "no file ***@host, http://***@h is 'http://h/a?***', for",
    "http://h:80/cvmfs/@fqrn@ and http://h:80/cvmfs/@org@/ are right": (
        "http://h:80/cvmfs/@fqrn@ and http://h:80/cvmfs/@org@/ are right"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("sentence", "shown"), SENTENCES.items())
def test_secrets_of_urls_in_a_sentence_are_masked(sentence: str, shown: str) -> None:
    assert without_secrets(sentence) == shown


def test_hostile_lines_are_masked_in_time() -> None:
    for piece in (":/", "://a:", "a:", "a:b@", "://?"):
        began = time.monotonic()
        without_secrets(piece * 5_000)
        assert time.monotonic() - began < 3  # what is not linear takes minutes


_SERVER = '[[server]]\nurl = "http://a.tld"\nrole = "stratum1"\n'
URL = "http://user:pass-word@host.tld:3128"
FILES = {
    "url": f'[[server]]\nurl = "{URL}"\nrole = "stratum1"\n',
    "url, long": f'[[server]]\nurl = "{URL}/{"x" * 200}"\nrole = "stratum1"\n',
    "url without scheme": '[[server]]\nurl = "user:pass-word@host.tld"\nrole = "stratum1"\n',
    "query": '[[server]]\nurl = "http://host.tld/?key=pass-word"\nrole = "stratum1"\n',
    "via": f'{_SERVER}via = "{URL}"\n',
    "fleet via": f'[fleet]\nvia = "{URL}"\n{_SERVER}',
    "proxy": f'[scrape]\nproxy = "{URL}"\n{_SERVER}',
    "several": f'[[server]]\nurl = "http://a.tld;{URL}"\nrole = "stratum1"\n',
    "key file": f'[fleet]\nkeys = ["{URL}/key.pub"]\n{_SERVER}',
    "repos": f'[fleet]\nrepos = ["{URL}"]\n{_SERVER}',
    "GeoAPI": f'[geoapi]\nservers = ["{URL}"]\n{_SERVER}',
    "role": f'[[server]]\nurl = "http://a.tld"\nrole = "{URL}"\n',
    "in a list": f'[[server]]\nurl = ["{URL}"]\nrole = "stratum1"\n',
    "as a key": f'[fleet]\n"{URL}" = 1\n{_SERVER}',
    "as a section": f'["{URL}"]\n{_SERVER}',
    "many names in one": f'[fleet]\nrepos = ["a.tld,http://user:pass-word,x@host.tld"]\n{_SERVER}',
    "many keys in one": f'[fleet]\nkeys = ["a.pub:{URL}/b.pub:c.pub"]\n{_SERVER}',
    "of a table": f'[scrape]\nproxy = {{ url = "http://host", password = "pass-word" }}\n{_SERVER}',
    "one name twice": 2 * '[[server]]\nurl = "http://a.tld"\nname = "user:pass-word@host"\nrole = "stratum1"\n',
    "no TOML": f'["{URL}"]\n["{URL}"]\n',
}


@pytest.mark.parametrize("text", FILES.values(), ids=FILES.keys())
def test_no_message_about_a_fleet_file_shows_a_password(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "fleet.toml"
    path.write_text(text, encoding="utf-8")
    assert main(["--config", str(path), "--check", "--deadline", "1"]) == 2
    said = capsys.readouterr()
    assert said.err.startswith(f"E! fleet file {path}")
    assert "line " in said.err
    assert "pass-word" not in said.err + said.out


IN_URLS = (
    URL, "user:pass-word@host.tld", "https://host/x?token=pass-word", "http://host/#pass-word", "//user:pass-word@host",
    "http://user:a,pass-word@host", "http://user:a;pass-word@host", "http://user:a|pass-word@host;http://b.tld",
    "http://user:pass-word/y@host/cvmfs/info", "http://user:pass-word@host/cvmfs/@org@", "http://us er:pass-word@host",
    "user:pass-word@http://host", r"http:\\\\user:pass-word@host", f"{'x' * 99} {URL}", f"{URL} {'y' * 300}",
    "http://u:pass-word@h.pub:http://u:pass-word@i.pub", f"{URL}\\nx", "http://user:pass-word@[::1]:80",
)  # fmt: skip
FORMS = ('"{0}"', '["{0}"]', '[["{0}"]]', '{{ "{0}" = 1 }}', '{{ a = "{0}" }}')


@pytest.mark.parametrize(
    ("section", "key"), [(section, key) for section in SECTIONS for key in (*SECTIONS[section], "unknown", "limits")]
)
def test_no_value_of_any_key_shows_a_password_when_it_is_refused(section: str, key: str) -> None:
    many = section in ("server", "repository", "maintenance")
    others = "".join(f'{name} = "http://a.tld"\n' for name in ("url",) if section == "server" and name != key)
    before = f"[[{section}]]\n{others}" if many else f"[{section}]\n"
    said = [_refusal(f"{before}{key} = {form.format(url)}\n") for url in IN_URLS for form in FORMS]
    assert sum(map(bool, said)) > len(IN_URLS)
    assert not [one for one in said if "pass-word" in one or "\n" in one]


def _refusal(text: str) -> str:
    """What is said of a fleet file; nothing if it is taken."""
    try:
        parse(text, Path("/etc/x/fleet.toml"))
    except ConfigError as error:
        return str(error)
    return ""


ARGUMENTS = (
    ["--stratum1", URL],
    [f"--stratum0={URL}"],
    [URL],
    ["--demo", "--unknown", URL],
    ["--demo", f"--deadline={URL}"],
    ["--demo", "--format", URL],
    ["--demo", "--repo", URL],
    ["--demo", "--key", URL],
    ["--config", URL],
    ["--fleet", URL],
    ["exporter", "--listen", URL],
    ["maintenance", "add", "--demo", "--for", "4h", "--state-dir", "/nowhere", "--server", URL],
    ["maintenance", "add", "--demo", "--for", "4h", "--state-dir", "/nowhere", "--repository", f"{URL}\n"],
    ["maintenance", "add", "--from", URL],
    ["maintenance", "end", URL],
    ["--stratum1", "http://user:pass-word;x@host.tld"],
    ["--stratum1", "http://host.tld/?token=pass-word"],
    ["--demo", "--print-for-human", "--server", URL],
    ["--demo", f"--{URL}"],
    ["--demo", f"-v{URL}"],
    ["--demo", f"--check={URL}"],
    ["user:pass-word@host.tld"],
    ["--demo", "--key", "user:pass-word@host.tld"],
    ["--config", "user:pass-word@host.tld"],
    ["--demo", "--format", f"{'x' * 50}:pass-word@host"],
)


@pytest.mark.parametrize("arguments", ARGUMENTS, ids=" ".join)
def test_no_message_about_an_option_shows_a_password(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.err.startswith("E! ")
    assert "pass-word" not in said.err + said.out


@pytest.mark.parametrize("transport", ["curl", "requests"])
@pytest.mark.parametrize("proxy", ["http://user:pass-word@[", "user:pass-word@h:99999", "http://user:p/pass-word@h:80"])
def test_a_proxy_of_the_environment_that_is_none_is_an_error_that_does_not_show_its_password(
    proxy: str, transport: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    path = tmp_path / "fleet.toml"
    path.write_text(f'[scrape]\nproxy = "environment"\ntransport = "{transport}"\n{_SERVER}', encoding="utf-8")
    assert main(["--config", str(path), "--state-dir", "none"]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert said.err.startswith('E! proxy = "environment": ')
    assert "pass-word" not in said.err


def test_a_proxy_of_the_environment_may_be_without_a_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "user:pass-word@127.0.0.1:3128")
    circumstances = Circumstances(Deadline(1), proxy="environment")
    assert circumstances.proxy_for("http://a.tld") == "http://user:pass-word@127.0.0.1:3128"


@pytest.mark.parametrize("location", [f"{URL}/", "https://bucket.tld/x?signature=pass-word", "/x?token=pass-word"])
def test_where_a_server_redirects_is_told_without_a_password(location: str) -> None:
    with pytest.raises(FetchError, match="redirected to ") as error:
        redirected("http://a.tld/y", location, 302, follow=False)
    assert "pass-word" not in str(error.value)


def test_an_error_of_ours_that_many_documents_meet_is_said_once(
    monkeypatch: pytest.MonkeyPatch, fleet_file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr("telegraf_cvmfs.scraping.documents.parse_manifest", broken)
    assert main(["--config", str(fleet_file), "--state-dir", "none"]) == 0
    (said,) = capfd.readouterr().err.splitlines()
    assert said.startswith("E! internal error, please report it: ZeroDivisionError: ours (in tests.")


@pytest.mark.parametrize("arguments", [*ARGUMENTS, ["--config", "/http://user:pass-word@host/x"]], ids=" ".join)
def test_no_line_of_a_nagios_check_shows_a_password(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert main([*arguments, "--nagios"]) == 3
    said = capfd.readouterr()
    assert said.out.startswith("CVMFS UNKNOWN - ")
    assert (said.out.count("\n"), said.err) == (1, "")
    assert "pass-word" not in said.out


# --- files that are none ----------------------------------------------------------------------------


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


NONE_FILES: dict[str, Callable[[Path], object]] = {
    "it is a pipe, and no file": os.mkfifo,
    "it is a device, and no file": lambda path: path.symlink_to("/dev/zero"),
    "it is a socket, and no file": _socket,
    "Is a directory": Path.mkdir,
}
PLACES = {
    "fleet file": "",
    "key": '[fleet]\nkeys = ["odd"]\n',
    "key option": "",
    "blacklist": '[fleet]\nblacklists = ["odd"]\n',
    "maintenance file": "",
    "key of a rule": '[[repository]]\nname = "*"\nkeys = ["odd"]\n',
}


@pytest.mark.parametrize("why", NONE_FILES)
@pytest.mark.parametrize("place", PLACES)
def test_a_file_that_is_none_is_an_error_at_once(
    why: str, place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet = tmp_path / "fleet.toml"
    path = tmp_path / ("fleet.toml.maintenance.toml" if place == "maintenance file" else "odd")
    NONE_FILES[why](path)
    fleet.write_text(_SERVER + PLACES[place], encoding="utf-8")
    arguments = ["--config", str(path if place == "fleet file" else fleet), "--state-dir", "none"]
    with _alarm(5):
        assert main([*arguments, *(["--key", str(path)] if place == "key option" else [])]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert str(path) in said.err
    assert why in said.err or (why, " is a folder; " in said.err) == ("Is a directory", True)


@contextlib.contextmanager
def _alarm(seconds: int) -> Iterator[None]:
    """What hangs is ended, and the test fails."""
    before = signal.signal(signal.SIGALRM, lambda *_: pytest.fail("it hangs"))
    signal.alarm(seconds)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def test_an_output_does_not_take_the_place_of_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "odd")
    with pytest.raises(OSError, match="it is a pipe, and no file"):
        write_whole(tmp_path / "odd", b"")
    assert (tmp_path / "odd").is_fifo()


def test_a_pipe_of_the_shell_is_a_fleet_file(fleet_file: Path) -> None:
    script = f'exec {command()[0]} "${{@:2}}" --config <(cat "$1")'
    keyless = "\n".join(line for line in fleet_file.read_text(encoding="utf-8").splitlines() if "keys" not in line)
    copy = fleet_file.parent / "piped.toml"
    copy.write_text(keyless, encoding="utf-8")
    done = subprocess.run(
        ["bash", "-c", script, "bash", copy, *command()[1:], "--state-dir", "none"],
        capture_output=True, text=True, timeout=60, check=False, env=environment(),
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "cvmfs_scrape" in done.stdout


def _waiting(pipe: int) -> int:
    """Bytes in a pipe that nobody has read."""
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


@pytest.mark.parametrize("daemon", [(), ("execd",), ("exporter", "--listen", "127.0.0.1:0")], ids=" ".join)
@pytest.mark.parametrize("number", [signal.SIGTERM, None])
def test_a_pipe_that_gives_nothing_ends_with_the_deadline_and_with_a_signal(
    number: signal.Signals | None, daemon: tuple[str, ...]
) -> None:
    read, write = os.pipe()
    os.write(write, b"[fleet]\n")
    seconds = "60" if number else "0.5"
    arguments = [*command(*daemon), "--config", f"/dev/fd/{read}", "--deadline", seconds]
    began = time.monotonic()
    with subprocess.Popen(
        arguments, pass_fds=[read], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as process:
        if number:
            while _waiting(read):  # it has not come to read yet
                time.sleep(0.02)
            process.send_signal(number)
        out, err = process.communicate(timeout=20)
    os.close(read)
    os.close(write)
    assert (process.returncode, out) == (2, "")
    assert err == f"E! fleet file /dev/fd/{read}: its end did not come through this pipe in time\n"
    assert time.monotonic() - began < 15
