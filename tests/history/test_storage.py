"""One suite for every storage, on a real folder, a real SeaweedFS and a real nginx that wants a certificate."""

from __future__ import annotations

import getpass
import io
import json
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from telegraf_cvmfs.history.storage import StorageDirectory, StorageError, StorageHTTP, StorageS3
from telegraf_cvmfs.history.storage import content as contents
from telegraf_cvmfs.history.storage.name import checked, selected, stated
from tests.builders import hostile
from tests.builders.demo_runs import waits
from tests.programs import seaweedfs as weed
from tests.programs.seaweedfs import BUCKET, SeaweedFS

Reading = StorageDirectory | StorageS3
NAMES = (
    "data/2026/11/24/demo-2026-11-24-000000+0000-2026-11-25-000000+0000-000000.tar.gz",
    "data/2026/11/25/demo-2026-11-25-000000+0000-2026-11-26-000000+0000-000000.tar.gz",
    "data/2026/11/25/demo-2026-11-25-000000+0000-2026-11-26-000000+0000-000001.tar.gz",
    "reports/2026/11/availability-2026-11.xlsx",
    "top.json",
)


@pytest.fixture(scope="module")
def s3(seaweedfs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    with weed.running(seaweedfs, tmp_path_factory.mktemp("seaweedfs")) as running:
        yield running


@pytest.fixture(params=["directory", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Reading]:
    if request.param == "directory":
        yield StorageDirectory(base_path=tmp_path / "storage")
        return
    bucket = bucket_of(request.getfixturevalue("s3"))
    yield bucket
    for name in bucket.glob("**"):
        bucket.remove(name)


def bucket_of(s3: SeaweedFS, secret: str | Path = weed.SECRET) -> StorageS3:
    return StorageS3(bucket=BUCKET, endpoint=s3.endpoint, region="us-east-1", access_key=weed.ACCESS, secret_key=secret)


def read(storage: Reading, name: str) -> bytes:
    with storage.get(name) as path:
        return path.read_bytes()


# --- what each does ---------------------------------------------------------------------------------


def test_a_document_a_file_and_an_open_file_are_stored_and_read_back(storage: Reading, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"\0\xff" * 1000)
    storage.put("a/document.json", dict={"b": [1, "ö"], "a": None})
    storage.put("a/file", filename=file)
    storage.put("a/open", fileobj=io.BytesIO(b"opened"))
    assert json.loads(read(storage, "a/document.json")) == {"a": None, "b": [1, "ö"]}
    assert read(storage, "a/file") == b"\0\xff" * 1000
    assert read(storage, "a/open") == b"opened"


def test_an_empty_document_and_an_empty_file_are_stored(storage: Reading, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    storage.put("empty.json", dict={})
    storage.put("empty", filename=tmp_path / "empty")
    assert json.loads(read(storage, "empty.json")) == {}
    assert read(storage, "empty") == b""
    assert storage.exists("empty")


def test_a_pipe_is_stored_from_where_it_stands(storage: Reading) -> None:
    with subprocess.Popen(["printf", "0123456789"], stdout=subprocess.PIPE) as printing:
        assert printing.stdout is not None
        assert printing.stdout.read(3) == b"012"
        storage.put("piped", fileobj=printing.stdout)
    assert read(storage, "piped") == b"3456789"


def test_large_files_come_back_as_they_were(storage: Reading, tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(bytes(range(256)) * 100_000)
    storage.put("large", filename=large)
    assert read(storage, "large") == large.read_bytes()


def test_what_is_put_again_replaces_what_was_there(storage: Reading) -> None:
    for number in (1, 2):
        storage.put("same.json", dict={"number": number})
    assert json.loads(read(storage, "same.json")) == {"number": 2}


def test_a_copy_is_temporary_and_not_the_object(storage: Reading) -> None:
    storage.put("kept.json", dict={})
    with storage.get("kept.json") as path:
        assert path.name == "kept.json"
        path.write_bytes(b"changed")
    assert not path.exists()
    assert json.loads(read(storage, "kept.json")) == {}
    with pytest.raises(ZeroDivisionError), storage.get("kept.json") as path:
        raise ZeroDivisionError
    assert not path.parent.exists()


def test_what_is_not_there_is_an_error_to_read_and_none_to_remove(storage: Reading) -> None:
    assert not storage.exists("nothing")
    storage.remove("nothing")
    with pytest.raises(StorageError, match="nothing"), storage.get("nothing"):
        pass
    storage.put("dir/name", dict={})
    assert not storage.exists("dir")
    assert not storage.exists("dir/nam")
    storage.remove("dir/name")
    assert not storage.exists("dir/name")


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("**", NAMES),
        ("*", NAMES[4:]),
        ("data/**", NAMES[:3]),
        ("data/**/*-000001.tar.gz", NAMES[2:3]),
        ("**/*.xlsx", NAMES[3:4]),
        ("**/top.json", NAMES[4:]),
        ("data/2026/11/2[5-9]/*", NAMES[1:3]),
        ("data/2026/11/2[!5]/*", NAMES[:1]),
        ("data/2026/11/2?/*000000.tar.gz", NAMES[:2]),
        ("data/*", ()),
        ("dat", ()),
        (NAMES[3], NAMES[3:4]),
        ("nowhere/**", ()),
    ],
)
def test_the_same_pattern_finds_the_same_names(storage: Reading, pattern: str, found: tuple[str, ...]) -> None:
    for name in NAMES:
        storage.put(name, dict={})
    assert storage.glob(pattern) == sorted(found)


def test_a_span_is_that_of_the_first_moment_in_a_name(storage: Reading) -> None:
    for name in NAMES:
        storage.put(name, dict={})
    day = datetime(2026, 11, 25, tzinfo=UTC)
    assert storage.glob("**", since=day) == list(NAMES[1:3])
    assert storage.glob("**", until=day) == list(NAMES[:1])
    with pytest.raises(ValueError, match="no time zone"):
        storage.glob("**", since=datetime(2026, 11, 25))  # noqa: DTZ001


@pytest.mark.parametrize("name", ["", "/a", "a//b", "../a", "a/../b", "a/.b", "a\\b", "a\nb", "a/", "x" * 1000])
def test_a_name_that_leads_elsewhere_is_refused(storage: Reading, name: str) -> None:
    with pytest.raises(ValueError, match="no name of an object"):
        storage.put(name, dict={})
    with pytest.raises(ValueError, match="no name of an object"), storage.get(name):
        pass


def test_content_is_exactly_one(storage: Reading, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="exactly one"):
        storage.put("a")
    with pytest.raises(ValueError, match="exactly one"):
        storage.put("a", dict={}, filename=tmp_path)
    assert not storage.exists("a")


def test_a_file_that_fails_while_it_is_read_leaves_nothing(storage: Reading) -> None:
    class Broken(io.BytesIO):
        def read(self, _size: int | None = -1) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        storage.put("broken", fileobj=Broken())
    assert storage.glob("**") == []


# --- a folder ---------------------------------------------------------------------------------------


def test_a_folder_that_cannot_be_written_is_named() -> None:
    with pytest.raises(StorageError, match="cannot store /proc/nowhere/a"):
        StorageDirectory("/proc/nowhere").put("a", dict={})


def test_a_file_that_is_being_written_is_not_found(tmp_path: Path) -> None:
    storage = StorageDirectory(tmp_path)
    (tmp_path / ".a.json.0123").write_text("half")
    assert storage.glob("**") == []


# --- a bucket ---------------------------------------------------------------------------------------


def test_a_wrong_secret_is_refused(s3: SeaweedFS, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("wrong\n")
    for wrong in ("wrong", secret):
        with pytest.raises(StorageError, match="cannot store"):
            bucket_of(s3, wrong).put("a", dict={})
    secret.write_text(f"{weed.SECRET}\n")
    bucket_of(s3, secret).put("by-file", dict={})
    assert bucket_of(s3).exists("by-file")


def test_keys_may_come_from_the_environment(s3: SeaweedFS, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", weed.ACCESS)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", weed.SECRET)
    StorageS3(BUCKET, endpoint=s3.endpoint).put("by-environment", dict={})
    assert bucket_of(s3).exists("by-environment")
    with pytest.raises(ValueError, match="both or neither"):
        StorageS3(BUCKET, access_key="a")


# --- a server that takes PUT ------------------------------------------------------------------------

NGINX = """
daemon off;
worker_processes 1;
{user}
error_log stderr crit;
pid nginx.pid;
events {{ }}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {folder}/good;
        ssl_certificate_key {folder}/good;
        ssl_client_certificate {authority};
        ssl_verify_client on;
        root {folder}/stored;
        client_max_body_size 0;
        dav_methods PUT;
        create_full_put_path on;
    }}
}}
"""


class Taking(BaseHTTPRequestHandler):
    """Takes what is PUT, as the class says; hands out tokens."""

    answers: ClassVar[list[int]] = []
    tokens: ClassVar[list[str]] = []
    taken: ClassVar[list[tuple[str, str | None, bytes]]] = []

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.answers.pop(0) if self.answers else 201
        self.taken.append((self.path, self.headers["Authorization"], body))
        self._answer(status, b"")

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["Content-Length"]))
        good = b"grant_type=client_credentials" in asked and b"client_secret=secret" in asked
        self._answer(200 if good else 401, json.dumps({"access_token": self.tokens.pop(0)} if good else {}).encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        pass


@contextmanager
def taking(
    answers: list[int], tokens: list[str] | None = None
) -> Iterator[tuple[str, list[tuple[str, str | None, bytes]]]]:
    handler = type("Handler", (Taking,), {"answers": answers, "tokens": tokens or [], "taken": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/base", handler.taken  # type: ignore[attr-defined]
        finally:
            server.shutdown()


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "WAITS", (0.01, 0.01, 0.01))


def test_a_server_is_sent_each_object_with_the_token_of_a_file(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first\n")
    with taking([]) as (url, taken):
        storage = StorageHTTP(url, token_file=token)
        storage.put("a b/c.json", dict={})
        token.write_text("second\n")
        storage.put("d", fileobj=io.BytesIO(b"x"))
    assert taken == [("/base/a%20b/c.json", "Bearer first", b"{}\n"), ("/base/d", "Bearer second", b"x")]


def test_what_may_pass_is_tried_again_with_all_of_the_content() -> None:
    with taking([503, 429]) as (url, taken):
        StorageHTTP(url).put("a", fileobj=io.BytesIO(b"whole"))
    assert [body for _, _, body in taken] == [b"whole"] * 3


@pytest.mark.parametrize("status", [400, 403, 404, 409, 302])
def test_what_does_not_pass_is_an_error_at_once(status: int) -> None:
    with taking([status]) as (url, taken), pytest.raises(StorageError, match=f"/base/a: HTTP status {status}"):
        StorageHTTP(url).put("a", dict={})
    assert len(taken) == 1


def test_after_some_attempts_it_is_an_error() -> None:
    with taking([500] * 9) as (url, taken), pytest.raises(StorageError, match="HTTP status 500"):
        StorageHTTP(url).put("a", dict={})
    assert len(taken) == 4
    with pytest.raises(StorageError, match="cannot store http://127.0.0.1:1/a"):
        StorageHTTP("http://127.0.0.1:1").put("a", dict={})


def test_a_token_file_or_an_object_that_is_no_file_is_an_error_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(StorageError, match="it is a pipe, and no file"):
        StorageHTTP("http://127.0.0.1:1", token_file=tmp_path / "fifo").put("a", dict={})
    with pytest.raises(StorageError, match="it is a pipe, and no file"), StorageDirectory(tmp_path).get("fifo"):
        pass


def test_no_error_shows_the_login_of_an_address() -> None:
    with pytest.raises(StorageError, match=r"cannot store http://\*\*\*@127.0.0.1:1/a") as refused:
        StorageHTTP("http://us:pass-word@127.0.0.1:1").put("a", dict={})
    with taking([404]) as (url, _), pytest.raises(StorageError, match="HTTP status 404") as answered:
        StorageHTTP(url.replace("http://", "http://us:pass-word@")).put("a", dict={})
    assert "pass-word" not in str(refused.value) + str(answered.value)


def test_client_credentials_get_a_token_and_a_new_one_when_it_has_run_out(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret\n")
    with taking([201, 201, 401], ["one", "two"]) as (url, taken):
        storage = StorageHTTP(url, token_url=f"{url}/token", client_id="us", client_secret=secret)
        for name in "abc":
            storage.put(name, dict={})
    assert [who for _, who, _ in taken] == ["Bearer one", "Bearer one", "Bearer one", "Bearer two"]


def test_a_secret_that_is_refused_is_an_error_that_does_not_tell_it() -> None:
    wrong = "wr0ng"
    with taking([]) as (url, taken), pytest.raises(StorageError, match="no token from") as caught:
        StorageHTTP(url, token_url=f"{url}/token", client_id="us", client_secret=wrong).put("a", dict={})
    assert taken == []
    assert wrong not in str(caught.value)
    with pytest.raises(ValueError, match="go together"):
        StorageHTTP(url, token_url=url)


@contextmanager
def serving(nginx: Path, folder: Path) -> Iterator[tuple[str, Path, Path]]:
    """The URL of an nginx that stores what is PUT by who has a certificate; its authority, and such a certificate."""
    authority = hostile.certified(folder).authority
    (folder / "stored").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    user = f"user {getpass.getuser()};" if os.getuid() == 0 else ""
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port, authority=authority, user=user))
    command: list[str | Path] = [nginx, "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            assert waits(lambda: connected(port))
            yield f"https://127.0.0.1:{port}", authority, folder / "good"
        finally:
            process.terminate()


def connected(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_nginx_takes_it_from_who_has_a_certificate_and_from_nobody_else(nginx: Path, tmp_path: Path) -> None:
    with serving(nginx, tmp_path) as (url, authority, certificate):
        StorageHTTP(url, ca=authority, client_cert=certificate).put("2026/a.json", dict={})
        assert (tmp_path / "stored/2026/a.json").read_bytes() == b"{}\n"
        with pytest.raises(StorageError):
            StorageHTTP(url, ca=authority).put("b", dict={})
        with pytest.raises(StorageError):
            StorageHTTP(url, client_cert=certificate).put("c", dict={})
    assert [path.name for path in (tmp_path / "stored").rglob("*") if path.is_file()] == ["a.json"]


# --- names ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "moment"),
    [
        ("a-2026-11-25-120000+0100-x", datetime(2026, 11, 25, 11, tzinfo=UTC)),
        ("a-2026-11-25-120000-2026-11-26-000000", datetime(2026, 11, 25, 12, tzinfo=UTC)),
        ("a-2026-13-25-120000+0000", None),
        ("a-2026-11-25-1200001", None),
        ("a", None),
    ],
)
def test_the_first_moment_of_a_name_is_read_with_a_zone_or_without(name: str, moment: datetime | None) -> None:
    assert stated(name) == moment


def test_what_states_no_moment_is_in_no_span() -> None:
    assert selected(["a", "b-2026-11-25-120000"], "*", since=datetime(2026, 1, 1, tzinfo=UTC)) == [
        "b-2026-11-25-120000"
    ]
    assert checked("a/b.c") == "a/b.c"
