from __future__ import annotations

import base64
import json
import os
import pty
import ssl
import subprocess
import sys
import types
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import tests.grafana.server as faults
from grafana.tools.server import Credentials, GrafanaError, Need, Server, plain
from tests import ROOT
from tests.grafana.command import Tools, alert, board, saved
from tests.grafana.server import Fault, grafana

COMMANDS = ("create-token", "export", "import", "alerts")
NEED = Need("look", "Viewer")


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Tools]:
    with grafana() as server:
        yield Tools(server, monkeypatch, capsys)


# --- who asks, and what comes back ------------------------------------------------------------------


def test_without_a_token_it_says_how_to_get_one(tools: Tools) -> None:
    done = tools.run("alerts", GRAFANA_TOKEN="")
    assert done.code == 2
    assert "GRAFANA_TOKEN" in done.err
    assert "create-token" in done.err
    assert not tools.server.asked


def test_a_token_file_that_others_can_read_is_used_with_a_warning(tools: Tools, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(tools.server.token + "\n")
    path.chmod(0o644)
    done = tools.run("alerts", "--token-file", path, GRAFANA_TOKEN="")
    assert done.code == 0
    assert f"chmod 600 {path}" in done.err
    path.chmod(0o600)
    assert tools.run("alerts", "--token-file", path, GRAFANA_TOKEN="").err == ""


@pytest.mark.parametrize("text", ["", "two tokens", "a\nb", "glsa_ö", "glsa_\x1b[2J"])
def test_what_cannot_be_a_token_is_not_sent(tools: Tools, tmp_path: Path, text: str) -> None:
    path = tmp_path / "token"
    path.write_text(text)
    path.chmod(0o600)
    done = tools.run("alerts", "--token-file", path)
    assert done.code == 2
    assert str(path) in done.err
    assert not tools.server.asked


def test_a_token_comes_from_a_pipe_of_the_shell_and_not_from_a_fifo(tools: Tools, tmp_path: Path) -> None:
    end, write = os.pipe()
    os.write(write, tools.server.token.encode())
    os.close(write)
    done = tools.run("alerts", "--token-file", f"/dev/fd/{end}", GRAFANA_TOKEN="")
    os.close(end)
    assert (done.code, done.err) == (0, "")
    os.mkfifo(tmp_path / "fifo.json")
    for arguments in (("alerts", "--token-file", tmp_path / "fifo.json"), ("import", tmp_path)):
        done = tools.run(*arguments)
        assert (done.code, "it is a pipe, and no file" in done.err) == (2, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ["alerts", "--url", "http://user:pass-word@h/?a=b"],
        ["alerts", "--state", "http://user:pass-word@host"],
        ["http://user:pass-word@host"],
        ["alerts", "http://user:pass-word@host"],
        ["alerts", "--ca", "http://user:pass-word@host"],
        ["export", "--uid", "http://user:pass-word@host"],
        ["import", "http://user:pass-word@host"],
        ["import", ".", "--datasource", "http://user:pass-word@host"],
        ["alerts", "--token-file", "http://user:pass-word@host"],
        ["alerts", "--label", "http://user:pass-word@host"],
    ],
    ids=" ".join,
)
def test_no_message_shows_a_password_of_an_argument(tools: Tools, arguments: list[str]) -> None:
    done = tools.run(*arguments)
    assert done.code == 2
    assert "pass-word" not in done.out + done.err


def test_a_token_file_that_is_not_there_is_named(tools: Tools, tmp_path: Path) -> None:
    done = tools.run("alerts", "--token-file", tmp_path / "none")
    assert (done.code, "none: No such file" in done.err) == (2, True)


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1", "127.0.0.1:3000", "http://", "http://x:0/", "http://h/?a=b", "http://[/"]
)
def test_a_url_that_cannot_be_grafanas_is_wrong_use(tools: Tools, url: str) -> None:
    done = tools.run("alerts", "--url", url)
    assert done.code == 2
    assert "--url" in done.err


def test_a_password_in_the_url_is_refused_and_not_repeated(tools: Tools) -> None:
    done = tools.run("alerts", "--url", "http://admin:hunter2@127.0.0.1:3000")
    assert done.code == 2
    assert "hunter2" not in done.err


@pytest.mark.parametrize("command", [("alerts",), ("export",), ("import", ROOT / "grafana" / "dashboards")])
def test_a_wrong_token_is_a_sentence_that_says_what_to_do(tools: Tools, command: tuple[Any, ...]) -> None:
    done = tools.run(*command, GRAFANA_TOKEN="glsa_deleted")  # noqa: S106
    assert done.code == 1
    assert "create-token" in done.err
    assert "Invalid API key" in done.err
    assert "glsa_deleted" not in done.err


def base64_of(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("shape", [str, quote_plus, base64_of, lambda token: f"{'x' * 160} {token}"])
@pytest.mark.parametrize("command", [("alerts",), ("alerts", "--nagios"), ("export",)])
def test_a_token_that_the_server_repeats_is_not_shown(tools: Tools, command: tuple[str, ...], shape: Any) -> None:
    token = "glsa_Qm9va3NhbmRsZXR0ZXJzXzEyMzQ1Njc4OTA_9f8e7d6c"  # noqa: S105
    for fault in (faults.status(403, f"no right for {shape(token)}"), faults.redirect(f"/login?{shape(token)}")):
        tools.server.broken[""] = fault
        done = tools.run(*command, GRAFANA_TOKEN=token)
        assert token[:12] not in done.out + done.err
        assert base64_of(token)[:12] not in done.out + done.err
        assert "***" in done.out + done.err


def test_a_token_in_an_alert_is_not_shown(tools: Tools) -> None:
    tools.server.alerts = [alert(annotations={"summary": f"try {tools.server.token}"})]
    done = tools.run("alerts", role="Viewer")
    assert (done.code, "try ***" in done.out) == (0, True)


def test_a_password_that_the_server_repeats_is_not_shown(tools: Tools, tmp_path: Path) -> None:
    login = base64_of(f"{tools.server.user}:{tools.server.password}")
    tools.server.broken["/api/serviceaccounts"] = faults.status(400, f"{tools.server.password} in {login}")
    done = tools.create_token("--name", "x", "--output", tmp_path / "token")
    assert (done.code, "*** in ***" in done.err, login in done.err) == (1, True, False)


def test_a_missing_role_is_named(tools: Tools, tmp_path: Path) -> None:
    path = saved(tmp_path / "x.json", board())
    done = tools.run("import", path, role="Viewer")
    assert done.code == 1
    assert "needs the role Editor" in done.err


def test_nobody_there_is_said_so(tools: Tools) -> None:
    done = tools.run("alerts", "--url", "http://127.0.0.1:1")
    assert done.code == 1
    assert "nobody listens" in done.err


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (faults.GARBAGE, "text/html"),
        (faults.raw(b""), "not JSON"),
        (faults.raw(b'{"a": NaN}'), "not JSON"),
        (faults.raw(b"[" * 100_000), "not JSON"),
        (faults.raw(b"\xff\xfe"), "not JSON"),
        (faults.raw(b"9" * 10_000), "not JSON"),
        (faults.answer({"message": "hello"}), "not a list of alerts"),
        (faults.status(404), "base path"),
        (faults.status(429), "try again"),
        (faults.status(500, "database \x1b[2J locked"), "its own log"),
        (faults.status(409, "conflict"), "409"),
        (faults.raw(b"<h1>Bad gateway</h1>", "text/html", 502), "502"),
        (faults.huge, "larger than 32 MiB"),
        (faults.endless, "larger than 32 MiB"),
        (faults.hang_up, "connection broke"),
    ],
)
def test_whatever_comes_back_is_one_sentence(tools: Tools, fault: Fault, said: str) -> None:
    tools.server.broken["/api/alertmanager"] = fault
    done = tools.run("alerts")
    assert (done.code, done.out) == (1, "")
    assert said in done.err
    assert done.err.count("\n") == 1
    assert tools.server.url in done.err


@pytest.mark.parametrize("fault", [faults.dribble, faults.slow(30)], ids=["dribble", "slow"])
def test_an_answer_that_does_not_end_in_time_is_given_up(tools: Tools, fault: Fault) -> None:
    tools.server.broken["/api/org"] = fault
    server = Server(tools.server.url, Credentials(token=tools.server.token), seconds=0.5)
    began = datetime.now(UTC)
    with pytest.raises(GrafanaError, match="not complete within"):
        server.get("/api/org", NEED)
    assert datetime.now(UTC) - began < timedelta(seconds=5)


def test_a_token_never_follows_a_redirect(tools: Tools) -> None:
    with grafana() as other:
        tools.server.broken["/api/alertmanager"] = faults.redirect(f"{other.url}/\x9b2J")
        done = tools.run("alerts")
        assert done.code == 1
        assert other.url in done.err
        assert not other.asked


def test_proxies_and_a_netrc_of_the_environment_are_left_alone(tools: Tools, tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login admin password wrong\n")
    done = tools.run("alerts", http_proxy="http://127.0.0.1:1", HOME=str(tmp_path), NETRC=str(tmp_path / ".netrc"))
    assert done.code == 0
    assert {asked.headers["authorization"] for asked in tools.server.asked} == {
        f"Bearer {tools.server.tokens['Editor']}"
    }


def test_a_base_path_stays_part_of_the_address(tools: Tools) -> None:
    done = tools.run("alerts", "--url", tools.server.url + "/grafana/")
    assert "base path" in done.err
    assert tools.server.asked[0].path == "/grafana/api/alertmanager/grafana/api/v2/alerts"


def test_only_plain_http_to_another_machine_is_warned_about(tools: Tools) -> None:
    assert plain("http://grafana.example.org")
    assert not plain("https://grafana.example.org")
    assert not plain(tools.server.url)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the certificate and key of an authority of its own, for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a test's authority")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + key.private_bytes(*form))
    return path


def test_tls_is_verified_and_ca_names_the_authority(tools: Tools, certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with grafana(context) as server:
        done = tools.run("alerts", "--url", server.url)
        assert done.code == 1
        assert "--ca" in done.err
        assert not server.asked
        assert tools.run("alerts", "--url", server.url, "--ca", certificate).code == 0
    assert tools.run("alerts", "--ca", certificate.parent / "none").code == 2
    assert tools.run("alerts", "--url", server.url, "--ca", Path(__file__)).code == 1


# --- create-token -----------------------------------------------------------------------------------


def test_a_new_service_account_gets_a_token_that_ends_in_a_file_of_its_own(tools: Tools, tmp_path: Path) -> None:
    path = tmp_path / "token"
    done = tools.create_token("--name", "cvmfs-nagios", "--output", path)
    assert (done.code, done.out) == (0, "")
    assert path.stat().st_mode & 0o777 == 0o600
    (issued,) = tools.server.issued
    assert path.read_text() == issued["key"] + "\n"
    assert issued["key"] not in done.err
    assert (issued["account"], issued["secondsToLive"]) == ("cvmfs-nagios", 90 * 86400)
    assert [account["role"] for account in tools.server.accounts] == ["Viewer"]
    assert [file.name for file in tmp_path.iterdir()] == ["token"]


def test_the_service_account_of_that_name_is_found_again(tools: Tools, tmp_path: Path) -> None:
    for name in ("cvmfs-export-2", "cvmfs-export", "cvmfs-export"):
        done = tools.create_token("--name", name, "--role", "Editor", "--expires", "never", "--output", tmp_path / "t")
        assert done.code == 0
    assert [account["name"] for account in tools.server.accounts] == ["cvmfs-export-2", "cvmfs-export"]
    assert [issued["account"] for issued in tools.server.issued] == ["cvmfs-export-2", "cvmfs-export", "cvmfs-export"]
    assert "found the service account" in done.err
    assert tools.server.issued[-1]["secondsToLive"] == 0


def test_stdout_has_the_token_and_nothing_else_if_it_is_asked_for(tools: Tools) -> None:
    done = tools.create_token("--name", "x", "--output", "-", "--expires", "12h")
    assert done.out == tools.server.issued[0]["key"] + "\n"
    assert tools.server.issued[0]["secondsToLive"] == 12 * 3600


def test_an_account_with_another_role_or_a_disabled_one_gets_no_token(tools: Tools, tmp_path: Path) -> None:
    old = {"id": 7, "name": "x", "role": "Admin", "isDisabled": False}
    tools.server.accounts.append(old)
    done = tools.create_token("--name", "x", "--output", tmp_path / "t")
    assert (done.code, "role Admin, not Viewer" in done.err) == (1, True)
    old.update(role="Viewer", isDisabled=True)
    done = tools.create_token("--name", "x", "--output", tmp_path / "t")
    assert (done.code, "disabled" in done.err) == (1, True)
    assert not tools.server.issued
    assert not list(tmp_path.iterdir())


def test_no_token_is_made_that_could_not_be_kept(tools: Tools, tmp_path: Path) -> None:
    done = tools.create_token("--name", "x", "--output", tmp_path / "none" / "t")
    assert (done.code, "No such file" in done.err) == (2, True)
    (tmp_path / "link").symlink_to("/dev/null")
    for target in (tmp_path, tmp_path / "link", Path("/dev/null")):
        done = tools.create_token("--name", "x", "--output", target)
        assert (done.code, "is no plain file" in done.err) == (2, True)
    assert not tools.server.asked
    assert (tmp_path / "link").is_symlink()


def test_a_wrong_password_is_said_and_not_shown(tools: Tools) -> None:
    done = tools.create_token("--name", "x", "--output", "-", GRAFANA_PASSWORD="hünter2")  # noqa: S106
    assert (done.code, "GRAFANA_PASSWORD" in done.err) == (1, True)
    assert "hünter2" not in done.err


def test_a_password_may_have_letters_that_latin_1_has_not(tools: Tools) -> None:
    tools.server.password = "пароль ☃"  # noqa: S105
    assert tools.create_token("--name", "x", "--output", "-").code == 0


def test_without_a_password_and_a_terminal_nobody_is_asked(tools: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        done = tools.create_token("--name", "x", "--output", "-", GRAFANA_PASSWORD="")
    assert (done.code, "GRAFANA_PASSWORD" in done.err) == (2, True)


def test_in_a_terminal_user_and_password_are_asked_for(tools: Tools) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "grafana.tools", "create-token", "--name", "x", "--output", "-"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GRAFANA")}
    environment = kept | {"GRAFANA_URL": tools.server.url}
    pipes = {"stdout": subprocess.PIPE, "stderr": theirs, "stdin": theirs}
    with subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True, text=True, **pipes) as process:  # type: ignore[call-overload]
        os.close(theirs)
        os.write(ours, f"{tools.server.user}\n".encode())
        shown = b""
        while b"Password" not in shown:
            shown += os.read(ours, 1000)
        os.write(ours, f"{tools.server.password}\n".encode())
        out, _ = process.communicate(timeout=20)
    os.close(ours)
    assert process.returncode == 0
    assert out == tools.server.issued[0]["key"] + "\n"


def test_a_limit_of_this_grafana_is_explained(tools: Tools) -> None:
    tools.server.longest_life = 86400
    for life in ("90d", "never"):
        done = tools.create_token("--name", "x", "--output", "-", "--expires", life)
        assert (done.code, "--expires" in done.err) == (1, True)


@pytest.mark.parametrize("key", [None, 5, "", "a\nb", "x" * 9999, "\x1b[2J"])
def test_an_answer_without_a_usable_token_is_a_failure(tools: Tools, tmp_path: Path, key: Any) -> None:
    tools.server.accounts.append({"id": 7, "name": "x", "role": "Viewer", "isDisabled": False})
    tools.server.broken["/api/serviceaccounts/7/tokens"] = faults.answer({"key": key})
    done = tools.create_token("--name", "x", "--output", tmp_path / "t")
    assert (done.code, "did not tell it" in done.err) == (1, True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("document", [[], {"serviceAccounts": 5}, {"serviceAccounts": [{"name": "x", "id": "../9"}]}])
def test_a_list_of_accounts_that_is_none_is_a_failure(tools: Tools, document: Any) -> None:
    tools.server.broken["/api/serviceaccounts/search"] = faults.answer(document)
    done = tools.create_token("--name", "x", "--output", "-")
    assert (done.code, done.out) == (1, "")


@pytest.mark.parametrize("life", ["0s", "soon", "-1d", "101w9999999d"])
def test_an_expiry_that_is_none_is_wrong_use(tools: Tools, life: str) -> None:
    assert tools.create_token("--name", "x", "--output", "-", f"--expires={life}").code == 2


def test_only_grafanas_present_api_is_used(tools: Tools, tmp_path: Path) -> None:
    tools.server.add_dashboard(board(), "CVMFS")
    tools.create_token("--name", "x", "--output", "-")
    tools.run("export", "--to", tmp_path)
    tools.run("import", tmp_path, "--folder", "Another")
    tools.run("alerts")
    paths = {asked.path for asked in tools.server.asked}
    assert len(paths) >= 7
    assert not [path for path in paths if path.startswith(("/api/auth", "/api/alerts", "/api/alert-notifications"))]


# --- alerts -----------------------------------------------------------------------------------------


def test_alerts_are_lines_worst_first(tools: Tools) -> None:
    silenced = alert("critical", "suppressed", status={"state": "suppressed", "silencedBy": ["s"], "inhibitedBy": []})
    tools.server.alerts = [alert("info"), silenced, alert("warning"), alert("critical")]
    done = tools.run("alerts", "--state", "all", role="Viewer")
    assert done.code == 0
    *lines, end = done.out.splitlines()
    assert [" ".join(line.split()[:2]) for line in lines] == [
        "critical lagging",
        "warning lagging",
        "info lagging",
        "critical (silenced)",
    ]
    first = lines[0].split("  ")
    assert {"s1.example.org", "sw.example.org", "sw.example.org is behind on s1.example.org"} <= set(first)
    assert "2026-11-22 09:00 UTC" in lines[0]
    assert lines[0].endswith("http://127.0.0.1:3000/alerting/grafana/cvmfs-lagging/view")
    assert end == "1 critical, 1 warning, 1 info, 1 silenced"


def test_what_is_silenced_is_counted_and_only_shown_if_asked_for(tools: Tools) -> None:
    quiet = [{"silencedBy": ["a"]}, {"inhibitedBy": ["b"]}, {"mutedBy": ["c"]}, {}]
    tools.server.alerts = [alert(status={"state": "suppressed", **why}) for why in quiet]
    done = tools.run("alerts")
    assert done.out == "1 silenced, 1 inhibited, 1 muted, 1 suppressed; --state all shows them all\n"
    assert tools.run("alerts", "--state", "all").out.count("lagging") == 8  # the finding, and the name in the link


def test_no_alerts_is_said(tools: Tools) -> None:
    assert tools.run("alerts").out == "no alerts\n"


def test_labels_choose_alerts(tools: Tools) -> None:
    other = alert("critical", annotations={})
    other["labels"] = {"alertname": "Disk full", "severity": "critical"}
    tools.server.alerts = [alert(), other]
    done = tools.run("alerts", "--label", "component=cvmfs", "--label", "finding=lagging")
    assert done.out.endswith("1 warning\n")
    assert "Disk full" in tools.run("alerts").out
    assert tools.run("alerts", "--label", "component").code == 2


def test_json_has_what_the_lines_have_and_all_labels(tools: Tools) -> None:
    tools.server.alerts = [alert("critical"), alert(annotations={}, startsAt="never", generatorURL="javascript:x")]
    document = json.loads(tools.run("alerts", "--format", "json").out)
    assert document["counts"] == {"critical": 1, "warning": 1}
    first, second = document["alerts"]
    assert first["since"] == "2026-11-22T09:00:00.123000+00:00"
    assert first["labels"]["component"] == "cvmfs"
    assert "since" not in second
    assert "link" not in second
    assert second["summary"] == "Lagging"


NAGIOS = [
    ([], 0, "CVMFS OK - no alerts | critical=0;;0;0 warning=0;0;;0 info=0;;;0 suppressed=0;;;0"),
    ([alert("info")], 0, "CVMFS OK - 1 info |"),
    ([alert("warning")], 1, "CVMFS WARNING - 1 warning: sw.example.org is behind on s1.example.org |"),
    ([alert("warning"), alert("critical")], 2, "CVMFS CRITICAL - 1 critical, 1 warning: "),
    ([alert("critical", status={"state": "suppressed", "silencedBy": ["x"]})], 0, "CVMFS OK - 1 silenced |"),
    ([alert("page-me")], 1, "CVMFS WARNING - 1 warning"),
    ([alert("critical", status=None)], 2, "CVMFS CRITICAL"),
    ([alert("critical", status={"state": "unprocessed"})], 2, "CVMFS CRITICAL"),
]


@pytest.mark.parametrize(("alerts", "code", "first"), NAGIOS, ids=[first for _, _, first in NAGIOS])
def test_as_a_nagios_check_the_exit_code_says_how_bad_it_is(
    tools: Tools, alerts: list[Any], code: int, first: str
) -> None:
    tools.server.alerts = alerts
    done = tools.run("alerts", "--nagios")
    assert done.code == code
    assert done.out.startswith(first)
    assert done.err == ""


def test_a_nagios_check_that_cannot_ask_is_unknown(tools: Tools) -> None:
    for arguments in (["--url", "http://127.0.0.1:1"], ["--url", "nonsense"], ["--label", "x"], ["--nonsense"]):
        done = tools.run("alerts", "--nagios", *arguments)
        assert done.code == 3
        assert done.out.startswith("CVMFS UNKNOWN - ")
        assert done.out.count("\n") == 1
    assert tools.run("alerts", "--nagios", GRAFANA_TOKEN="").code == 3


def test_a_nagios_check_has_one_bar_and_not_too_many_lines(tools: Tools) -> None:
    tools.server.alerts = [alert(annotations={"summary": f"a | b {number}\n| c"}) for number in range(25)]
    done = tools.run("alerts", "--nagios")
    assert done.out.count("|") == 1
    assert len(done.out.splitlines()) == 22
    assert done.out.endswith("and 5 more\n")


def test_alerts_of_whoever_do_not_steer_the_terminal(tools: Tools) -> None:
    hostile = alert(annotations={"summary": "\x1b[2J\x1b[H all is well \u202e\x9b31m\r\n" + "x" * 9999})
    hostile["labels"] |= {"server": "\x1b]0;owned\x07", "repo": "a\nb", "finding": "\u2028", "severity": "critical\x00"}
    tools.server.alerts = [hostile]
    for arguments in ([], ["--nagios"], ["--format", "json"]):
        assert "lagging/view" in tools.run("alerts", *arguments).out


@pytest.mark.parametrize(
    "row", [5, {}, {"labels": []}, {"labels": {"a": 5}}, {"labels": {}, "annotations": "x"}], ids=str
)
def test_an_alert_that_is_not_understood_is_no_silence(tools: Tools, row: Any) -> None:
    tools.server.alerts = [alert(), row]
    assert "alert 2" in tools.run("alerts").err
    assert tools.run("alerts", "--nagios").code == 3


@pytest.mark.parametrize("since", [None, 5, "", "2026-11-22", "2026-11-22T09:00:00", "2999-01-01T00:00:00Z", "x" * 999])
def test_an_alert_since_whenever_is_shown(tools: Tools, since: Any) -> None:
    tools.server.alerts = [alert(startsAt=since), alert()]
    assert tools.run("alerts").out.endswith("2 warning\n")


# --- the command line -------------------------------------------------------------------------------


def test_relay_is_handed_its_own_arguments(tools: Tools) -> None:
    seen: list[Any] = []

    def relay(arguments: list[str]) -> int:
        seen.append(list(arguments))
        return 7

    tools.patch.setitem(sys.modules, "grafana.relay", types.SimpleNamespace(main=relay))
    assert tools.run("relay", "--config", "x").code == 7
    assert seen == [["--config", "x"]]


def test_the_module_runs_and_does_not_mind_a_reader_that_leaves(tools: Tools) -> None:
    tools.server.alerts = [alert(annotations={"summary": "x" * 200, "n": str(number)}) for number in range(3000)]
    command = [sys.executable, "-m", "grafana.tools", "alerts"]
    environment = os.environ | {"GRAFANA_URL": tools.server.url, "GRAFANA_TOKEN": tools.server.token}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, env=environment, **pipes) as process:  # type: ignore[call-overload]
        process.stdout.read(10)
        process.stdout.close()
        assert process.wait(30) == 0
        assert process.stderr.read() == b""


@pytest.mark.parametrize("how", [">&-", ">/dev/full", "2>&- >&-"])
def test_without_a_place_for_the_output_it_is_no_success_and_no_traceback(tools: Tools, how: str) -> None:
    environment = os.environ | {"GRAFANA_URL": tools.server.url, "GRAFANA_TOKEN": tools.server.token}
    for more, code in (("", 1), (" --nagios", 3)):
        command = ["sh", "-c", f'exec "$0" -m grafana.tools alerts{more} {how}', sys.executable]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode, "Traceback" in done.stderr) == (code, False)


def test_who_ends_the_input_at_a_question_or_has_none_gets_no_traceback(
    tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert tools.create_token("--name", "x", "--output", "-", GRAFANA_PASSWORD="").code == 2
    monkeypatch.setattr(sys, "stdin", type("Terminal", (), {"isatty": lambda _: True})())
    monkeypatch.setattr("getpass.getpass", _ended)
    assert tools.create_token("--name", "x", "--output", "-", GRAFANA_PASSWORD="").code == 1


def _ended(_: str) -> str:
    raise EOFError


def test_a_file_that_is_nested_too_deeply_is_told(tools: Tools, tmp_path: Path) -> None:
    path = tmp_path / "deep.json"
    path.write_text('{"title": "x", "uid": "x", "a": ' + "[" * 700 + "]" * 700 + "}")
    done = tools.run("import", path, "--datasource", "influxdb")
    assert (done.code, "nested too deeply" in done.err or "not JSON" in done.err) == (2, True)


@pytest.mark.parametrize(
    "arguments", [[], ["nonsense"], ["export", "--nonsense"], ["import"], ["create-token", "--name", "x"]]
)
def test_wrong_use_is_2_and_help_is_0(tools: Tools, arguments: list[str]) -> None:
    assert tools.run(*arguments).code == 2
    assert tools.run(*arguments[:1], "--help").code == (2 if arguments[:1] == ["nonsense"] else 0)


def test_no_option_takes_a_secret(tools: Tools) -> None:
    for command in COMMANDS:
        options = {
            word.strip(",[]") for word in tools.run(command, "--help").out.split() if word.startswith(("-", "[-"))
        }
        assert not options & {"--token", "--password", "--key"}


def test_the_documentation_has_every_command_and_option(tools: Tools) -> None:
    text = (ROOT / "docs" / "grafana-tools.md").read_text()
    for command in COMMANDS:
        assert f"## {command}" in text
        for word in tools.run(command, "--help").out.split():
            if (option := word.strip("[],|{}")).startswith("--") and option != "--help":
                assert f"`{option}" in text, f"{command} {option}"
