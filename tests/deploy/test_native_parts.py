"""What the stack without Docker is made of: finding programs, ports, its folder, processes, options."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from deploy.native import __main__ as entry
from deploy.native import executables, logins, ports, process, programs, started
from deploy.native.folder import Folder, Refused, Trouble
from deploy.native.parts import grafana
from telegraf_cvmfs.net.influxdb import Database
from tests import ROOT
from tests.deploy.native import Stack, script


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    """One for which nothing can be fetched: there is no room for it."""
    return Stack(tmp_path / "stack", {"TELEGRAF_CVMFS_CACHE": "/dev/null/cache"})


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = Folder(tmp_path / "folder")
    folder.make()
    return folder


# --- options ------------------------------------------------------------------------------------------


def test_help_has_every_command_and_is_no_failure(stack: Stack) -> None:
    said = stack.run("help")
    assert (said.returncode, said.stderr) == (0, "")
    for command in ("up", "down", "status", "doctor", "logs", "reset", "help", "--config FILE", "--no-fetch", "--yes"):
        assert command in said.stdout
    assert stack.run("--help").stdout == stack.run("up", "-h").stdout == said.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["start"], "invalid choice: 'start'"),
        (["up", "--conf=x"], "unrecognized arguments: --conf=x"),
        (["up", "--config"], "expected one argument"),
        (["down", "--config", "x"], "--config belongs to `up`, not to `down`"),
        (["status", "--yes"], "--yes belongs to `reset`, not to `status`"),
        (["reset", "--no-fetch"], "--no-fetch belongs to `up`, not to `reset`"),
        (["status", "--lines", "0"], "--lines belongs to `logs`, not to `status`"),
        (["up", "telegraf"], "telegraf belongs to `logs`, not to `up`"),
        (["logs", "kapacitor"], "invalid choice: 'kapacitor'"),
        (["logs", "--lines", "many"], "invalid int value: 'many'"),
    ],
)
def test_a_wrong_option_is_one_sentence_and_exit_2(stack: Stack, arguments: list[str], says: str) -> None:
    said = stack.run(*arguments)
    assert (said.returncode, said.stdout, said.stderr.count("\n")) == (2, "", 1)
    assert said.stderr.startswith("stack: ")
    assert says in said.stderr
    assert not stack.folder.exists()


def test_a_wrong_fleet_file_is_refused_by_its_key_before_anything_is_made(stack: Stack, tmp_path: Path) -> None:
    file = tmp_path / "fleet.toml"
    file.write_text('[[server]]\nurl = "http://one.example.org"\nrole = "stratum2"\n')
    said = stack.run("up", "--config", file)
    assert (said.returncode, said.stderr.count("\n")) == (2, 1)
    assert str(file) in said.stderr
    assert "stratum2" in said.stderr
    missing = stack.run("up", "--config", tmp_path / "none.toml")
    assert (missing.returncode, str(tmp_path / "none.toml") in missing.stderr) == (2, True)
    assert not stack.folder.exists()


@pytest.mark.parametrize(("command", "code"), [("status", 1), ("down", 0), ("logs", 1), ("doctor", 1), ("reset", 0)])
def test_where_no_stack_was_started_each_command_says_so_and_makes_nothing(
    stack: Stack, command: str, code: int
) -> None:
    said = stack.run(command)
    assert said.returncode == code
    assert re.search("there is no stack here|was not started here", said.stdout + said.stderr)
    assert not stack.folder.exists()


# --- programs -----------------------------------------------------------------------------------------


def _says(path: Path, version: str) -> Path:
    return script(path, f"echo {version!r}\n")


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Telegraf in the cache."""
    monkeypatch.setenv("TELEGRAF_CVMFS_CACHE", str(tmp_path / "cache"))
    path = tmp_path.joinpath("cache", *programs.TELEGRAF)
    path.parent.mkdir(parents=True)
    return _says(path, "Telegraf 1.39.3")


@pytest.mark.usefixtures("cached")
def test_a_program_that_is_installed_is_used_if_its_version_does(tmp_path: Path) -> None:
    said: list[str] = []
    installed = _says(tmp_path / "telegraf", "Telegraf 1.40.1 (git: HEAD@1234)")
    assert executables.find(executables.TELEGRAF, {"PATH": str(tmp_path)}, said.append) == installed
    assert said == []


def test_one_that_is_too_old_is_named_and_the_fetched_one_used(tmp_path: Path, cached: Path) -> None:
    said: list[str] = []
    installed = _says(tmp_path / "telegraf", "Telegraf 1.38.4")
    assert executables.find(executables.TELEGRAF, {"PATH": str(tmp_path)}, said.append) == cached
    assert said == [f"{installed} is not used: it is Telegraf 1.38, and the files in telegraf/ are for 1.39 and later"]


@pytest.mark.parametrize(
    ("wanted", "version", "problem"),
    [
        (executables.TELEGRAF, "Telegraf 1.38.4", "it is Telegraf 1.38, and the files in telegraf/ are for 1.39"),
        (executables.INFLUXD, "InfluxDB v2.7.12", "it is InfluxDB 2.7, and the stack without Docker runs InfluxDB 1"),
        (executables.INFLUXD, "hello", "it does not say its version when asked with `version`"),
    ],
)
def test_one_that_is_named_must_do(tmp_path: Path, wanted: executables.Wanted, version: str, problem: str) -> None:
    named = _says(tmp_path / "program", version)
    with pytest.raises(Refused, match=f"^{wanted.variable}={named}: {problem}"):
        executables.find(wanted, {wanted.variable: str(named)}, print)


@pytest.mark.parametrize("named", ["telegraf", "/nonexistent/telegraf", str(ROOT / "README.md")])
def test_a_name_that_is_no_program_is_refused(named: str) -> None:
    with pytest.raises(Refused, match=r"expected the full path of a program that this user may run"):
        executables.find(executables.TELEGRAF, {"TELEGRAF": named}, print)
    with pytest.raises(Refused, match=r"^GRAFANA="):
        executables.grafana({"GRAFANA": named})


def test_what_is_missing_is_not_fetched_where_that_is_forbidden(stack: Stack) -> None:
    said = stack.run("up", "--no-fetch", TELEGRAF_CVMFS_CACHE=str(stack.folder.parent / "cache"))
    assert said.returncode == 1
    assert said.stderr == (
        "stack: Telegraf is missing: install it, or name it with TELEGRAF=PATH, "
        "or let `./stack native up` without --no-fetch fetch it\n"
    )
    assert not stack.folder.exists()


def test_what_cannot_be_fetched_says_why_and_what_to_do_instead(stack: Stack) -> None:
    said = stack.run("up")
    assert said.returncode == 1
    assert re.fullmatch(
        r"stack: Telegraf is missing and could not be fetched \(no room for programs: .*\): "
        r"install it, or name it with TELEGRAF=PATH\n",
        said.stderr,
    )


# --- Grafana ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["here", "linked"])
@pytest.mark.parametrize(("name", "serve"), [("grafana", ["server"]), ("grafana-server", [])])
def test_grafana_is_started_by_either_name_with_the_home_that_it_came_with(
    tmp_path: Path, name: str, serve: list[str], place: str
) -> None:
    home = tmp_path / "grafana-13"
    for folder in ("bin", "conf"):
        (home / folder).mkdir(parents=True)
    (home / "conf" / "defaults.ini").touch()
    program = _says(home / "bin" / name, "")
    if place == "linked":
        program = tmp_path / name
        program.symlink_to(home / "bin" / name)
    file = tmp_path / "grafana.ini"
    assert executables.grafana({"PATH": str(program.parent)}) == program
    assert grafana.command(program, file) == [str(program), *serve, "--config", str(file), "--homepath", str(home)]


def test_grafana_has_the_settings_that_it_has_in_docker(folder: Folder) -> None:
    compose = (ROOT / "docker-compose.yml").read_text()
    in_docker = dict(re.findall(r"^ +((?:GF|CVMFS)_[A-Z_]+): (.+)$", compose, re.MULTILINE))
    settings = grafana.settings(
        folder, 3000, "password", Database("http://127.0.0.1:8086", "cvmfs", "grafana", "secret")
    )
    assert in_docker.keys() - settings.keys() == {"GF_AUTH_ANONYMOUS_ORG_ROLE"}, "which counts where nobody logs in"
    plain = {name: text.strip('"') for name, text in in_docker.items() if not re.search(r"[/$]", text)}
    assert len(plain) > 10
    assert plain.items() - settings.items() == {("GF_AUTH_ANONYMOUS_ORG_ROLE", plain["GF_AUTH_ANONYMOUS_ORG_ROLE"])}


# --- ports --------------------------------------------------------------------------------------------


def test_the_port_of_the_last_time_comes_before_the_usual_one() -> None:
    said: list[str] = []
    last, usual = (ports.choose("PORT", 0, {"PORT": "0"}, said.append) for _ in range(2))
    assert ports.choose("PORT", usual, {}, said.append, before=last) == last
    assert ports.choose("PORT", usual, {}, said.append) == usual
    assert said == []


def test_where_the_usual_port_is_taken_another_is_told() -> None:
    said: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as taken:
        usual = taken.getsockname()[1]
        port = ports.choose("PORT", usual, {}, said.append, before=usual)
    assert port != usual
    assert said == [f"port {usual} is taken by another program, so it is {port} this time (PORT can name one)"]


@pytest.mark.parametrize("named", ["http", "-1", "65536", "²", "9" * 5000])
def test_what_is_no_port_is_refused(named: str) -> None:
    with pytest.raises(Refused, match=f"^PORT={named}: expected a port"):
        ports.choose("PORT", 8086, {"PORT": named}, print)


# --- the folder ---------------------------------------------------------------------------------------


def test_a_folder_that_holds_something_else_is_neither_used_nor_deleted(
    stack: Stack, telegraf: Path, influxd: Path
) -> None:
    stack.folder.mkdir()
    (stack.folder / "thesis.tex").write_text("years of work")
    up = stack.run("up", TELEGRAF=str(telegraf), INFLUXD=str(influxd))
    assert up.returncode == 2
    assert up.stderr.startswith(f"stack: {stack.folder} is not empty and was not made by this program")
    reset = stack.run("reset", "--yes")
    assert (reset.returncode, reset.stdout) == (0, "nothing to delete: there is no stack here\n")
    assert (stack.folder / "thesis.tex").read_text() == "years of work"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a folder away")
@pytest.mark.parametrize("link", [False, True])
def test_a_folder_that_another_user_made_is_neither_used_nor_believed(
    folder: Folder, tmp_path: Path, link: bool
) -> None:
    started.write(
        folder, started.Started("anything", "", (started.Part("telegraf", process.Process(1, 1, ""), "", "", ""),))
    )
    bait = tmp_path / "bait" if link else folder.path
    if link:
        bait.symlink_to(folder.path)
    os.chown(bait, 12345, 12345, follow_symlinks=False)
    with pytest.raises(Refused, match=f"{bait} belongs to another user"):
        Folder(bait).make()
    Folder(bait).remove()
    assert (Folder(bait).exists, started.read(Folder(bait))) == (False, started.Started())
    assert (folder.path / "running.json").exists()


def test_the_mark_goes_last_so_that_a_reset_that_was_cut_short_can_be_done_again(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("influxdb", "memory", "demo", "grafana", "logs"):
        folder.subfolder(name).joinpath("file").touch()
        folder.write(f"{name}.conf", "")
    gone: list[str] = []
    for function in ("unlink", "rmdir"):
        monkeypatch.setattr(os, function, _noting(getattr(os, function), gone))
    folder.remove()
    assert [Path(path).name for path in gone[-2:]] == ["native-stack", "folder"]
    assert not folder.path.exists()


def _noting(remove: Callable[..., None], gone: list[str]) -> Callable[..., None]:
    def noted(path: str, **more: Any) -> None:
        gone.append(path)
        remove(path, **more)

    return noted


@pytest.mark.parametrize("text", [b"", b"\xff\xfe", b"influxdb_admin=a'b\n"])
def test_passwords_that_were_damaged_are_told_and_not_made_anew(folder: Folder, text: bytes) -> None:
    (folder.path / logins.FILE).write_bytes(text)
    with pytest.raises(Trouble, match="passwords: expected a line influxdb_admin="):
        logins.kept(folder)
    assert (folder.path / logins.FILE).read_bytes() == text


def test_an_interruption_says_whether_the_stack_runs_on(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setenv("TELEGRAF_CVMFS_STACK", str(folder.path))
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr("os.umask", lambda _: 0)
    monkeypatch.setattr("deploy.native.stack.up", lambda *_: True)
    monkeypatch.setattr(entry, "_ask_dashboards", interrupted)
    begun = process.start(["/bin/sleep", "60"], {}, folder.log("telegraf"))
    started.write(folder, started.Started(parts=(started.Part("telegraf", begun, "", "", ""),)))
    assert entry.main(["up"]) == 130
    process.stop(begun)
    assert entry.main(["up"]) == 130
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "stack: interrupted; the stack runs on: ./stack native down stops it", "stack: interrupted; nothing runs on"
    ]  # fmt: skip


def test_a_file_is_written_whole_for_this_user_alone_or_not_at_all(folder: Folder) -> None:
    folder.write("settings", "old")
    with pytest.raises(UnicodeEncodeError):
        folder.write("settings", "new \udc80")
    assert (folder.path / "settings").read_text() == "old"
    assert (folder.path / "settings").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in folder.path.iterdir() if "settings" in path.name] == ["settings"]


def test_two_commands_do_not_change_a_stack_at_the_same_time(stack: Stack) -> None:
    folder = Folder(stack.folder)
    folder.make()
    with folder.lock():
        down = stack.run("down")
    assert (down.returncode, stack.run("down").returncode) == (1, 0)
    assert down.stderr == f"stack: another command is at work on the stack in {folder.path}; wait for its end\n"


def test_notes_that_cannot_be_read_are_none(folder: Folder) -> None:
    for text in ("", "[]", '{"watches": "x"}', '{"watches": "x", "fleet": "", "parts": [{"name": "telegraf"}]}'):
        folder.write("running.json", text)
        assert started.read(folder) == started.Started()


def test_what_a_log_says_cannot_steer_the_terminal(folder: Folder) -> None:
    folder.log("telegraf").write_bytes(b"first\n\x1b[2Jsecond\xff" + b"x" * 1000 + b"\n")
    (line,) = folder.last_words("telegraf", 1)
    assert "\x1b" not in line
    assert len(line) <= 400


# --- processes ----------------------------------------------------------------------------------------


def test_a_process_that_ignores_sigterm_is_killed_and_its_children_with_it(tmp_path: Path) -> None:
    deaf = script(tmp_path / "deaf", 'trap "" TERM\n/bin/sleep 600 &\necho $! >&2\nwait\n')
    log = tmp_path / "log"
    started = process.start([str(deaf)], {}, log)
    until = time.monotonic() + 10
    while not log.read_text().endswith("\n") and time.monotonic() < until:
        time.sleep(0.01)
    child = int(log.read_text())
    began = time.monotonic()
    process.stop(started, patience=0.5)
    assert 0.5 <= time.monotonic() - began < 5
    assert not started.alive
    assert not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text()


def test_a_process_is_not_stopped_by_what_its_parent_ignores_or_blocks(tmp_path: Path) -> None:
    """Else it could only be killed: what is blocked or ignored stays so in a child unless it is undone."""
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with process.undisturbed():
            started = process.start(["/bin/sleep", "600"], {}, tmp_path / "log")
            began = time.monotonic()
            process.stop(started, patience=30)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert time.monotonic() - began < 20
    assert not started.alive


def test_a_log_begins_anew_with_each_start_and_the_one_before_it_is_kept(tmp_path: Path) -> None:
    for word in ("first", "second", "third"):
        started = process.start(["/bin/echo", word], {}, tmp_path / "part.log")
        while started.alive:
            time.sleep(0.01)
    assert (tmp_path / "part.log").read_text() == "third\n"
    assert (tmp_path / "part.old").read_text() == "second\n"


def test_a_program_that_cannot_be_started_is_told(folder: Folder) -> None:
    with pytest.raises(OSError, match="No such file"):
        process.start(["/nonexistent/program"], {}, folder.log("part"))
