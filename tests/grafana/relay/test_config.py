"""The relay's file: what it may say, and one sentence for everything else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from grafana.relay.command import main
from grafana.relay.config import Chat, Config, ConfigError, Mail, Matrix, load
from grafana.relay.damping import Damping
from tests import ROOT

EXAMPLE = ROOT / "grafana" / "relay" / "relay.example.toml"
ENVIRONMENT = {
    "CVMFS_RELAY_SECRET": "0123456789abcdef0123456789abcdef",
    "SLACK_WEBHOOK": "https://hooks.slack.com/services/T0/B0/slack-secret",
    "MATTERMOST_WEBHOOK": "https://mattermost.example.org/hooks/mattermost-secret",
    "MATRIX_TOKEN": "syt_matrix_secret",
    "MAIL_PASSWORD": "mail-secret",
    "HOME": "/home/relay",
}
SLACK = '[[receiver]]\nkind = "slack"\nurl_env = "SLACK_WEBHOOK"\n'
MATRIX = '[[receiver]]\nkind = "matrix"\nhomeserver = "https://m.example.org"\nroom = "!r:m.example.org"\n'
MAIL = '[[receiver]]\nkind = "mail"\nhost = "mail.example.org"\nfrom = "a@example.org"\nto = ["b@example.org"]\n'


def read(folder: Path, text: str) -> Config:
    path = folder / "relay.toml"
    path.write_text(text)
    return load(path, ENVIRONMENT)


def test_the_example_is_understood_and_says_the_defaults() -> None:
    config = load(EXAMPLE, ENVIRONMENT)
    assert config.receivers == (Chat("slack", "slack", ENVIRONMENT["SLACK_WEBHOOK"], None),)
    assert config.warnings == ()
    assert (config.host, config.port, config.secret) == ("127.0.0.1", 9099, ENVIRONMENT["CVMFS_RELAY_SECRET"])
    assert config.damping == Damping()


def test_what_the_example_comments_out_is_the_default_or_understood_too(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("")
    lines = [
        line.lstrip("# ") if line.startswith("# ") and (" = " in line or "[[" in line) else line
        for line in EXAMPLE.read_text().splitlines()
    ]
    text = "\n".join(lines).replace("/etc/ssl/certs/our-authority.pem", "ca.pem")
    config = read(tmp_path, text)
    assert str(config.state) == "/var/lib/cvmfs-relay/relay.json"
    assert config.give_up == load(EXAMPLE, ENVIRONMENT).give_up
    assert config.receivers == (
        Chat("slack", "slack", ENVIRONMENT["SLACK_WEBHOOK"], None),
        Chat("mattermost", "mattermost", ENVIRONMENT["MATTERMOST_WEBHOOK"], tmp_path / "ca.pem"),
        Matrix("matrix", "https://matrix.example.org", "!abcdefghijklmnop:example.org", "syt_matrix_secret", None),
        Mail(
            "mail to the operators", "mail.example.org", 587, "starttls", "cvmfs-alerts@example.org",
            ("ops@example.org",), "cvmfs-alerts", "mail-secret", None,
        ),
    )  # fmt: skip


def test_the_state_lies_where_systemd_says_or_in_the_users_folder(tmp_path: Path) -> None:
    path = tmp_path / "relay.toml"
    path.write_text(SLACK)
    assert load(path, {**ENVIRONMENT, "STATE_DIRECTORY": "/var/lib/x"}).state == Path("/var/lib/x/relay.json")
    assert load(path, ENVIRONMENT).state == Path("/home/relay/.local/state/cvmfs-relay/relay.json")
    homeless = {name: value for name, value in ENVIRONMENT.items() if name != "HOME"}
    with pytest.raises(ConfigError, match="state: expected a file for it"):  # not /var/tmp, where others write too
        load(path, homeless)


def test_a_secret_may_lie_in_a_file_which_nobody_else_should_read(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("from-the-file\n")
    secret.chmod(0o600)
    config = read(tmp_path, MATRIX + 'token_file = "token"\n')
    assert isinstance(config.receivers[0], Matrix)
    assert (config.receivers[0].token, len(config.warnings)) == ("from-the-file", 1)  # the other: no secret of its own
    secret.chmod(0o640)
    assert any("chmod 600" in warning for warning in read(tmp_path, MATRIX + 'token_file = "token"\n').warnings)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "receiver: expected one to 20 tables"),
        ("receiver = 1", "receiver: expected one to 20 tables"),
        ("x = [", "not TOML"),
        ("a." * 2000 + "b = 1", "not TOML|is not known"),
        ("listn = '127.0.0.1:9099'\n" + SLACK, "'listn' is not known: expected one of listen"),
        ("listen = 9099\n" + SLACK, 'listen: expected an IP address and a port such as "127.0.0.1:9099"'),
        ("listen = 'grafana:9099'\n" + SLACK, "listen: expected an IP address"),
        ("listen = '1.2.3.4:70000'\n" + SLACK, "listen: expected an IP address"),
        ("listen = '0.0.0.0:9099'\n" + SLACK, "listen: expected secret_env or secret_file .* not loopback"),
        ("listen = '[::]:9099'\n" + SLACK, "listen: expected secret_env or secret_file"),
        ("secret_env = 'NOT_THERE'\n" + SLACK, "secret_env: .*NOT_THERE is not set"),
        ("secret_env = 'MAIL_PASSWORD'\n" + SLACK, "secret: expected at least 16 characters"),
        ("secret_env = 'CVMFS_RELAY_SECRET'\nsecret_file = 'x'\n" + SLACK, "secret: .*not both"),
        (
            "secret_env = 'this is the secret itself'\n" + SLACK,
            "secret_env: expected the name of an environment variable",
        ),
        ("secret = 'this is the secret itself'\n" + SLACK, "'secret' is not known"),
        ("secret_file = 'nowhere'\n" + SLACK, "secret_file: .*nowhere cannot be read"),
        ("[damping]\nhold = 6\n" + SLACK, "damping: hold: expected a duration in quotes"),
        ("[damping]\nrepeat = '0s'\n" + SLACK, 'damping: repeat: expected a duration of at least "1s"'),
        ("[damping]\nflapping_changes = 2\n" + SLACK, "flapping_changes: expected a whole number from 3 to 50"),
        ("[damping]\nworst = true\n" + SLACK, "worst: expected a whole number"),
        ("[damping]\nholdd = '6m'\n" + SLACK, "damping: 'holdd' is not known"),
        ("damping = 1\n" + SLACK, "damping: expected a table"),
        ("[[receiver]]\nkind = 'irc'\n", "receiver 1: kind: expected one of slack, mattermost, matrix, mail"),
        ("[[receiver]]\nkind = ['slack']\n", "receiver 1: kind"),
        ("receiver = [1]\n", "receiver 1: kind"),
        ("[[receiver]]\nkind = 'slack'\n", r"receiver 1 \(slack\): url: expected url_env"),
        ("[[receiver]]\nkind = 'slack'\nurl = 'https://hooks.slack.com/x'\n", "'url' is not known"),
        ("[[receiver]]\nkind = 'slack'\nurl_env = 'MATRIX_TOKEN'\n", "what url_env or url_file names: expected a URL"),
        (SLACK + SLACK, "two are 'slack'"),
        (SLACK + "ca = 'nowhere.pem'\n", "ca: expected a file of certificates"),
        (SLACK + "plain_http = 'yes'\n", "plain_http: expected true or false"),
        (
            "[[receiver]]\nkind = 'matrix'\nhomeserver = 'https://m.example.org'\ntoken_env = 'MATRIX_TOKEN'\n",
            r"\(matrix\): room: expected it",
        ),
        (MATRIX.replace("!r:", "#r:") + "token_env = 'MATRIX_TOKEN'\n", "room: expected a room ID"),
        (
            MATRIX.replace("https:", "http:") + "token_env = 'MATRIX_TOKEN'\n",
            "homeserver: expected a URL that begins with https",
        ),
        (MATRIX, "token: expected token_env"),
        (MAIL + "user = 'x'\n", "password: expected password_env"),
        (MAIL + "user = 'x'\npassword_env = 'MAIL_PASSWORD'\ntls = 'none'\n", "tls: .*not sent in the clear"),
        (MAIL + "tls = 'maybe'\n", "tls: expected"),
        (MAIL + "port = 0\n", "port: expected a whole number from 1 to 65535"),
        (MAIL.replace('"a@example.org"', '"A <a@example.org>"'), "from: expected a mail address"),
        (MAIL.replace('"a@example.org"', r'"a@example.org\nBcc: x@example.org"'), "from: expected a mail address"),
        (MAIL.replace('["b@example.org"]', "[]"), "to: expected a list of mail addresses"),
        ("proxy = 'squid:3128'\n" + SLACK, "proxy: expected"),
        ("give_up = 'never'\n" + SLACK, "give_up: expected a duration"),
        ("state = ''\n" + SLACK, "state: expected a text"),
    ],
)
def test_what_is_not_understood_is_refused_in_one_sentence(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as error:
        read(tmp_path, text)
    assert str(error.value).startswith(f"{tmp_path / 'relay.toml'}: ")
    assert "\n" not in str(error.value)
    for name in ("SLACK_WEBHOOK", "MATRIX_TOKEN", "MAIL_PASSWORD", "CVMFS_RELAY_SECRET"):
        assert ENVIRONMENT[name] not in str(error.value)


@pytest.mark.parametrize("odd", ["relay.toml", "token"])
def test_a_file_that_is_none_is_refused_at_once(tmp_path: Path, odd: str) -> None:
    os.mkfifo(tmp_path / odd)
    if odd == "token":
        (tmp_path / "relay.toml").write_text(MATRIX + 'token_file = "token"\n')
    with pytest.raises(ConfigError, match=f"{tmp_path / odd}.* cannot be read .*it is a pipe, and no file"):
        load(tmp_path / "relay.toml", ENVIRONMENT)


def test_a_pipe_of_the_shell_may_be_the_file_or_hold_a_secret(tmp_path: Path) -> None:
    with _piped(SLACK) as path:
        assert load(path, ENVIRONMENT).receivers
    with _piped("syt_of_a_pipe\n") as path:
        (matrix,) = read(tmp_path, f"{MATRIX}token_file = '{path}'\n").receivers
    assert isinstance(matrix, Matrix)
    assert matrix.token == "syt_of_a_pipe"  # noqa: S105


@contextmanager
def _piped(text: str) -> Iterator[Path]:
    end, write = os.pipe()
    os.write(write, text.encode())
    os.close(write)
    yield Path(f"/dev/fd/{end}")
    os.close(end)


@pytest.mark.parametrize(
    "text",
    [
        "'http://user:pass-word@host' = 1\n",
        "['http://user:pass-word@host']\n['http://user:pass-word@host']\n",
        2 * (SLACK + "name = 'http://user:pass-word@host'\n"),
        "proxy = 'user:pass-word@host:3128'\n" + SLACK,
    ],
)
def test_no_message_shows_a_password_of_a_value(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError) as error:
        read(tmp_path, text)
    assert "pass-word" not in str(error.value)


def test_no_message_shows_a_password_of_an_argument(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--config", "http://user:pass-word@host"], ["http://user:pass-word@host"]):
        assert main(arguments) == 2
    assert "pass-word" not in capsys.readouterr().err


def test_a_webhook_without_tls_is_refused_unless_it_is_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENVIRONMENT, "SLACK_WEBHOOK", "http://mattermost:8065/hooks/x")
    with pytest.raises(ConfigError, match="plain_http = true"):
        read(tmp_path, SLACK)
    assert read(tmp_path, SLACK + "plain_http = true\n").receivers


def test_another_address_than_loopback_is_allowed_with_a_secret(tmp_path: Path) -> None:
    config = read(tmp_path, "listen = '0.0.0.0:9099'\nsecret_env = 'CVMFS_RELAY_SECRET'\n" + SLACK)
    assert (config.host, config.warnings) == ("0.0.0.0", ())  # noqa: S104


def test_no_secret_is_shown_when_the_configuration_is(tmp_path: Path) -> None:
    shown = repr(load(EXAMPLE, ENVIRONMENT)) + repr(read(tmp_path, SLACK))
    assert not any(ENVIRONMENT[name] in shown for name in ENVIRONMENT if name != "HOME")


def test_a_file_that_cannot_be_used_ends_the_command_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--config", str(tmp_path / "nowhere.toml")], ["--confg", "x"]):
        assert main(arguments) == 2
    said = capsys.readouterr().err
    assert f"E! {tmp_path / 'nowhere.toml'}: cannot be read (No such file or directory)" in said
    assert "Traceback" not in said
