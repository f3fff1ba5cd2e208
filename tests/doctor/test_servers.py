"""`--check`: each kind of trouble in words that somebody tired understands, and what to do about it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from telegraf_cvmfs.demo import DemoFleet
from telegraf_cvmfs.demo.signing import make_keys
from telegraf_cvmfs.doctor.servers import ADVICE, LONGEST_LINE, check, is_wrong
from telegraf_cvmfs.model import Backend, Cause, Fleet, Role, Server
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.net.names import Names
from telegraf_cvmfs.net.network import Network
from telegraf_cvmfs.scraping.visits import probe
from tests import ROOT
from tests.builders import hostile, published
from tests.programs.command import environment, run

SHIPPED = ROOT / "telegraf"
NOBODY = 65534
LIST = "/cvmfs/info/v1/repositories.json"


def no_such_name(_host: str) -> list[str]:
    raise OSError(-2, "Name or service not known")


def lines_of(fleet: Fleet, seconds: float = 10, resolve: Callable[[str], list[str]] = no_such_name) -> list[str]:
    """What is said of a fleet without the line about it as a whole, and without the first about each server."""
    strata = probe(
        fleet,
        datetime.now(UTC),
        Network(Deadline(seconds), proxy=fleet.proxy, names=Names(resolve)),
        lambda _line: None,
    )
    lines = list(check(fleet, strata))
    assert any(is_wrong(stratum) for stratum in strata) == any(": wrong: " in line for line in lines)
    assert all(line.isprintable() and len(line) <= LONGEST_LINE for line in lines)
    first = tuple(f"{server.name}: {server.role.value} at http" for server in fleet.servers)
    return [line for line in lines[1:] if not line.startswith(first)]


def one(url: str, role: Role = Role.STRATUM1, backend: Backend = Backend.AUTO, repos: tuple[str, ...] = ()) -> Fleet:
    return Fleet((Server(url, "one", role, backend, repos),))


def listing(**entries: list[str]) -> bytes:
    lists = {key: [{"name": name, "url": f"/cvmfs/{name}"} for name in names] for key, names in entries.items()}
    return json.dumps({"schema": 1, "repositories": [], "replicas": []} | lists).encode()


# --- a server that does not answer ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "wrong", "advice"),
    [
        ("refuses", "Connection refused", "nothing listens at this port"),
        ("full backlog", "no connection to", "a firewall that drops packets"),
        ("silent", "no complete answer in time", "an overloaded server"),
        ("closes at once", "closed the connection without an answer", "it hung up"),
        ("403", "HTTP status 403", 'backend = "s3" and repos'),
        ("404 for everything", "HTTP 404", 'backend = "s3" and repos'),
        ("HTML for everything", "not JSON", "is there another web site"),
        ("JSON of 5 MB", "5000008 bytes", "is there another web site"),
        ("redirects to another server", "'http://127.0.0.2:9/x'", "write the address to which it redirects"),
        ("redirects to itself", "CVMFS_FOLLOW_REDIRECTS", "follow_redirects = true for it"),
        ("redirects to nowhere", "redirected to nowhere", "set up wrongly"),
        ("503", "HTTP status 503", "its operators find why in its log"),
        ("429", "HTTP status 429", "ask its operators"),
        ("another protocol", "SSH-2.0-OpenSSH", "is no web server"),
        ("garbage", "not an answer in HTTP", "is no web server"),
    ],
)
def test_a_server_without_a_list_is_told_with_what_to_do(kind: str, wrong: str, advice: str) -> None:
    with hostile.KINDS[kind].make() as url:
        first, second, *_ = lines_of(one(url), seconds=1.5)
    assert first.startswith("one: wrong: its list of repositories cannot be read: ")
    assert wrong in first
    assert second.startswith("one: ")
    assert advice in second


@pytest.mark.parametrize(
    ("kind", "wrong", "advice"),
    [
        ("expired", "certificate has expired", "must renew the certificate"),
        ("other name", "mismatch", "for another name"),
        ("self-signed", "self-signed certificate", "SSL_CERT_FILE"),
        ("plain HTTP", "does not speak TLS", "write http:// instead of https://"),
        ("closes in the handshake", "TLS", "write http://"),
        ("hangs in the handshake", "in time", "a firewall"),
    ],
)
def test_trouble_with_tls_is_told_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, wrong: str, advice: str
) -> None:
    certificates = hostile.certified(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
    with hostile.tls_kinds(certificates)[kind].make() as url:
        first, second = lines_of(one(url), seconds=1.5)
    assert wrong in first
    assert advice in second


def test_an_address_to_which_there_is_no_way_is_told() -> None:
    first, second = lines_of(one("http://127.255.255.255"))
    assert first.endswith("connecting to 127.255.255.255:80: Network is unreachable")
    assert "there is no way to it from here" in second


def test_there_is_advice_for_every_cause() -> None:
    assert {cause for _, cause in ADVICE} == {None, *Cause}


def test_a_name_that_is_not_known_is_told() -> None:
    first, second = lines_of(one("http://stratum1.example"))
    assert first.endswith("looking up stratum1.example: Name or service not known")
    assert "is it spelt right" in second


def test_a_proxy_that_is_not_there_is_not_blamed_on_the_server() -> None:
    with hostile.refuses() as proxy, hostile.Server(hostile.serves({})) as good:
        fleet = Fleet((Server(good.url, "one", Role.STRATUM1),), proxy=proxy)
        first, second = lines_of(fleet)
    assert "proxy: " in first
    assert "the proxy was not reached, and the server not asked" in second


def test_a_server_that_never_answers_does_not_keep_it_beyond_its_deadline() -> None:
    with hostile.Server(hostile.silent) as silent:
        began = time.monotonic()
        done = run("--stratum1", silent.url, "--check", "--deadline", "2", "--state-dir", "none")
        assert time.monotonic() - began < 3.5
    assert (done.returncode, done.stderr) == (1, "")
    assert "no complete answer in time" in done.stdout


# --- a server that answers, but not as the fleet file has it ------------------------------------------


@pytest.mark.parametrize(
    ("kind", "role", "said"),
    [
        ("repositories", Role.STRATUM1, 'should its role be "stratum0", not "stratum1"?'),
        ("repositories", Role.SYNC, 'should its role be "stratum0", not "sync"?'),
        ("replicas", Role.STRATUM0, 'should its role be "stratum1" (or "sync")'),
    ],
)
def test_a_role_the_wrong_way_round_is_asked_about(kind: str, role: Role, said: str) -> None:
    with hostile.Server(hostile.serves({LIST: listing(**{kind: ["a.example"]})})) as server:
        assert any(said in line for line in lines_of(one(server.url, role)))


def test_a_server_that_publishes_some_and_replicates_others_may_have_any_role() -> None:
    with hostile.Server(hostile.serves({LIST: listing(repositories=["a.example"], replicas=["b.example"])})) as server:
        for role in Role:
            assert not any("role" in line for line in lines_of(one(server.url, role)))


def test_only_that_matches_nothing_is_told_with_what_there_is() -> None:
    with hostile.Server(hostile.serves({LIST: listing(replicas=["a.example", "b.example"])})) as server:
        fleet = Fleet((Server(server.url, "one", Role.STRATUM1),), only=("*.eessi.io",))
        assert lines_of(fleet) == [
            "one: wrong: it lists 2 repositories; 0 would be scraped",
            "one: nothing would be scraped: `only` lets none of them through (*.eessi.io); it has a.example, b.example",
        ]


def test_a_server_without_repositories_is_told() -> None:
    with hostile.Server(hostile.serves({LIST: listing()})) as server:
        assert "cvmfs_server update-info" in lines_of(one(server.url))[1]


@pytest.mark.parametrize("backend", [Backend.AUTO, Backend.S3])
def test_it_is_said_where_a_bucket_has_a_repository_or_where_it_was_looked_for(backend: Backend) -> None:
    documents = published.repository("a.tld")
    bucket = {path.replace("/cvmfs/", "/bucket/"): body for path, body in documents.items()}
    with hostile.Server(hostile.serves(bucket)) as server:
        url = f"{server.url}/bucket"
        assert f"one: ok: a.tld can be read from {url}/a.tld" in lines_of(one(url, backend=backend, repos=("a.tld",)))
        missing = lines_of(one(url, backend=backend, repos=("b.tld",)))
    where = (
        f"from {url}/cvmfs/b.tld/.cvmfspublished: not served (HTTP 404), nor at {url}/b.tld/.cvmfspublished (HTTP 404)"
    )
    assert f"one: wrong: b.tld cannot be read {where}" in missing


def test_s3_without_names_would_scrape_nothing() -> None:
    with hostile.KINDS["403"].make() as url:
        first, second = lines_of(one(url, backend=Backend.S3))
    assert "names none for it" in first
    assert "repos = [" in second


def test_a_repository_that_cannot_be_read_is_told_beside_its_list() -> None:
    with hostile.Server(hostile.serves({LIST: listing(replicas=["a.example"])})) as server:
        assert lines_of(one(server.url))[1].startswith("one: wrong: a.example cannot be read from http://")


def test_what_a_hostile_server_says_stays_on_one_printable_line() -> None:
    evil = "http://x.example/\x1b[31m\x07" + "y" * 5000
    with hostile._at(hostile._redirect(evil)) as url:
        assert any("redirected to another server" in line for line in lines_of(one(url)))
    bad = json.dumps({"schema": 1, "replicas": [{"name": "\x1b[2J\r\n\u202e" + "z" * 9999, "url": "/cvmfs/a"}]})
    with hostile.Server(hostile.serves({LIST: bad.encode()})) as server:
        done = run("--stratum1", server.url, "--check", "--state-dir", "none")
    assert done.returncode == 1
    for line in (done.stdout + done.stderr).splitlines():
        assert line.isprintable()
        assert len(line) <= LONGEST_LINE


def test_a_fleet_that_is_well_has_nothing_wrong(tmp_path: Path) -> None:
    with DemoFleet(now=datetime.now(UTC)) as demo:
        text = demo.fleet_toml().partition('[[server]]\nurl = "' + demo.urls["stratum1-down"])[0]
        (tmp_path / "fleet.toml").write_text(text)
        done = run("--config", tmp_path / "fleet.toml", "--check", "--state-dir", tmp_path / "state")
    assert (done.returncode, done.stderr) == (0, "")
    assert "wrong" not in done.stdout
    assert done.stdout.count(": ok: it lists 6 repositories; 6 would be scraped") == 3
    assert f"memory: ok, {tmp_path}/state/" in done.stdout


def test_a_copy_that_can_be_compared_with_nothing_is_told_with_how_to_compare_it() -> None:
    with DemoFleet(now=datetime.now(UTC)) as demo:
        alone = ["--stratum1", demo.urls["stratum1-lagging"], "--check", "--state-dir", "none"]
        said = [line for line in run(*alone).stdout.splitlines() if line.startswith("nothing to compare with")]
        assert len(said) == 1
        assert "conditions.demo.example" in said[0]
        assert "--stratum0" in said[0]
        for more in (["--stratum0", demo.urls["stratum0"]], ["--stratum1", demo.urls["stratum1-healthy"]]):
            done = run(*alone, *more)
            assert (done.returncode, "nothing to compare" in done.stdout) == (0, False)


# --- this machine ------------------------------------------------------------------------------------


def test_a_wrong_fleet_file_is_exit_2_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text('[[server]]\nurl = "http://127.0.0.1:1"\nroll = "stratum1"\n')
    done = run("--config", tmp_path / "fleet.toml", "--check")
    assert (done.returncode, done.stdout) == (2, "")
    assert "line 3" in done.stderr


def test_a_memory_that_cannot_be_written_is_told_with_what_to_do() -> None:
    with hostile.refuses() as url:
        done = run("--stratum1", url, "--check", "--state-dir", "/proc/state")
    assert done.returncode == 1
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("memory")]
    assert "cannot be written" in line
    assert "--state-dir" in line


AS_NOBODY = """
import os, sys
os.setgroups([]); os.setgid({nobody}); os.setuid({nobody})
from telegraf_cvmfs.command.cli import main
code = main(sys.argv[1:])
sys.stdout.flush()
os._exit(code)
"""


def as_nobody(*options: str) -> subprocess.CompletedProcess[str]:
    """Run the program as another user, after all imports: that user may have no way to this Python."""
    script = "import telegraf_cvmfs.command.cli, telegraf_cvmfs.command.check, telegraf_cvmfs.fleet.file\n"
    script += "import telegraf_cvmfs.net.fetch, telegraf_cvmfs.net.curl.transport, telegraf_cvmfs.scraping.visits\n"
    script += "import telegraf_cvmfs.fleet.watched, telegraf_cvmfs.trust.chain, encodings.utf_8_sig\n"
    return subprocess.run(
        [sys.executable, "-c", script + AS_NOBODY.format(nobody=NOBODY), *options],
        env=environment(HOME="/nonexistent"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("hidden", ["fleet.toml", "keys/demo.pub"])
def test_a_file_that_this_user_may_not_read_is_named(hidden: str) -> None:
    # not in pytest's own folder, into which nobody else may look
    with tempfile.TemporaryDirectory() as name, DemoFleet(now=datetime.now(UTC)) as demo:
        path = demo.write(Path(name))
        (path.parent / hidden).chmod(0o600)
        for folder in (path.parent, path.parent / "keys"):
            folder.chmod(0o755)
        done = as_nobody("--config", str(path), "--check")
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("E! ")
    assert f"{hidden}: Permission denied" in line


# --- keys -------------------------------------------------------------------------------------------

WITHOUT_KEY = "no master key for {} of 6 repositories, so forged ones are not known: conditions.demo.example, "


def fleet_with(folder: Path, demo: DemoFleet, line: str, tail: str = "") -> Path:
    """The fleet file of the servers that are up, with another line in place of its keys."""
    text = demo.write(folder).read_text().partition('[[server]]\nurl = "' + demo.urls["stratum1-down"])[0]
    assert 'keys = ["keys/demo.pub"]' in text
    path = folder / "of-keys.toml"
    path.write_text(text.replace('keys = ["keys/demo.pub"]', line) + tail)
    return path


def trusted(fleet: Path) -> tuple[int, list[str], list[str]]:
    """The exit code of --check and what it says of keys and blacklists; then what a run says."""
    checked = run("--config", fleet, "--check", "--state-dir", "none")
    assert checked.stderr == ""
    said = [line for line in checked.stdout.splitlines() if line.startswith(("keys", "trust", "blacklist"))]
    return checked.returncode, said, run("--config", fleet, "--state-dir", "none").stderr.splitlines()


def test_check_says_where_it_looked_for_keys_and_ends_with_1_where_that_is_in_vain(tmp_path: Path) -> None:
    with DemoFleet(now=datetime.now(UTC)) as demo:
        right = fleet_with(tmp_path, demo, 'key_dirs = ["keys"]')
        place = f"keys: 1 below {tmp_path}/keys, of 1 files, 1 at its top; looked for as <repository>.pub anywhere, "
        code, said, log = trusted(right)
        assert (code, log) == (0, [])
        assert [line.startswith(start) for line, start in zip(said, (place, "keys: a run tries"), strict=True)] == [
            True
        ] * 2
        (tmp_path / "odd/deep").mkdir(parents=True)
        (tmp_path / "keys/demo.pub").rename(tmp_path / "odd/deep/x.pub")
        code, said, log = trusted(fleet_with(tmp_path, demo, 'key_dirs = ["odd"]'))
        assert code == 1
        assert said[-1].startswith("trust: wrong: " + WITHOUT_KEY.format(6))
        assert log == [said[-1].replace("trust: wrong: ", "W! ")]
        (tmp_path / "odd/deep/x.pub").rename(tmp_path / "odd/deep/data.demo.example.pub")
        code, said, log = trusted(tmp_path / "of-keys.toml")
        assert code == 0
        assert log == [said[-1].replace("keys: ", "W! ")]
        assert log[0].startswith("W! " + WITHOUT_KEY.format(5))


def test_a_folder_without_keys_a_private_key_and_a_blacklist_that_is_none_are_told(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "private/demo.example").mkdir(parents=True)
    (tmp_path / "private/demo.example/x.pub").write_bytes(b"-----BEGIN RSA PRIVATE KEY-----\n")
    (tmp_path / "blacklist").write_text("<html>")
    lines = 'key_dirs = ["kyes", "empty", "private", "keys"]\nblacklists = ["blacklist", "balcklist"]'
    with DemoFleet(now=datetime.now(UTC)) as demo:
        code, said, log = trusted(fleet_with(tmp_path, demo, lines))
    wrong = [line.removeprefix("trust: wrong: ") for line in said if line.startswith("trust: wrong: ")]
    assert code == 1
    assert wrong.pop(0) == f"key_dirs: {tmp_path}/kyes: No such file or directory"
    assert log.pop(0) == f"W! key_dirs: {tmp_path}/kyes: No such file or directory"
    assert [line.startswith(f"W! {part.removesuffix('...')}") for line, part in zip(log, wrong, strict=True)] == [
        True
    ] * 5
    parts = ("empty has no .pub file", "x.pub: holds a private key", "blacklist: line 1 is neither", "does not exist")
    assert [part in line for part, line in zip((*parts, WITHOUT_KEY.format(6)), wrong, strict=True)] == [True] * 5
    assert "blacklist: 0 certificates and 0 revisions are refused, by " in "\n".join(said)


def test_a_rule_with_keys_for_no_repository_is_told(tmp_path: Path) -> None:
    tail = '\n[[repository]]\nname = "*.{}.example"\nkeys = ["keys/demo.pub"]\n'
    with DemoFleet(now=datetime.now(UTC)) as demo:
        code, said, _ = trusted(fleet_with(tmp_path, demo, "", tail.format("demo")))
        assert (code, said) == (0, [f"keys: ok: {tmp_path}/keys/demo.pub, for *.demo.example"])
        code, said, _ = trusted(fleet_with(tmp_path, demo, "", tail.format("dmeo")))
    assert code == 1
    assert said[-1].startswith("trust: wrong: [[repository]] *.dmeo.example has keys, and no repository")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize(
    ("hidden", "code", "said"),
    [
        ("keys", 1, "trust: wrong: key_dirs: {}: Permission denied"),
        ("keys/demo.example", 1, "trust: wrong: key_dirs: {}: Permission denied"),
        ("keys/demo.pub", 1, "trust: wrong: key_dirs: {}: cannot be read: Permission denied"),
        ("blacklists", 2, "blacklist {}/blacklist cannot be read: Permission denied"),
    ],
)
def test_keys_that_this_user_may_not_read_are_named(hidden: str, code: int, said: str) -> None:
    with tempfile.TemporaryDirectory() as name, DemoFleet(now=datetime.now(UTC)) as demo:
        path = fleet_with(Path(name), demo, 'key_dirs = ["keys"]\nblacklists = ["blacklists/blacklist"]')
        for folder in (path.parent / "keys/demo.example", path.parent / "blacklists"):
            folder.mkdir()
        for folder in (
            path.parent,
            path.parent / "keys",
            path.parent / "keys/demo.example",
            path.parent / "blacklists",
        ):
            folder.chmod(0o755)
        (path.parent / hidden).chmod(0o600)
        done = as_nobody("--config", str(path), "--check", "--state-dir", "none")
        assert done.returncode == code
        assert said.format(path.parent / hidden) in done.stdout + done.stderr


def test_keys_that_fit_that_do_not_and_that_are_not_given_are_told_apart(tmp_path: Path) -> None:
    with DemoFleet(now=datetime.now(UTC)) as demo:
        told_apart(demo, tmp_path)


def told_apart(demo: DemoFleet, tmp_path: Path) -> None:
    demo.write(tmp_path)
    key, stranger = tmp_path / "keys" / "demo.pub", tmp_path / "stranger.pub"
    stranger.write_bytes(make_keys().master_public_pem)
    server = ["--stratum1", demo.urls["stratum1-healthy"], "--check", "--state-dir", "none"]
    assert f"are good, with the key {key}" in run(*server, "--key", key).stdout
    assert "no master key is given for software.demo.example" in run(*server).stdout
    wrong = run(*server, "--key", stranger)
    assert "wrong: the master keys do not fit software.demo.example" in wrong.stdout
    assert "/etc/cvmfs/keys/<domain>/*.pub" in wrong.stdout
    assert (wrong.returncode, wrong.stderr) == (1, "")
