"""The demo fleet, seen by a plain client and checked by a verification that shares no code with it."""

from __future__ import annotations

import base64
import contextlib
import gc
import hashlib
import http.client
import json
import re
import socket
import threading
import tomllib
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from email.message import Message
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from telegraf_cvmfs.demo import DemoFleet, faults, geoapi
from telegraf_cvmfs.demo.inventory import repositories, strata
from telegraf_cvmfs.demo.signing import content_hash, demo_keys, make_keys
from telegraf_cvmfs.demo.stratum import utc_date
from telegraf_cvmfs.model import (
    Role,
)
from telegraf_cvmfs.wire.geoapi import CANONICAL_ORDER, CANONICAL_ORIGIN, CANONICAL_SERVERS

NOW = datetime(2026, 3, 2, 4, 5, 6, tzinfo=UTC)
UP = ("stratum0", "stratum1-healthy", "stratum1-lagging")
NAMES = ("software", "data", "conditions", "containers", "nightlies", "config")
SHA1_DIGEST_INFO = bytes.fromhex("30 21 30 09 06 05 2b 0e 03 02 1a 05 00 04 14")  # RFC 8017, 9.2
CANONICAL_HOSTS = ",".join(CANONICAL_SERVERS)


@pytest.fixture(scope="module")
def demo() -> Iterator[DemoFleet]:
    with DemoFleet(now=NOW) as running:
        yield running


# --- a plain client -----------------------------------------------------------------------------------


def get(url: str, method: str = "GET") -> tuple[int, bytes, Message]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, method=method)  # noqa: S310
    try:
        with opener.open(request, timeout=10) as answer:
            return answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, answer.read(), answer.headers


def listing(demo: DemoFleet, server: str) -> dict[str, dict[str, object]]:
    document = json.loads(get(f"{demo.urls[server]}/cvmfs/info/v1/repositories.json")[1])
    return {entry["name"]: entry for entry in document["repositories"] + document["replicas"]}


def base(demo: DemoFleet, server: str, short: str) -> str:
    return f"{demo.urls[server]}{listing(demo, server)[f'{short}.demo.example']['url']}"


def status(demo: DemoFleet, server: str, short: str) -> dict[str, str]:
    code, body, _ = get(f"{base(demo, server, short)}/.cvmfs_status.json")
    assert code == 200
    parsed = json.loads(body)
    assert isinstance(parsed, dict)
    return parsed


def moment(text: str) -> datetime:
    return datetime.strptime(text.strip(), "%a %b %d %H:%M:%S UTC %Y").replace(tzinfo=UTC)


# --- a verification of its own ------------------------------------------------------------------------


def hash_like(example: str, data: bytes) -> str:
    """The hash text of `data` by the algorithm of another hash text."""
    if example.lower().endswith("-shake128"):
        return hashlib.shake_128(data).hexdigest(20) + "-shake128"
    assert re.fullmatch("[0-9a-f]{40}", example)
    return hashlib.sha1(data).hexdigest()  # noqa: S324


def split(document: bytes) -> tuple[bytes, str, bytes]:
    text, _, rest = document.partition(b"\n--\n")
    hash_text, _, signature = rest.partition(b"\n")
    return text + b"\n", hash_text.decode(), signature


def fields(document: bytes) -> dict[str, str]:
    return {line[0]: line[1:] for line in split(document)[0].decode().splitlines()}


def recovered(key: object, signature: bytes) -> bytes:
    assert isinstance(key, rsa.RSAPublicKey)
    return key.recover_data_from_signature(signature, padding.PKCS1v15(), None)


def object_url(repository: str, hash_text: str, suffix: str) -> str:
    return f"{repository}/data/{hash_text[:2]}/{hash_text[2:]}{suffix}"


def fetched_object(repository: str, hash_text: str, suffix: str) -> bytes:
    code, stored, _ = get(object_url(repository, hash_text, suffix))
    assert code == 200, (repository, suffix)
    assert hash_like(hash_text, stored) == hash_text
    return zlib.decompress(stored)


def verify(repository: str, name: str, master: bytes, now: datetime) -> dict[str, str]:
    """Whitelist, certificate, manifest: the manifest's letters, or an exception."""
    whitelist = get(f"{repository}/.cvmfswhitelist")[1]
    text, hash_text, signature = split(whitelist)
    assert hash_like(hash_text, text) == hash_text
    assert recovered(load_pem_public_key(master), signature) == hash_text.encode()
    _, expires, named, fingerprint = text.decode().splitlines()
    assert named == f"N{name}"
    assert f"{now:%Y%m%d%H}" < expires.removeprefix("E")[:10]
    manifest = get(f"{repository}/.cvmfspublished")[1]
    letters = fields(manifest)
    certificate = x509.load_pem_x509_certificate(fetched_object(repository, letters["X"], "X"))
    der = base64.b64decode("".join(fetched_object(repository, letters["X"], "X").decode().splitlines()[1:-1]))
    plain = fingerprint.replace(":", "").lower()
    assert hash_like(plain, der) == plain
    text, hash_text, signature = split(manifest)
    assert hash_like(hash_text, text) == hash_text
    content = recovered(certificate.public_key(), signature)
    assert content == SHA1_DIGEST_INFO + hashlib.sha1(hash_text.encode()).digest()  # noqa: S324
    assert letters["N"] == name
    return letters


@pytest.mark.parametrize("short", NAMES)
@pytest.mark.parametrize("server", UP)
def test_every_chain_of_trust_verifies(demo: DemoFleet, server: str, short: str) -> None:
    letters = verify(base(demo, server, short), f"{short}.demo.example", demo.public_key, NOW)
    assert letters["R"] == hashlib.md5(b"").hexdigest()  # noqa: S324
    assert int(letters["D"]) == 240


def test_the_verification_here_rejects_a_manifest_of_another_signer() -> None:
    with DemoFleet(now=NOW) as demo:
        served = demo.documents["stratum0"]
        path = "/cvmfs/software.demo.example/.cvmfspublished"
        text = split(served[path])[0].replace(b"S416", b"S417")
        served[path] = make_keys().signed_manifest(text, "sha1")
        with pytest.raises(InvalidSignature):
            verify(base(demo, "stratum0", "software"), "software.demo.example", demo.public_key, NOW)


def test_no_whitelist_is_near_its_end(demo: DemoFleet) -> None:
    for short in NAMES:
        lines = split(get(f"{base(demo, 'stratum0', short)}/.cvmfswhitelist")[1])[0].decode().splitlines()
        expires = datetime.strptime(lines[1], "E%Y%m%d%H%M%S").replace(tzinfo=UTC)
        assert expires - NOW == timedelta(days=26)


# --- contents -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("short", NAMES)
@pytest.mark.parametrize("server", UP)
def test_every_object_a_manifest_names_is_there_with_that_hash(demo: DemoFleet, server: str, short: str) -> None:
    repository = base(demo, server, short)
    letters = fields(get(f"{repository}/.cvmfspublished")[1])
    catalog = fetched_object(repository, letters["C"], "C")
    assert len(catalog) == int(letters["B"])
    assert catalog.startswith(b"SQLite format 3\x00")
    metainfo = json.loads(fetched_object(repository, letters["M"], "M"))
    assert metainfo["recommended-stratum0"] == base(demo, "stratum0", short)
    if "H" in letters:
        assert fetched_object(repository, letters["H"], "H").startswith(b"SQLite format 3\x00")


@pytest.mark.parametrize("server", UP)
def test_every_object_in_memory_has_the_hash_of_its_name(demo: DemoFleet, server: str) -> None:
    count = 0
    for path, stored in demo.documents[server].items():
        if found := re.search("/data/(..)/(.*)[CHXM]$", path):
            name = found[1] + found[2]
            assert hash_like(name, stored) == name
            count += 1
    assert count > 20


def test_letters_stand_in_the_order_of_the_genuine_writer(demo: DemoFleet) -> None:
    orders = {short: "".join(fields(get(f"{base(demo, 'stratum0', short)}/.cvmfspublished")[1])) for short in NAMES}
    assert orders.pop("config") == "CBRDSGANXTMY"
    assert set(orders.values()) == {"CBRDSGANXHTMY"}


def test_the_reflog_of_the_publisher_has_the_hash_in_the_manifest_and_a_replica_has_its_own(
    demo: DemoFleet,
) -> None:
    letters = fields(get(f"{base(demo, 'stratum0', 'data')}/.cvmfspublished")[1])
    of_publisher, of_replica = (
        get(f"{base(demo, server, 'data')}/.cvmfsreflog")[1] for server in ("stratum0", "stratum1-healthy")
    )
    assert hash_like(letters["Y"], of_publisher) == letters["Y"]
    assert hash_like(letters["Y"], of_replica) != letters["Y"]


def test_one_repository_uses_shake128_and_one_is_garbage_collectable(demo: DemoFleet) -> None:
    letters = {short: fields(get(f"{base(demo, 'stratum0', short)}/.cvmfspublished")[1]) for short in NAMES}
    assert [short for short in NAMES if letters[short]["C"].endswith("-shake128")] == ["data"]
    assert [short for short in NAMES if letters[short]["G"] == "yes"] == ["nightlies"]


def test_the_stratum_0_publishes_and_the_stratum_1s_replicate(demo: DemoFleet) -> None:
    kinds = {}
    for server in UP:
        document = json.loads(get(f"{demo.urls[server]}/cvmfs/info/v1/repositories.json")[1])
        kinds[server] = (
            len(document["repositories"]),
            len(document["replicas"]),
            "last_geodb_update" in document,
        )
        assert document["schema"] == 1
    assert kinds == {
        "stratum0": (6, 0, False),
        "stratum1-healthy": (0, 6, True),
        "stratum1-lagging": (0, 6, True),
    }


def test_one_repository_has_an_alias_and_one_replica_passes_through(demo: DemoFleet) -> None:
    for server in UP:
        entries = listing(demo, server)
        assert entries["containers.demo.example"]["alias"] == "containers"
        assert entries["containers.demo.example"]["url"] == "/cvmfs/containers"
        through = [name for name, entry in entries.items() if entry.get("pass-through")]
        assert through == (["config.demo.example"] if server == "stratum1-lagging" else [])


def test_a_pass_through_replica_has_no_marks_of_its_own(demo: DemoFleet) -> None:
    repository = base(demo, "stratum1-lagging", "config")
    for marker in (".cvmfs_status.json", ".cvmfs_last_snapshot", ".cvmfs_is_snapshotting"):
        assert get(f"{repository}/{marker}")[0] == 404
    assert get(f"{repository}/.cvmfspublished")[0] == 200


def test_the_stratum_0_says_that_it_may_be_replicated(demo: DemoFleet) -> None:
    for short in NAMES:
        assert get(f"{base(demo, 'stratum0', short)}/.cvmfs_master_replica")[0] == 200
        assert get(f"{base(demo, 'stratum1-healthy', short)}/.cvmfs_master_replica")[0] == 404


def test_every_server_says_who_runs_it(demo: DemoFleet) -> None:
    for server in UP:
        meta = json.loads(get(f"{demo.urls[server]}/cvmfs/info/v1/meta.json")[1])
        assert meta["email"] == "operations@demo.example"
        assert server in meta["organisation"]


# --- what is late, and by how much --------------------------------------------------------------------


def behind(demo: DemoFleet, server: str, short: str) -> int:
    revisions = [
        int(fields(get(f"{base(demo, name, short)}/.cvmfspublished")[1])["S"]) for name in ("stratum0", server)
    ]
    return revisions[0] - revisions[1]


def test_the_healthy_stratum_1_has_the_latest_revision_of_everything(demo: DemoFleet) -> None:
    assert {short: behind(demo, "stratum1-healthy", short) for short in NAMES} == dict.fromkeys(NAMES, 0)
    for short in NAMES:
        read = status(demo, "stratum1-healthy", short)
        assert timedelta(0) < NOW - moment(read["last_snapshot"]) < timedelta(minutes=20)
        assert read["check_status"] == "succeeded"


def test_the_lagging_stratum_1_is_behind_as_described(demo: DemoFleet) -> None:
    assert {short: behind(demo, "stratum1-lagging", short) for short in NAMES} == {
        "software": 3,
        "data": 2,
        "conditions": 0,
        "containers": 1,
        "nightlies": 2,
        "config": 0,
    }


def test_the_lagging_stratum_1_took_its_snapshots_as_described(demo: DemoFleet) -> None:
    read = {short: status(demo, "stratum1-lagging", short) for short in NAMES if short != "config"}
    hours = {short: (NOW - moment(read[short]["last_snapshot"])) / timedelta(hours=1) for short in read}
    assert hours == {"software": 31, "data": 36, "conditions": 0.4, "containers": 13, "nightlies": 3}
    assert [short for short in read if read[short]["check_status"] == "failed"] == ["conditions"]


def test_the_older_snapshot_mark_says_the_same_as_the_status(demo: DemoFleet) -> None:
    text = get(f"{base(demo, 'stratum1-lagging', 'data')}/.cvmfs_last_snapshot")[1].decode()
    assert text == status(demo, "stratum1-lagging", "data")["last_snapshot"] + "\n"


def test_only_one_snapshot_is_running(demo: DemoFleet) -> None:
    running = {
        (server, short): get(f"{base(demo, server, short)}/.cvmfs_is_snapshotting") for server in UP for short in NAMES
    }
    texts = {place: body.decode() for place, (code, body, _) in running.items() if code == 200}
    assert list(texts) == [("stratum1-lagging", "nightlies")]
    assert NOW - moment(*texts.values()) == timedelta(minutes=48)


def test_garbage_collection_leaves_its_time(demo: DemoFleet) -> None:
    for server in UP:
        assert NOW - moment(status(demo, server, "nightlies")["last_gc"]) < timedelta(days=10)
    assert get(f"{base(demo, 'stratum0', 'software')}/.cvmfs_status.json")[0] == 404


def test_the_lagging_server_alone_has_an_old_database_of_places(demo: DemoFleet) -> None:
    ages = {}
    for server in ("stratum1-healthy", "stratum1-lagging"):
        document = json.loads(get(f"{demo.urls[server]}/cvmfs/info/v1/repositories.json")[1])
        ages[server] = NOW - moment(document["last_geodb_update"])
    assert ages["stratum1-healthy"] < timedelta(days=30) < ages["stratum1-lagging"]


def test_publication_times_are_relative_to_the_moment_given(demo: DemoFleet) -> None:
    published = {short: int(fields(get(f"{base(demo, 'stratum0', short)}/.cvmfspublished")[1])["T"]) for short in NAMES}
    hours = {short: (NOW.timestamp() - seconds) / 3600 for short, seconds in published.items()}
    assert hours == {
        "software": 2,
        "data": 33,
        "conditions": 5,
        "containers": 12,
        "nightlies": 0.7,
        "config": 216,
    }


def test_dates_are_written_as_date_utc_writes_them() -> None:
    assert utc_date(datetime(2026, 11, 1, 2, 30, tzinfo=UTC)) == "Sun Nov  1 02:30:00 UTC 2026"
    east = timezone(timedelta(hours=2))
    assert utc_date(datetime(2026, 11, 21, 1, 0, 1, tzinfo=east)) == "Fri Nov 20 23:00:01 UTC 2026"


def test_a_moment_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        DemoFleet(now=NOW.replace(tzinfo=None))


def test_another_time_for_the_same_revision_makes_a_fork() -> None:
    urls = dict.fromkeys((*UP, "stratum1-down"), "http://127.0.0.1:1")
    stratum0, healthy, _ = strata(NOW, repositories(NOW, urls))
    copy = healthy.copies[0]
    forked = replace(copy, revision=replace(copy.revision, published=NOW - timedelta(hours=1)))
    letters = [
        fields(replace(stratum, copies=(one,)).documents(demo_keys())["/cvmfs/software.demo.example/.cvmfspublished"])
        for stratum, one in ((stratum0, stratum0.copies[0]), (healthy, forked))
    ]
    assert letters[0]["S"] == letters[1]["S"]
    assert letters[0]["C"] != letters[1]["C"]


def test_each_algorithm_has_its_own_hash_text() -> None:
    assert content_hash(b"", "sha1") == "da39a3ee5e6b4b0d3255bfef95601890afd80709"
    assert content_hash(b"", "shake128") == "7f9c2ba4e88f827d616045507605853ed73b8093-shake128"
    if "ripemd160" in hashlib.algorithms_available:
        assert content_hash(b"", "rmd160") == "9c1185a5c5e9fc54612808977ee8f548b2258d31-rmd160"


def test_what_begins_like_a_database_is_padded_to_whole_pages() -> None:
    urls = dict.fromkeys((*UP, "stratum1-down"), "")
    stratum0 = strata(NOW, repositories(NOW, urls))[0]
    sizes = {len(zlib.decompress(body)) for path, body in stratum0.documents(demo_keys()).items() if path[-1] == "C"}
    assert all(size % 4096 == 0 for size in sizes)
    assert len(sizes) == 6


# --- the fleet file -----------------------------------------------------------------------------------


def test_the_fleet_file_describes_the_same_fleet(demo: DemoFleet) -> None:
    fleet, file = demo.fleet(), tomllib.loads(demo.fleet_toml())
    assert file["fleet"] == {"name": fleet.name} == {"name": "demo"}
    assert [(each["url"], each["name"], each["role"], tuple(each.get("repos", ()))) for each in file["server"]] == [
        (server.url, server.name, server.role, server.repos) for server in fleet.servers
    ]
    assert {server.name: server.url for server in fleet.servers} == demo.urls
    assert [server.role for server in fleet.servers] == [Role.STRATUM0] + [Role.STRATUM1] * 3


def test_writing_it_leaves_the_file_and_its_key_and_nothing_else(demo: DemoFleet, tmp_path: Path) -> None:
    directory = tmp_path / "new" / "demo"
    path = demo.write(directory)
    assert path == directory / "fleet.toml"
    assert demo.write(directory) == path
    files = sorted(str(each.relative_to(directory)) for each in directory.rglob("*") if each.is_file())
    assert files == ["fleet.toml", "keys/demo.pub"]
    (key,) = tomllib.loads(path.read_text())["fleet"]["keys"]
    verify(base(demo, "stratum0", "data"), "data.demo.example", (directory / key).read_bytes(), NOW)


def test_a_key_with_an_unusual_path_is_still_toml(demo: DemoFleet) -> None:
    keys = (Path('/tmp/a "quoted" \\ 🔑 key.pub'),)  # noqa: S108
    assert tomllib.loads(demo.fleet_toml(keys))["fleet"]["keys"] == [str(keys[0])]
    assert demo.fleet(keys).keys == keys


# --- the GeoAPI ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("server", ["stratum1-healthy", "stratum1-lagging"])
def test_the_canonical_probe_gets_the_canonical_order(demo: DemoFleet, server: str) -> None:
    path = f"/api/v1.0/geo/{CANONICAL_ORIGIN}/{CANONICAL_HOSTS}"
    code, body, headers = get(base(demo, server, "software") + path)
    assert (code, headers["Content-Type"], headers["Cache-Control"]) == (200, "text/plain", "max-age=3600")
    assert tuple(map(int, body.decode().strip().split(","))) == CANONICAL_ORDER


def test_a_stratum_0_has_no_geoapi(demo: DemoFleet) -> None:
    path = f"/api/v1.0/geo/{CANONICAL_ORIGIN}/{CANONICAL_HOSTS}"
    assert get(base(demo, "stratum0", "software") + path)[0] == 404


def test_a_question_without_a_known_server_is_a_bad_request(demo: DemoFleet) -> None:
    code, body, headers = get(base(demo, "stratum1-healthy", "data") + "/api/v1.0/geo/127.0.0.1/a.invalid,b.invalid")
    assert (code, body) == (400, b"Bad Request: no server addr found in database\n")
    assert headers["Cache-Control"] == "max-age=300"


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("v1.0/geo/127.0.0.1/cvmfs-stratum-one.ihep.ac.cn,127.0.0.1", (200, "2,1\n")),
        ("v1.0/geo/stratum1-down.demo.example/127.0.0.1,stratum1-down.demo.example", (200, "2,1\n")),
        (
            "v1.0/geo/127.0.0.1/nope.invalid,cvmfs-stratum-one.ihep.ac.cn,none.invalid,localhost",
            (200, "4,2,1,3\n"),
        ),
        ("v1.0/geo/localhost/stratum0.demo.example,127.0.0.1,localhost", (200, "1,2,3\n")),
        ("v1.0/geo/unknown.invalid/stratum1-healthy.demo.example,127.0.0.1", (200, "2,1\n")),
        ("v1.0/geo/127.0.0.1/", (400, "Bad Request: no server addr found in database\n")),
        ("v1.0/geo/", (400, "Bad Request: no slash in geo path\n")),
        ("geo/x/y", (400, "Bad Request: malformed api URL: /a.demo.example/geo/x/y\n")),
    ],
)
def test_the_geoapi_answers_as_the_genuine_one(question: str, expected: tuple[int, str]) -> None:
    assert geoapi.answer(f"/cvmfs/a.demo.example/api/{question}", "127.0.0.1") == expected


def test_an_unknown_requester_with_an_unknown_origin_is_a_bad_request() -> None:
    answer = geoapi.answer("/cvmfs/a.demo.example/api/v1.0/geo/x/localhost", "192.0.2.1")
    assert answer == (400, "Bad Request: remote addr not found in database\n")


# --- serving ------------------------------------------------------------------------------------------


def test_headers_are_those_of_a_configured_apache(demo: DemoFleet) -> None:
    repository = base(demo, "stratum1-healthy", "software")
    certificate = fields(get(f"{repository}/.cvmfspublished")[1])["X"]
    seen = {}
    for url in (
        f"{repository}/.cvmfspublished",
        f"{repository}/.cvmfs_status.json",
        f"{demo.urls['stratum1-healthy']}/cvmfs/info/v1/meta.json",
        object_url(repository, certificate, "X"),
    ):
        headers = get(url)[2]
        assert headers["Last-Modified"] is None
        assert headers["ETag"] is None
        seen[url.rpartition("/")[2][:12]] = (headers["Content-Type"], headers["Cache-Control"])
    assert list(seen.values()) == [
        ("application/x-cvmfs", "max-age=61"),
        ("application/x-cvmfs", "max-age=61"),
        ("application/json", "max-age=61"),
        ("application/octet-stream", "max-age=259200"),
    ]


def test_a_head_request_gets_the_length_and_no_body(demo: DemoFleet) -> None:
    url = f"{base(demo, 'stratum0', 'software')}/.cvmfspublished"
    code, body, headers = get(url, "HEAD")
    assert (code, body) == (200, b"")
    assert int(headers["Content-Length"]) == len(get(url)[1])


def test_what_is_not_there_is_a_404(demo: DemoFleet) -> None:
    for path in ("/", "/cvmfs", "/cvmfs/containers.demo.example/.cvmfspublished", "/cvmfs/../etc/passwd"):
        assert get(demo.urls["stratum0"] + path)[0] == 404


def test_a_query_does_not_matter(demo: DemoFleet) -> None:
    assert get(f"{demo.urls['stratum0']}/cvmfs/info/v1/meta.json?a=b")[0] == 200


def test_the_server_that_is_down_refuses_and_keeps_its_port(demo: DemoFleet) -> None:
    address = urlsplit(demo.urls["stratum1-down"])
    for _ in range(3):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((address.hostname, address.port), timeout=5)
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind((address.hostname, address.port))


def test_a_document_that_changes_is_served_changed() -> None:
    with DemoFleet(now=NOW) as demo:
        path = "/cvmfs/software.demo.example/.cvmfspublished"
        url = demo.urls["stratum1-healthy"] + path
        assert get(url)[0] == 200
        del demo.documents["stratum1-healthy"][path]
        assert get(url)[0] == 404
        assert get(demo.urls["stratum0"] + path)[0] == 200


def test_eight_connections_to_each_server_are_kept_and_answer_everything(demo: DemoFleet) -> None:
    def read_all(server: str) -> int:
        connection = http.client.HTTPConnection(urlsplit(demo.urls[server]).netloc, timeout=10)
        connection.connect()
        kept = connection.sock
        for path, expected in demo.documents[server].items():
            connection.request("GET", path)
            assert connection.getresponse().read() == expected
            assert connection.sock is kept
        connection.close()
        return len(demo.documents[server])

    with ThreadPoolExecutor(24) as pool:
        counts = list(pool.map(read_all, UP * 8))
    assert sum(counts) > 1000


def test_a_client_that_goes_away_is_met_with_silence(demo: DemoFleet, capfd: pytest.CaptureFixture[str]) -> None:
    address = urlsplit(demo.urls["stratum0"])
    for _ in range(5):
        with socket.create_connection((address.hostname, address.port)) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            client.sendall(b"GET /cvmfs/info/v1/meta.json HTTP/1.1\r\n\r\n" * 50)
    assert get(f"{demo.urls['stratum0']}/cvmfs/info/v1/meta.json")[0] == 200
    assert capfd.readouterr() == ("", "")


def test_two_fleets_run_side_by_side(demo: DemoFleet) -> None:
    with DemoFleet(now=NOW + timedelta(days=1)) as other:
        assert not set(demo.urls.values()) & set(other.urls.values())
        published = [fields(get(f"{base(each, 'stratum0', 'data')}/.cvmfspublished")[1]) for each in (demo, other)]
        verify(base(other, "stratum0", "data"), "data.demo.example", other.public_key, other.now)
    assert int(published[1]["T"]) - int(published[0]["T"]) == 86400
    assert get(f"{demo.urls['stratum0']}/cvmfs/info/v1/meta.json")[0] == 200


def open_files() -> set[str]:
    found = set()
    for each in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile by a thread of another fleet
            found.add(f"{each.name} {each.readlink()}")
    return found


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_stopping_leaves_no_thread_and_no_socket() -> None:
    demo_keys()
    gc.collect()
    threads, files = set(threading.enumerate()), open_files()
    with DemoFleet(now=NOW) as demo:
        urls = dict(demo.urls)
        idle = [http.client.HTTPConnection(urlsplit(urls[server]).netloc, timeout=10) for server in UP * 4]
        for connection in idle:
            connection.request("GET", "/cvmfs/info/v1/meta.json")
            connection.getresponse().read()
        serving = [thread for thread in set(threading.enumerate()) - threads if thread.name in urls.values()]
        assert len(serving) == 15
    for connection in idle:
        connection.close()
    assert set(threading.enumerate()) <= threads
    assert open_files() <= files
    assert demo.urls == {}
    for url in urls.values():
        address = urlsplit(url)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((address.hostname, address.port), timeout=5)


def test_a_fleet_can_be_started_again() -> None:
    demo = DemoFleet(now=NOW)
    for _ in range(2):
        with demo:
            assert get(f"{demo.urls['stratum0']}/cvmfs/info/v1/meta.json")[0] == 200


# --- faults -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def faulty() -> Iterator[DemoFleet]:
    with DemoFleet(now=NOW, faults=True) as running:
        yield running


def test_faults_add_one_server_and_change_nothing_else(demo: DemoFleet, faulty: DemoFleet) -> None:
    plain, more = demo.fleet().servers, faulty.fleet().servers
    assert [server.name for server in plain] == [*UP, "stratum1-down"]
    assert [server.name for server in more] == [*UP, "stratum1-down", "stratum1-faulty"]
    assert more[-1].role is Role.STRATUM1
    assert "stratum1-faulty" in faulty.fleet_toml()
    for server in UP:
        assert set(faulty.documents[server]) - set(demo.documents[server]) == metainfo(faulty, server)


def metainfo(demo: DemoFleet, server: str) -> set[str]:
    """It recommends URLs, so that no two fleets have the same."""
    return {path for path in demo.documents[server] if re.search("/data/../[^/]*M$", path)}


@pytest.mark.parametrize("short", NAMES)
def test_a_faulty_replica_is_up_and_in_time(faulty: DemoFleet, short: str) -> None:
    assert behind(faulty, "stratum1-faulty", short) == 0
    assert NOW - moment(status(faulty, "stratum1-faulty", short)["last_snapshot"]) < timedelta(hours=1)
    assert status(faulty, "stratum1-faulty", short)["check_status"] == "succeeded"


@pytest.mark.parametrize("short", ["containers", "config", "data", "software"])
def test_what_is_wrong_with_catalogs_is_properly_signed(faulty: DemoFleet, short: str) -> None:
    verify(base(faulty, "stratum1-faulty", short), f"{short}.demo.example", faulty.public_key, NOW)


def test_the_expired_whitelist_was_good_in_its_time(faulty: DemoFleet) -> None:
    repository = base(faulty, "stratum1-faulty", "nightlies")
    lines = split(get(f"{repository}/.cvmfswhitelist")[1])[0].decode().splitlines()
    expired = datetime.strptime(lines[1], "E%Y%m%d%H%M%S").replace(tzinfo=UTC)
    assert NOW - expired == timedelta(days=4)
    verify(repository, "nightlies.demo.example", faulty.public_key, expired - timedelta(days=1))
    with pytest.raises(AssertionError):
        verify(repository, "nightlies.demo.example", faulty.public_key, NOW)


def test_the_forged_manifest_is_signed_by_the_certificate_that_it_names(faulty: DemoFleet) -> None:
    repository = base(faulty, "stratum1-faulty", "conditions")
    manifest = get(f"{repository}/.cvmfspublished")[1]
    text, hash_text, signature = split(manifest)
    certificate = x509.load_pem_x509_certificate(fetched_object(repository, fields(manifest)["X"], "X"))
    assert hash_like(hash_text, text) == hash_text
    expected = SHA1_DIGEST_INFO + hashlib.sha1(hash_text.encode()).digest()  # noqa: S324
    assert recovered(certificate.public_key(), signature) == expected
    assert certificate != demo_keys().certificate
    with pytest.raises(AssertionError):
        verify(repository, "conditions.demo.example", faulty.public_key, NOW)


def test_the_wrong_signature_is_over_the_right_text(faulty: DemoFleet) -> None:
    copy = strata(NOW, repositories(NOW, faulty.urls))[0].copies[0]
    ((path, letter),) = faults.wrong_signature(copy, demo_keys()).items()
    good = faulty.documents["stratum0"][path]
    assert letter is not None
    assert split(letter)[:2] == split(good)[:2]
    assert split(letter)[2] != split(good)[2]


def root_catalog(demo: DemoFleet, server: str, short: str) -> tuple[str, int, bytes]:
    repository = base(demo, server, short)
    name = fields(get(f"{repository}/.cvmfspublished")[1])["C"]
    return name, *get(object_url(repository, name, "C"))[:2]


def test_catalogs_are_missing_empty_and_corrupt_as_described(faulty: DemoFleet) -> None:
    assert root_catalog(faulty, "stratum1-faulty", "containers")[1] == 404
    assert root_catalog(faulty, "stratum1-faulty", "config")[1:] == (200, b"")
    name, code, corrupt = root_catalog(faulty, "stratum1-faulty", "data")
    good = root_catalog(faulty, "stratum0", "data")
    assert (name, code, len(corrupt)) == (good[0], 200, len(good[2]))
    assert hash_like(name, corrupt) != name


def test_the_fork_has_another_catalog_of_the_same_revision(faulty: DemoFleet) -> None:
    name, _, stored = root_catalog(faulty, "stratum1-faulty", "software")
    assert name != root_catalog(faulty, "stratum0", "software")[0]
    assert hash_like(name, stored) == name


def test_each_fault_is_inflicted_on_one_repository() -> None:
    assert set(faults.FAULTS) == set(NAMES)
    assert len(set(faults.FAULTS.values())) == len(NAMES)
