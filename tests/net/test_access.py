"""Servers that want to know who asks: a client's certificate, headers, a cookie, on both transports; nothing of it is told."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.nginx import free_port
from telegraf_cvmfs.fleet.file import load
from telegraf_cvmfs.model import Access, Answer, ConfigError, FetchError, Result, Role, Server, TransportName
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.net.tls import own_headers
from telegraf_cvmfs.net.transport import Request
from telegraf_cvmfs.words.headers import cookie, headers
from tests.builders import hostile
from tests.builders.asking import BOTH, Asking
from tests.programs.command import run as command
from tests.programs.nginx import nginx_running

SECRET = "a-token-that-nobody-sees"  # noqa: S105  # it is one to look for
NGINX = """
server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    ssl_client_certificate {authority};
    ssl_verify_client {wanted};
    location / {{
        default_type text/plain;
        return 200 "$ssl_client_verify $http_authorization $http_x_site $http_cookie";
    }}
}}
"""


def pem(both: Path) -> tuple[Path, Path]:
    """The certificate and the key of a builder's file, each in a file of its own."""
    parts = re.findall(r"-----BEGIN (.*?)-----.*?-----END \1-----\n", text := both.read_text(), re.DOTALL)
    blocks = dict(zip(parts, re.findall(r"-----BEGIN .*?-----END [^-]+-----\n", text, re.DOTALL), strict=True))
    for name, content in blocks.items():
        both.with_suffix(".key" if "KEY" in name else ".crt").write_text(content)
    return both.with_suffix(".crt"), both.with_suffix(".key")


@contextmanager
def served(nginx: Path, folder: Path, wanted: str) -> Iterator[tuple[str, Path]]:
    """The URL of an nginx that wants a certificate, and the authority of its own and of those that it takes."""
    authority = hostile.certified(folder).authority
    certificate, key = pem(folder / "good")
    port = free_port()
    text = NGINX.format(port=port, certificate=certificate, key=key, authority=authority, wanted=wanted)
    (folder / "site.conf").write_text(text)
    with nginx_running(nginx, folder, port):
        yield f"https://127.0.0.1:{port}", authority


def asked(url: str, access: Access, transport: TransportName) -> Answer | FetchError:
    """What is answered to who has this access."""
    network = Asking(Deadline(20), transport=transport)
    (found,) = network.together([Request(Server(url, "s1", Role.STRATUM1, access=access), f"{url}/x", 1000)])
    network.close()
    assert isinstance(found, (Answer, FetchError))
    return found


def body(found: Answer | FetchError) -> str:
    assert isinstance(found, Answer), found
    return found.body.decode()


@pytest.mark.parametrize("transport", BOTH)
def test_a_client_shows_its_certificate_and_trusts_the_sites_authority_alone(
    nginx: Path, tmp_path: Path, transport: TransportName
) -> None:
    with served(nginx, tmp_path, "on") as (url, authority):
        certificate, key = pem(tmp_path / "other")
        good = Access(client_cert=certificate, client_key=key, ca=authority)
        assert body(asked(url, good, transport)).startswith("SUCCESS")
        both = tmp_path / "both.pem"
        both.write_bytes(certificate.read_bytes() + key.read_bytes())
        assert body(asked(url, Access(client_cert=both, ca=authority), transport)).startswith("SUCCESS")
        without = asked(url, Access(ca=authority), transport)
        assert isinstance(without, (Answer, FetchError))
        assert not isinstance(without, Answer) or without.status == 400
        untrusted = asked(url, Access(client_cert=certificate, client_key=key), transport)
        assert isinstance(untrusted, FetchError)
        assert untrusted.result is Result.TLS_ERROR
        other_authority = asked(
            url, Access(client_cert=certificate, client_key=key, ca=pem(tmp_path / "alone")[0]), transport
        )
        assert isinstance(other_authority, FetchError)
        assert other_authority.result is Result.TLS_ERROR


@pytest.mark.parametrize("transport", BOTH)
def test_headers_and_a_cookie_say_who_asks(nginx: Path, tmp_path: Path, transport: TransportName) -> None:
    (tmp_path / "headers").write_text(f"# of the site\nAuthorization: Bearer {SECRET}\n\nX-Site:  ral \n")
    (tmp_path / "cookie").write_text("session=abc; other=d\n")
    access = Access(headers_file=tmp_path / "headers", cookie_file=tmp_path / "cookie")
    with served(nginx, tmp_path, "off") as (url, authority):
        told = Access(ca=authority, headers_file=access.headers_file, cookie_file=access.cookie_file)
        assert body(asked(url, told, transport)) == f"NONE Bearer {SECRET} ral session=abc; other=d"
        assert body(asked(url, Access(ca=authority), transport)) == "NONE   "


@pytest.mark.parametrize("transport", BOTH)
@pytest.mark.parametrize("wrong", ["gone", "no key", "no header"])
def test_a_file_of_no_use_is_our_own_fault_and_not_the_servers(
    nginx: Path, tmp_path: Path, transport: TransportName, wrong: str
) -> None:
    with served(nginx, tmp_path, "on") as (url, authority):
        certificate, key = pem(tmp_path / "other")
        (tmp_path / "headers").write_text(f"{SECRET}\n")
        access = {
            "gone": Access(ca=tmp_path / "nowhere"),
            "no key": Access(client_cert=certificate, client_key=pem(tmp_path / "good")[1], ca=authority),
            "no header": Access(
                client_cert=certificate, client_key=key, ca=authority, headers_file=tmp_path / "headers"
            ),
        }[wrong]
        found = asked(url, access, transport)
    assert isinstance(found, FetchError)
    assert found.result is Result.OWN_LIMIT
    assert str(tmp_path) in str(found)
    assert SECRET not in str(found)


# --- the fleet file ---------------------------------------------------------------------------------


def fleet(folder: Path, keys: str) -> Path:
    path = folder / "fleet.toml"
    path.write_text(f'[[server]]\nurl = "https://127.0.0.1:1"\nrole = "stratum1"\n{keys}\n')
    return path


def test_a_server_names_its_files_relative_to_the_fleet_file(tmp_path: Path) -> None:
    (tmp_path / "h").write_text(f"Authorization: Bearer {SECRET}\n")
    (tmp_path / "c").write_text("a=b")
    hostile.certified(tmp_path)
    certificate, key = (path.relative_to(tmp_path) for path in pem(tmp_path / "good"))
    keys = f'client_cert = "{certificate}"\nclient_key = "{key}"\nca = "authority.pem"\nheaders_file = "h"\ncookie_file = "c"'
    (server,) = load(fleet(tmp_path, keys)).servers
    assert server.access == Access(
        tmp_path / certificate, tmp_path / key, tmp_path / "authority.pem", tmp_path / "h", tmp_path / "c"
    )
    assert own_headers(server.access) == {"Authorization": f"Bearer {SECRET}", "Cookie": "a=b"}
    assert SECRET not in repr(server)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (
            'client_cert = "nowhere"',
            "line 4: [[server]] number 1 client_cert: {folder}/nowhere: No such file or directory",
        ),
        ('client_cert = "h"', "client_cert: {folder}/h: it is not in PEM form"),
        ('headers_file = "h"', "headers_file: {folder}/h: line 2 is no header such as `Authorization: Bearer ...`"),
        ('cookie_file = "h"', "cookie_file: {folder}/h: it is not one line such as"),
        ('client_key = "k"', "client_key: wants a client_cert beside it"),
        ("ca = 5", "ca: is 5, expected a text in quotes"),
    ],
)
def test_what_is_of_no_use_is_refused_and_not_shown(tmp_path: Path, keys: str, said: str) -> None:
    (tmp_path / "h").write_text(f"X-One: 1\n{SECRET}\n")
    (tmp_path / "k").write_text("-----BEGIN PRIVATE KEY-----\n")
    with pytest.raises(ConfigError) as error:
        load(fleet(tmp_path, keys))
    assert said.format(folder=tmp_path) in str(error.value)
    assert SECRET not in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("A b: c", "line 1 is no header"),
        ("A: b\x00", "line 1 is no header"),
        ("A:", "line 1 is no header"),
        ("Host: other.example", "line 1: Host is not for a file to say"),
        ("\n".join(f"A{number}: b" for number in range(40)), "more than 32 headers"),
    ],
)
def test_what_is_no_header_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        headers(text)


def test_headers_are_read_as_they_are_written() -> None:
    assert headers("# x\n\nA: b c \nX-Y:z") == {"A": "b c", "X-Y": "z"}
    assert cookie(" a=b; c=d \n") == {"Cookie": "a=b; c=d"}
    for text in ("", "a", "a=b\nc=d"):
        with pytest.raises(ValueError, match="it is not one line"):
            cookie(text)


@pytest.mark.parametrize("transport", BOTH)
@pytest.mark.parametrize("form", ["influx", "json", "prometheus", "human"])
def test_no_output_or_spool_has_a_secret(nginx: Path, tmp_path: Path, transport: TransportName, form: str) -> None:
    (tmp_path / "h").write_text(f"Authorization: Bearer {SECRET}\n")
    with served(nginx, tmp_path, "off") as (url, authority):
        path = fleet(tmp_path, f'ca = "{authority}"\nheaders_file = "h"\nrepos = ["repo.tld"]')
        text = path.read_text().replace("https://127.0.0.1:1", url)
        path.write_text(f'[scrape]\ntransport = "{transport}"\n{text}')
        options = ("--spool", tmp_path / "spool", "--state-dir", tmp_path / "state", "--verbose")
        done = command("--config", path, "--format", form, *options)
    assert done.returncode == 0
    assert SECRET not in done.stdout + done.stderr
    for kept in [*(tmp_path / "spool").rglob("*"), *(tmp_path / "state").rglob("*")]:
        if kept.is_file():
            read = subprocess.run(["zcat", "-f", kept], capture_output=True, check=True).stdout
            assert SECRET.encode() not in read
