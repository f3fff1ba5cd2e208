"""The fleet file: what it means, and what is refused, with the place and what would be right."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from telegraf_cvmfs.fleet.address import Address, proxy_address, server_address, server_name
from telegraf_cvmfs.fleet.file import SECTIONS, load, parse, with_servers
from telegraf_cvmfs.model import LIMITS, Backend, ConfigError, Fleet, Limit, Role, Server

KEY = "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n"

EVERYTHING = """
[fleet]
name = "eessi"
keys = ["keys/eessi.io.pub"]
only = ["*.eessi.io"]
repos = ["software.eessi.io"]
ignore_repos = ["*.test.eessi.io"]

[scrape]
deadline = "30s"
connections_per_server = 4
proxy = "http://squid.example:3128"
publish_window = "12h"

[limits]
snapshot_old_warning = "4h"
snapshot_old_critical = "off"
check_failed_warning = "off"

[geoapi]
enabled = true
servers = ["s1-a.example", "s1-b.example"]

[state]
dir = "/var/lib/telegraf-cvmfs"

[[server]]
url = "http://stratum1.example:8000/"
role = "stratum1"
name = "no"
backend = "s3"
repos = ["riscv.eessi.io"]
ignore_repos = ["dev.eessi.io"]
limits = { geodb_old_warning = "off", snapshot_old_warning = "6h" }

[[server]]
url = "stratum0.example"
role = "stratum0"

[[repository]]
name = "*.galaxyproject.org"
keys = ["keys/eessi.io.pub"]
snapshot_factor = 1.5
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "eessi.io.pub").write_text(KEY)
    return tmp_path


def refused(text: str, folder: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text, folder / "fleet.toml")
    return str(caught.value)


def test_every_key_of_the_contract_arrives(folder: Path) -> None:
    fleet = parse(EVERYTHING, folder / "fleet.toml")
    assert (fleet.name, fleet.only, fleet.repos) == ("eessi", ("*.eessi.io",), ("software.eessi.io",))
    assert fleet.ignore_repos == ("*.test.eessi.io",)
    assert fleet.keys == (folder / "keys" / "eessi.io.pub",)
    assert (fleet.deadline, fleet.publish_window) == (timedelta(seconds=30), timedelta(hours=12))
    assert (fleet.connections_per_server, fleet.proxy) == (4, "http://squid.example:3128")
    assert fleet.geoapi.servers == ("s1-a.example", "s1-b.example")
    assert fleet.state_dir == "/var/lib/telegraf-cvmfs"
    assert fleet.rules[0].snapshot_factor == 1.5
    assert fleet.rules[0].keys == fleet.keys
    first, second = fleet.servers
    assert (first.url, first.name, first.role, first.backend) == (
        "http://stratum1.example:8000",
        "no",
        Role.STRATUM1,
        Backend.S3,
    )
    assert (first.repos, first.ignore_repos) == (("riscv.eessi.io",), ("dev.eessi.io",))
    assert (second.url, second.name, second.role) == ("http://stratum0.example", "stratum0.example", Role.STRATUM0)


def test_limits_of_the_file_move_the_defaults_and_a_servers_own_move_those(folder: Path) -> None:
    first, second = parse(EVERYTHING, folder / "fleet.toml").servers
    assert second.limits["snapshot_old"] == Limit(timedelta(hours=4), None)
    assert second.limits["check_failed"] == Limit()
    assert second.limits["lagging"] == LIMITS["lagging"]
    assert second.limits["geodb_old"] == LIMITS["geodb_old"]
    assert first.limits["snapshot_old"] == Limit(timedelta(hours=6), None)
    assert first.limits["geodb_old"] == Limit()


def test_a_file_of_one_server_is_enough(tmp_path: Path) -> None:
    fleet = parse('[[server]]\nurl = "http://a.example"\nrole = "stratum1"\n', tmp_path / "f.toml")
    assert (fleet.name, fleet.deadline, fleet.connections_per_server) == ("cvmfs", timedelta(seconds=45), 8)
    assert fleet.servers == (Server("http://a.example", "a.example", Role.STRATUM1),)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("stratum1.example", "http://stratum1.example"),
        ("stratum1.example:8000", "http://stratum1.example:8000"),
        ("http://Stratum1.Example/", "http://stratum1.example"),
        ("https://stratum1.example:8443", "https://stratum1.example:8443"),
        ("http://stratum1.example/cvmfs", "http://stratum1.example"),
        ("http://stratum1.example/cvmfs/", "http://stratum1.example"),
        ("http://s3.example/bucket", "http://s3.example/bucket"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("127.0.0.1:8000", "http://127.0.0.1:8000"),
    ],
)
def test_a_server_may_be_written_in_these_ways(text: str, url: str) -> None:
    assert server_address(text).url == url


@pytest.mark.parametrize(
    "text",
    [
        *("", "ftp://a.example", "http://", "http://a b", "http://a.example:port", "http://a.example:0"),
        *("http://user:secret@a.example", "http://a.example/?x", "http://a.example/#x", "http://a.example:99999"),
        *("http://-a.example", "http://a.example\n", "http://a.example/\u00e9", "//a.example", 7, None, ["a"]),
    ],
)
def test_anything_else_is_no_server(text: object) -> None:
    with pytest.raises(ValueError, match="a server such as"):
        server_address(text)


@pytest.mark.parametrize(
    ("text", "url", "places"),
    [
        ("http://s1.example", "http://s1.example", ("/cvmfs", "")),
        ("http://s3.example/bucket/", "http://s3.example/bucket", ("/cvmfs", "")),
        ("http://s3.example/cvmfs", "http://s3.example", ("/cvmfs", "/cvmfs/cvmfs")),
        ("http://s3.example/cvmfs/cvmfs", "http://s3.example/cvmfs", ("/cvmfs", "/cvmfs/cvmfs")),
        ("http://s1.example/cvmfs/@fqrn@", "http://s1.example", ("/cvmfs",)),
        ("http://s1.example/cvmfs/@fqrn@/", "http://s1.example", ("/cvmfs",)),
        ("s1.example:8000/cvmfs/@fqrn@;", "http://s1.example:8000", ("/cvmfs",)),
        ("https://s3.example/bucket/@fqrn@", "https://s3.example/bucket", ("",)),
        ("https://bucket.s3.example/@fqrn@", "https://bucket.s3.example", ("",)),
    ],
)
def test_a_server_is_written_as_clients_have_it_and_then_its_place_is_known(
    text: str, url: str, places: tuple[str, ...]
) -> None:
    assert server_address(text) == Address(url, places)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "http://a.example/cvmfs/@fqrn@;http://b.example/cvmfs/@fqrn@",
            'one server: each of these is a [[server]] of its own, with url = "http://a.example", url = "http://b.example"',
        ),
        ("http://a.example/opt/@org@", "a server without @org@: only /@fqrn@ at the end"),
        ("http://a.example/@fqrn@/cvmfs", "a server without @fqrn@: only /@fqrn@ at the end"),
        (
            "http://a.example/cvmfs/atlas.cern.ch",
            'the server alone, "http://a.example"; one of its .* = ["atlas.cern.ch"]',
        ),
        ("http://a.example/cvmfs/atlas.cern.ch/.cvmfspublished", 'the server alone, "http://a.example"'),
        ("http://a.example/cvmfs/info/v1/repositories.json", 'the server alone, "http://a.example": its list'),
        ("http://a.example/;http://user:secret@b.example", "a server such as"),
        (";", "a server such as"),
    ],
)
def test_other_words_of_a_client_are_refused_with_the_right_form(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said).replace(r"\.\*", ".*")) as error:
        server_address(text)
    assert "secret" not in str(error.value)


def test_an_option_may_have_several_servers() -> None:
    fleet = with_servers(Fleet(()), [], ["http://a.example/cvmfs/@fqrn@;http://b.example/cvmfs/@fqrn@", "c.example"])
    assert [(one.url, one.places) for one in fleet.servers] == [
        ("http://a.example", ("/cvmfs",)),
        ("http://b.example", ("/cvmfs",)),
        ("http://c.example", ("/cvmfs", "")),
    ]


@pytest.mark.parametrize(
    ("text", "proxy"),
    [
        ("DIRECT", ""),
        ("direct", ""),
        ("DIRECT;", ""),
        ("", ""),
        ("http://squid.example:3128;", "http://squid.example:3128"),
        ("squid.example:3128", "http://squid.example:3128"),
    ],
)
def test_a_proxy_is_written_as_clients_have_it(text: str, proxy: str) -> None:
    assert proxy_address(text) == proxy


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        (
            "proxy",
            "http://a:3128|http://b:3128;DIRECT",
            'one proxy of this list, such as "http://a:3128", or "environment"',
        ),
        ("proxy", "DIRECT;http://a:3128", 'one proxy of this list, such as "http://a:3128"'),
        ("proxy", "auto", 'a proxy such as "http://squid.example.org:3128", or "environment", or ""'),
        ("proxy", ";", "a proxy such as"),
        ("proxy", "http://user:secret@a:3128;DIRECT", "a proxy such as"),
    ],
)
def test_a_list_of_proxies_is_refused_with_the_right_form(key: str, text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        parse(f'[scrape]\n{key} = "{text}"\n', tmp_path / "f.toml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[fleet]\nrepos = ["a.example,b.example"]', 'expected names of repositories, each by itself: ["a.example", '),
        ('[fleet]\nonly = ["*.a,*.b"]', 'expected globs, each by itself: ["*.a", "*.b"]'),
        ('[fleet]\nkeys = ["a.pub:b.pub"]', 'files, each by itself: ["a.pub", "b.pub"]'),
        ('[geoapi]\nservers = ["http://a.example/"]', "host names without scheme and port"),
    ],
)
def test_lists_that_a_client_joins_are_refused_with_the_right_form(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        parse(text, tmp_path / "f.toml")


def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.pub").write_text(f"\ufeff{KEY}", encoding="utf-8")
    file = tmp_path / "fleet.toml"
    text = '\ufeff[fleet]\r\nkeys = ["a.pub"]\r\n[[server]]\r\nurl = "http://a.example"\r\nrole = "stratum1"\r\n'
    file.write_bytes(text.encode())
    assert load(file).servers[0].url == "http://a.example"
    file.write_bytes(text.encode("utf-16"))
    with pytest.raises(ConfigError, match="save it as UTF-8"):
        load(file)


def test_the_name_of_a_server_is_its_host_and_port() -> None:
    assert server_name("http://a.example:8000/bucket") == "a.example:8000"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '[[server]]\nurl = "http://a"\nrol = "stratum1"',
            "line 3: [[server]] number 1 rol: unknown key; known are url,",
        ),
        ("[fleet]\n\nnames = 'x'", "line 3: [fleet] names: unknown key; known are name, keys, key_dirs"),
        ("[fleets]\nname = 'x'", "line 1: unknown section or key 'fleets'; known are [fleet], [scrape]"),
        ("name = 'x'", "line 1: unknown section or key 'name'"),
        ("[scrape]\ndeadline = 45", 'line 2: [scrape] deadline: is 45, expected a duration in quotes such as "45s"'),
        ("[scrape]\ndeadline = 'soon'", "expected a duration"),
        ("[scrape]\ndeadline = '0s'", "expected a duration of more than nothing"),
        ("[scrape]\nconnections_per_server = '8'", "expected a whole number from 1 to 64"),
        ("[scrape]\nconnections_per_server = true", "expected a whole number from 1 to 64"),
        ("[scrape]\nproxy = 'squid:3128:1'", "expected a proxy such as"),
        ("[geoapi]\nenabled = 'no'", "[geoapi] enabled: is 'no', expected true or false"),
        (
            "[[server]]\nurl = 'http://a'\nrole = 'stratum1'\ngeoapi = 'NONE'",
            "line 4: [[server]] number 1 geoapi: is 'NONE', expected true or false",
        ),
        ("[geoapi]\nservers = ['http://a.example:8000']", "expected host names without scheme and port"),
        (
            "[limits]\nsnapshot_late = '1h'",
            "[limits] snapshot_late: unknown key; known are min_replicas_ok, redundancy_warning",
        ),
        ("[limits]\nmin_replicas_ok = 0", "[limits] min_replicas_ok: is 0, expected a whole number from 1 to 1000"),
        ("[limits]\nmin_replicas_ok = true", "expected a whole number from 1 to 1000"),
        ("[limits]\nsnapshot_old_warning = 8", "expected a duration in quotes"),
        ("[limits]\ndiverged_critical = '8h'", 'expected "off": it is a fact and has no limit'),
        ("[fleet]\nrepos = 'x'", 'expected a list of texts such as ["one", "two"]'),
        ("[fleet]\nrepos = ['../etc']", "expected names of repositories; '../etc' is none"),
        ("[fleet]\nname = ''", "expected a text in quotes, not empty"),
        ("[[server]]\nrole = 'stratum1'", "line 1: [[server]] number 1: url is missing"),
        ("[[server]]\nurl = 'http://a'", "[[server]] number 1: role is missing"),
        (
            "[[server]]\nurl = 'http://a'\nrole = 'stratum2'",
            "line 3: [[server]] number 1 role: is 'stratum2', expected",
        ),
        ("[[server]]\nurl = 'http://a'\nrole = 'sync'\nbackend = 'gcs'", 'expected "auto", "cvmfs" or "s3"'),
        ("[server]\nurl = 'http://a'\nrole = 'sync'", "[server]: must be written with two brackets, [[server]]"),
        ("[[fleet]]\nname = 'a'", "must be a table, [fleet]"),
        ("[[repository]]\nkeys = []", "[[repository]] number 1: name is missing"),
        ("[[repository]]\nname = 'a'\nsnapshot_factor = 0", "expected a number greater than 0"),
        ("[fleet]\nkeys = ['keys/none.pub']", "keys/none.pub: No such file or directory"),
        ("[fleet]\nkeys = ['fleet.toml']", "is not a public key in PEM form"),
        ("[fleet]\nkeys = ['keys']", "keys is a folder; folders of keys are named in [fleet] key_dirs"),
        ("[fleet]\n\nkey_dirs = ['keys', 'keys/eessi.io.pub']", "line 3: [fleet] key_dirs: "),
        ("[fleet]\nkey_dirs = ['keys/eessi.io.pub']", "eessi.io.pub is no folder; files of keys are named in keys"),
        ("[fleet]\nkey_dirs = ['/dev/null']", "/dev/null is no folder; files of keys are named in keys"),
        ("[fleet]\nkey_dirs = 'keys'", "expected a list of texts"),
        ("[fleet\n", "not TOML: Expected ']' at the end of a table declaration (at line 1, column 7)"),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_what_would_be_right(text: str, said: str, folder: Path) -> None:
    (folder / "fleet.toml").write_text(text)
    message = refused(text, folder)
    assert message.startswith(f"fleet file {folder / 'fleet.toml'}")
    assert said in message


def test_the_line_is_that_of_the_right_table(folder: Path) -> None:
    servers = "".join(f"[[server]]\nurl = 'http://s{n}.example'\nrole = 'stratum1'\n\n" for n in range(3))
    text = servers.replace(
        "role = 'stratum1'\n\n[[server]]\nurl = 'http://s2", "role = 1\n\n[[server]]\nurl = 'http://s2"
    )
    assert "line 7: [[server]] number 2 role: is 1" in refused(text, folder)


def test_two_servers_of_the_same_name_are_refused(folder: Path) -> None:
    twice = "[[server]]\nurl = 'http://a.example'\nrole = 'stratum1'\n" * 2
    assert "line 5: [[server]] number 2 url: another server is named 'a.example' already" in refused(twice, folder)
    with pytest.raises(ConfigError, match="two servers are named 'a.example'"):
        with_servers(Fleet(servers=()), ["a.example"], ["http://a.example"])


def test_servers_of_the_command_line_stand_after_the_files(tmp_path: Path) -> None:
    fleet = parse('[[server]]\nurl = "http://a"\nrole = "sync"\n', tmp_path / "f.toml")
    servers = with_servers(fleet, ["https://zero.example"], ["one.example:8000"]).servers
    assert [(server.name, server.role) for server in servers] == [
        ("a", Role.SYNC),
        ("zero.example", Role.STRATUM0),
        ("one.example:8000", Role.STRATUM1),
    ]
    with pytest.raises(ConfigError, match="--stratum1 'a b': expected a server such as"):
        with_servers(fleet, [], ["a b"])


def test_a_file_that_cannot_be_read_is_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="missing.toml: No such file or directory"):
        load(tmp_path / "missing.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8 text"):
        load(tmp_path / "binary.toml")
    with pytest.raises(ConfigError, match="Is a directory"):
        load(tmp_path)


def test_a_key_may_be_quoted_and_a_table_may_have_spaces(folder: Path) -> None:
    assert "line 2: [fleet] nam: unknown" in refused("[ fleet ]\n\"nam\" = 'x'", folder)


def test_every_section_of_the_contract_is_known() -> None:
    assert set(SECTIONS) == {
        "fleet",
        "scrape",
        "limits",
        "geoapi",
        "state",
        "history",
        "server",
        "repository",
        "maintenance",
    }
