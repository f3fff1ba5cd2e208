"""One URL to one answer, by either transport: what bad servers come to, in what time; connections, names, proxies."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import requests
import requests_mock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telegraf_cvmfs import __version__
from telegraf_cvmfs.model import Answer, Cause, FetchError, Result, Role, Server, Traffic, TransportName
from telegraf_cvmfs.net.answer import MAX_REDIRECTS
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.net.names import Resolve, system_resolve
from telegraf_cvmfs.net.transport import Request
from tests.builders import hostile
from tests.builders.asking import BOTH, Asking
from tests.builders.published import LIST

LIMIT = 4 * 1024 * 1024
ROOM = 0.4  # seconds that a busy machine may take on top
PAGE = hostile.page(b"hello")
CARRIED_BY = TransportName.AUTO


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> hostile.Certified:
    return hostile.certified(tmp_path_factory.mktemp("tls"))


@pytest.fixture(autouse=True, params=BOTH)
def carried_by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> TransportName:
    """Each test is run by each transport."""
    name: TransportName = request.param
    monkeypatch.setattr(sys.modules[__name__], "CARRIED_BY", name)
    return name


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    """No thread and no socket outlives a test."""
    threads, open_before = tasks(), sockets()
    yield
    until = time.monotonic() + 1
    while (tasks() - threads or sockets() - open_before) and time.monotonic() < until:
        time.sleep(0.01)
    assert not tasks() - threads
    assert not sockets() - open_before


def tasks() -> set[str]:
    """The threads of this process, whoever began them."""
    return {one.name for one in Path("/proc/self/task").iterdir()}


def stacks() -> list[list[str]]:
    """The names of the functions that each thread is in."""
    return [[one.f_code.co_name for one, _ in traceback.walk_stack(frame)] for frame in sys._current_frames().values()]


def sockets() -> set[str]:
    """The sockets that this process has open."""
    links = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            links.add(str(descriptor.readlink()))
        except OSError:  # closed meanwhile
            continue
    return {link for link in links if link.startswith("socket:")}


@contextmanager
def network(
    seconds: float = 3.0, *, connections: int = 8, proxy: str = "", resolve: Resolve = system_resolve
) -> Iterator[Asking]:
    made = Asking(Deadline(seconds), connections, proxy, resolve, CARRIED_BY)
    yield made
    made.close()


def server(url: str) -> Server:
    return Server(url, "s1", Role.STRATUM1, follow_redirects=True)


def ask(net: Asking, url: str, path: str = "/x", limit: int = LIMIT) -> Answer:
    return net.fetch(server(url))(url + path, limit)


def refused(net: Asking, url: str, path: str = "/x", limit: int = LIMIT) -> FetchError:
    with pytest.raises(FetchError) as error:
        ask(net, url, path, limit)
    return error.value


# --- bad servers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", hostile.KINDS)
def test_a_bad_server_is_told_by_its_result_in_time(name: str) -> None:
    meets(hostile.KINDS[name])


TLS: tuple[str, ...] = ("good", "expired", "other name", "self-signed", "hangs in the handshake", "drips the handshake")
TLS += ("closes in the handshake", "plain HTTP", "silent in TLS", "drips the body in TLS", "endless body in TLS")


@pytest.mark.parametrize("name", TLS)
def test_a_bad_tls_server_is_told_by_its_result_in_time(
    name: str, certificates: hostile.Certified, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
    kinds = hostile.tls_kinds(certificates)
    assert set(kinds) == set(TLS)
    meets(kinds[name])


def meets(kind: hostile.Kind) -> None:
    if kind.result_by(CARRIED_BY) is not kind.result:
        kind = replace(kind, result=kind.result_by(CARRIED_BY), words="in time")
    seconds = 0.3 if kind.result is Result.TIMEOUT else 1.0
    with kind.make() as url, network(3 * seconds) as net:  # a third of that for the request
        began = time.monotonic()
        if kind.result is None or kind.status is not None:
            answer = ask(net, url, LIST)
            assert answer.status == (kind.status or 200)
            assert bool(answer.body) == (kind.status is None)
        else:
            error = refused(net, url, LIST)
            assert (error.result, kind.words in str(error)) == (kind.result, True), f"{error.result}: {error}"
            assert "\n" not in str(error)
            assert len(str(error)) < 300
        assert time.monotonic() - began < seconds + ROOM
        assert net.traffic.requests <= 1 + MAX_REDIRECTS


def test_an_authority_that_is_not_trusted_is_refused(certificates: hostile.Certified) -> None:
    with hostile.tls_kinds(certificates)["good"].make() as url, network() as net:
        error = refused(net, url)
    assert error.result is Result.TLS_ERROR
    assert "certificate" in str(error)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.one_of(
        st.binary(max_size=300),
        st.builds(
            lambda status, lines, body: b"HTTP/1.1 " + status + b"\r\n" + b"\r\n".join(lines) + b"\r\n\r\n" + body,
            st.sampled_from([b"200 OK", b"404 X", b"301 Y", b"500", b"100 C", b"204 N", b"999 Z", b"0200 OK"]),
            st.lists(
                st.one_of(
                    st.sampled_from(
                        [
                            b"Transfer-Encoding: chunked",
                            b"Content-Length: 5",
                            b"Content-Length: -5",
                            b"Content-Length: 5, 5",
                            b"Content-Length: \xb2",
                            b"Location: /",
                            b"Set-Cookie: a=b; expires=\xff",
                            b"Connection: keep-alive",
                            b"Age: 1e9",
                            b"Content-Encoding: gzip",
                        ]
                    ),
                    st.binary(max_size=40),
                ),
                max_size=4,
            ),
            st.one_of(st.binary(max_size=40), st.sampled_from([b"5\r\nhello\r\n0\r\n\r\n", b"-1\r\nxx", b"hello"])),
        ),
    )
)
def test_whatever_bytes_come_it_is_an_answer_or_a_sentence(data: bytes) -> None:
    with hostile.Server(hostile.says(data)) as bad, network(3) as net:
        try:
            answer = ask(net, bad.url, limit=1000)
        except FetchError as failed:
            error = failed
        else:
            assert 100 <= answer.status <= 999
            assert len(answer.body) <= 1000
            return
    assert error.result not in (Result.OK, Result.DEADLINE)
    assert str(error)


# --- answers ----------------------------------------------------------------------------------------


def test_an_answer_has_status_body_and_age() -> None:
    with hostile.Server(hostile.answers(lambda _: hostile.page(b"abc", "200 OK", "Age: 61"))) as good, network() as net:
        assert ask(net, good.url) == Answer(200, b"abc", 61)
        assert net.traffic == Traffic(requests=1, failures=0, bytes=3)


@pytest.mark.parametrize("age", ["-1", "x", "", "1.5", "9" * 5000])
def test_an_age_that_is_none_is_unknown(age: str) -> None:
    answer = hostile.page(b"abc", "200 OK", f"Age: {age}")
    with hostile.Server(hostile.says(answer)) as good, network() as net:
        assert ask(net, good.url).age is None


@pytest.mark.parametrize("body", [hostile.CLOSE_DELIMITED, hostile.CHUNKED + b"0\r\n\r\n", hostile.page(b"")])
def test_an_empty_document_is_an_answer(body: bytes) -> None:
    with hostile.Server(hostile.says(body)) as good, network() as net:
        assert ask(net, good.url) == Answer(200, b"")


def test_a_chunked_body_is_put_together() -> None:
    chunks = hostile.CHUNKED + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    with hostile.Server(hostile.says(chunks)) as good, network() as net:
        assert ask(net, good.url).body == b"abcde"


def test_the_limit_is_the_largest_body_that_is_read() -> None:
    with hostile.Server(hostile.answers(lambda path: hostile.page(b"x" * int(path[1:])))) as good, network() as net:
        assert len(ask(net, good.url, "/1000", limit=1000).body) == 1000
        assert refused(net, good.url, "/1001", limit=1000).result is Result.TOO_LARGE


def test_a_404_is_an_answer_and_no_failure() -> None:
    with hostile.Server(hostile.serves({})) as good, network() as net:
        assert ask(net, good.url) == Answer(404, b"")
        assert net.traffic == Traffic(requests=1)


def test_traffic_counts_requests_failures_and_bytes() -> None:
    with hostile.Server(hostile.serves({"/x": b"12345"})) as good, hostile.refuses() as dead, network() as net:
        for url in (good.url, good.url, dead):
            fetch = net.fetch(server(url))
            try:
                fetch(url + "/x", LIMIT)
            except FetchError:
                continue
        assert net.traffic == Traffic(requests=3, failures=1, bytes=10)


def test_requests_say_who_asks_and_want_the_bytes_as_they_are_stored() -> None:
    with hostile.Server(hostile.says(PAGE)) as good, network() as net:
        ask(net, good.url, "/cvmfs/a%20b/.cvmfspublished")
        lines = good.heads[0].decode().split("\r\n")
    assert lines[0] == "GET /cvmfs/a%20b/.cvmfspublished HTTP/1.1"
    assert f"User-Agent: telegraf-cvmfs/{__version__} (+https://github.com/telegraf-cvmfs/telegraf-cvmfs)" in lines
    assert "Accept-Encoding: identity" in lines
    assert not [line for line in lines if line.startswith(("Authorization", "Cookie"))]


def test_cookies_are_not_kept() -> None:
    with hostile.Server(hostile.answers(lambda _: hostile.page(b"x", "200 OK", "Set-Cookie: a=b"))) as good:
        with network() as net:
            fetch = net.fetch(server(good.url))
            fetch(good.url + "/1", LIMIT)
            fetch(good.url + "/2", LIMIT)
        assert b"Cookie" not in good.heads[1]


def test_a_redirect_to_the_same_server_is_followed() -> None:
    def answer(path: str) -> bytes:
        return PAGE if path == "/new" else hostile.page(b"", "301 Moved", "Location: new")

    with hostile.Server(hostile.answers(answer)) as good, network() as net:
        assert ask(net, good.url, "/old").body == b"hello"
        assert net.traffic.requests == 2


def test_a_redirect_is_not_followed_unless_clients_follow_it() -> None:
    """And both transports say the same of it, and of what came from where one led."""

    def answer(path: str) -> bytes:
        return PAGE if path == "/new" else hostile.page(b"", "301 Moved", "Location: new")

    with hostile.Server(hostile.answers(answer)) as good, network() as net:
        fetch = net.fetch(Server(good.url, "careful", Role.STRATUM1))
        with pytest.raises(FetchError, match=f"redirected to '{good.url}/new'.*follow_redirects = true") as error:
            fetch(good.url + "/old", LIMIT)
        assert (error.value.result, error.value.http_status) == (Result.REDIRECTED, 301)
        assert error.value.cause is Cause.NOT_FOLLOWED
        with pytest.raises(FetchError):
            fetch(good.url + "/old", 0)
        assert not fetch(good.url + "/new", LIMIT).redirected
        assert len(good.heads) == 3
        assert net.traffic.failures == 2
        assert ask(net, good.url, "/old").redirected
        assert ask(net, good.url, "/old", limit=0).redirected


@pytest.mark.parametrize(("count", "followed"), [(4, True), (5, False)])
def test_as_many_redirects_are_followed_as_clients_follow(count: int, followed: bool) -> None:
    def answer(path: str) -> bytes:
        left = int(path.removeprefix("/"))
        return hostile.page(b"", "302 Found", f"Location: /{left - 1}") if left else PAGE

    with hostile.Server(hostile.answers(answer)) as good, network() as net:
        if followed:
            assert ask(net, good.url, f"/{count}").body == b"hello"
        else:
            assert refused(net, good.url, f"/{count}").result is Result.REDIRECTED


def test_a_redirect_to_another_server_is_not_asked_for() -> None:
    with hostile.Server(hostile.says(PAGE)) as other:
        elsewhere = hostile.page(b"", "302 Found", f"Location: {other.url}/x")
        with hostile.Server(hostile.says(elsewhere)) as bad, network() as net:
            error = refused(net, bad.url)
        assert (error.result, error.http_status) == (Result.REDIRECTED, 302)
        assert other.url in str(error)
        assert other.connections == 0


# --- time -------------------------------------------------------------------------------------------


def test_when_the_run_is_over_it_says_deadline_and_asks_nobody() -> None:
    with hostile.Server(hostile.says(PAGE)) as good, network(0.0) as net:
        assert refused(net, good.url).result is Result.DEADLINE
        assert good.connections == 0


def test_a_request_ends_with_the_run_even_if_it_had_more_time_of_its_own() -> None:
    with hostile.Server(hostile.silent) as bad:
        deadline = Deadline(30)
        net = Asking(deadline, transport=CARRIED_BY)
        deadline.shorten(0.3)
        began = time.monotonic()
        assert refused(net, bad.url).result is Result.DEADLINE
        assert time.monotonic() - began < 0.3 + ROOM
        net.close()


def test_a_cut_while_the_deadline_is_set_is_not_lost() -> None:
    deadline = Deadline(float("inf"))
    deadline.cut()
    deadline.shorten(30)
    assert deadline.passed


@pytest.mark.parametrize("tls", [False, True])
def test_after_the_deadline_nothing_of_ours_reads_on(
    tls: bool, certificates: hostile.Certified, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
    behaviours = [hostile.silent, hostile.deaf, hostile.drips(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n" * 99, 0.05)]
    behaviours += [hostile.drips(hostile.head("200 OK", "Content-Length: 99"), b"x" * 99, 0.05)]
    with ExitStack() as stack:
        bad = [stack.enter_context(hostile.Server(b, tls=certificates.good if tls else None)) for b in behaviours]
        bad += [stack.enter_context(hostile.Server(hostile.answers(lambda _: PAGE)))]
        before = tasks(), sockets()
        net = Asking(Deadline(0.6), transport=CARRIED_BY)
        asks_until_the_deadline(net, [one.url for one in bad * 3])
        net.close()
        over = time.monotonic()
        while ours(before) and time.monotonic() < over + ROOM:
            time.sleep(0.01)
        assert ours(before) == set()


def ours(before: tuple[set[str], set[str]]) -> set[str]:
    """Connected sockets of ours that were not there before; those of the servers in this process do not count."""
    ports = {line.split()[9]: line.split()[1:4] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]}
    listening = {local.split(":")[1] for local, _, state in ports.values() if state == "0A"}
    new = {link.removeprefix("socket:[").removesuffix("]") for link in sockets() - before[1]}
    return {node for node in new & set(ports) if ports[node][0].split(":")[1] not in listening}


def asks_until_the_deadline(net: Asking, urls: list[str]) -> None:
    """Asks each server again whenever it has answered or failed."""
    requests = [Request(server(url), url + "/x", LIMIT) for url in urls]
    for number, request in enumerate(requests):
        net.carrier.start(number, request)
    while not net.deadline.passed:
        for number, _ in net.carrier.finished(max(min(0.1, net.deadline.remaining), 0.0)):
            net.carrier.start(number, requests[number])


# --- connections ------------------------------------------------------------------------------------


def test_eight_connections_to_a_server_are_used_at_once_and_again() -> None:
    together = threading.Barrier(8, timeout=5)

    def answer(_path: str) -> bytes:
        together.wait()
        return PAGE

    with hostile.Server(hostile.answers(answer)) as good, network(20) as net:
        net.together([Request(server(good.url), good.url + "/x", LIMIT)] * 40, width=8)
        assert len(good.heads) == 40
        assert good.connections == 8


def closes_kept_connections(talk: hostile.Talk) -> None:
    """Answers once on each connection; at the next request it hangs up."""
    talk.request()
    talk.send(PAGE)
    talk.request()


def test_a_kept_connection_that_died_is_replaced_once() -> None:
    with hostile.Server(closes_kept_connections) as bad, network() as net:
        fetch = net.fetch(server(bad.url))
        for _ in range(3):
            assert fetch(bad.url + "/x", LIMIT).body == b"hello"
        assert bad.connections == 3
        # libcurl asks again by itself, and does not say so.
        assert net.traffic == Traffic(requests=5 if CARRIED_BY is TransportName.REQUESTS else 3, bytes=15)


def test_the_second_try_uses_none_of_the_other_dead_connections() -> None:
    together = threading.Barrier(4, timeout=5)

    def behave(talk: hostile.Talk) -> None:
        talk.request()
        if talk.number < 4:
            together.wait()
        talk.send(PAGE)
        talk.request()

    with hostile.Server(behave) as bad, network(10) as net:
        net.together([Request(server(bad.url), bad.url + "/x", LIMIT)] * 4)
        assert bad.connections == 4
        assert net.fetch(server(bad.url))(bad.url + "/x", LIMIT).body == b"hello"
        assert bad.connections == 5


def test_a_server_that_hangs_up_is_asked_once_on_a_new_connection_and_twice_on_a_kept_one() -> None:
    def behave(talk: hostile.Talk) -> None:
        talk.request()
        if talk.number == 0:
            talk.send(PAGE)
            talk.request()

    with hostile.Server(behave) as bad, network() as net:
        fetch = net.fetch(server(bad.url))
        fetch(bad.url + "/x", LIMIT)
        for asked in (3, 4):
            with pytest.raises(FetchError, match="without an answer"):
                fetch(bad.url + "/x", LIMIT)
            assert len(bad.heads) == asked


def test_surplus_bytes_do_not_poison_the_next_request() -> None:
    def behave(talk: hostile.Talk) -> None:
        while request := talk.request():
            talk.send(hostile.page(hostile.path_of(request).encode()))
            talk.over.wait(0.02)  # after the client has put the connection back
            talk.send(b"surplus\r\n\r\n")

    with hostile.Server(behave) as bad, network() as net:
        fetch = net.fetch(server(bad.url))
        for pause in (0.0, 0.0, 0.1, 0.1):
            assert fetch(bad.url + "/first", LIMIT).body == b"/first"
            time.sleep(pause)
            assert fetch(bad.url + "/second", LIMIT).body == b"/second"


def test_the_answer_after_an_early_hint_is_not_taken_for_that_of_the_next_request() -> None:
    def behave(talk: hostile.Talk) -> None:
        while request := talk.request():
            talk.send(hostile.head("103 Early Hints"))
            talk.over.wait(0.02)
            talk.send(hostile.page(hostile.path_of(request).encode()))

    with hostile.Server(behave) as bad, network() as net:
        fetch = net.fetch(server(bad.url))
        assert [fetch(bad.url + path, LIMIT).status for path in ("/a", "/b")] == [103, 103]
        assert bad.connections == 2


def test_an_error_page_that_is_small_leaves_the_connection_usable() -> None:
    with hostile.Server(hostile.serves({})) as good, network() as net:
        fetch = net.fetch(server(good.url))
        for _ in range(5):
            fetch(good.url + "/x", LIMIT)
        assert good.connections == 1


# --- names ------------------------------------------------------------------------------------------


def test_a_name_without_an_address_is_a_dns_error() -> None:
    def resolve(_host: str) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with network(resolve=resolve) as net:
        error = refused(net, "http://nowhere.example")
    assert error.result is Result.DNS_ERROR
    assert str(error) == "looking up nowhere.example: Name or service not known"


@pytest.mark.parametrize("found", [[], UnicodeError("label empty or too long"), ValueError()])
def test_a_strange_look_up_is_a_dns_error(found: list[str] | Exception) -> None:
    def resolve(_host: str) -> list[str]:
        if isinstance(found, Exception):
            raise found
        return found

    with network(resolve=resolve) as net:
        assert refused(net, "http://nowhere.example").result is Result.DNS_ERROR


def test_a_look_up_that_hangs_holds_one_thread_and_no_request_beyond_its_time() -> None:
    over, calls = threading.Event(), []

    def resolve(host: str) -> list[str]:
        calls.append(host)
        over.wait()
        return []

    with network(1.5, resolve=resolve) as net:
        began = time.monotonic()
        asked = net.together([Request(server("http://hangs.example"), "http://hangs.example/x", LIMIT)] * 16)
        took = time.monotonic() - began
        hanging = sum("_look_up" in stack for stack in stacks())
        over.set()
    assert [error.result for error in asked if isinstance(error, FetchError)] == [Result.DNS_ERROR] * 16
    assert (len(calls), hanging) == (1, 1)
    assert took < 0.5 + ROOM


def test_a_name_is_looked_up_once_a_run() -> None:
    calls = []

    def resolve(host: str) -> list[str]:
        calls.append(host)
        return ["127.0.0.1"]

    with hostile.Server(hostile.answers(lambda _: PAGE)) as good, network(resolve=resolve) as net:
        url = f"http://s1.example:{good.port}"
        net.together([Request(server(url), url + "/x", LIMIT)] * 8)
        assert calls == ["s1.example"]
        assert f"Host: s1.example:{good.port}".encode() in good.heads[0]


@pytest.mark.parametrize("dead", ["::1", "127.0.0.2"])
def test_an_address_that_is_dead_costs_a_share_of_the_time_and_only_once(dead: str) -> None:
    with ExitStack() as stack:
        good = stack.enter_context(hostile.Server(hostile.says(PAGE)))
        stack.enter_context(hostile.full_backlog(dead, good.port))
        net = stack.enter_context(network(3, resolve=lambda _: [dead, "127.0.0.1"]))
        for least, most in ((0.45, 0.5 + ROOM), (0.0, ROOM)):
            began = time.monotonic()
            assert ask(net, f"http://s1.example:{good.port}").body == b"hello"
            assert least < time.monotonic() - began < most


def test_an_address_that_refuses_costs_nothing() -> None:
    with hostile.Server(hostile.says(PAGE)) as good, network(resolve=lambda _: ["::1", "127.0.0.1"]) as net:
        assert ask(net, f"http://s1.example:{good.port}").body == b"hello"


def test_a_server_may_be_given_by_an_ipv6_address() -> None:
    with hostile.Server(hostile.says(PAGE), address="::1") as good, network() as net:
        assert ask(net, f"http://[::1]:{good.port}").body == b"hello"


# --- proxies ----------------------------------------------------------------------------------------


def tunnels(talk: hostile.Talk) -> None:
    """A proxy that knows CONNECT only."""
    host, _, port = hostile.path_of(talk.request()).partition(":")
    with socket.create_connection((host, int(port))) as far:
        talk.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        back = threading.Thread(target=pump, args=(far, talk.connection))
        back.start()
        pump(talk.connection, far)
        back.join()


def pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        return


def test_http_goes_through_the_proxy_that_is_configured() -> None:
    echo = hostile.answers(lambda path: hostile.page(path.encode()))
    with hostile.Server(echo) as proxy, network(proxy=proxy.url) as net:
        assert ask(net, "http://s1.example:8000", "/cvmfs/x").body == b"http://s1.example:8000/cvmfs/x"


def test_https_goes_through_the_proxy_by_connect(
    certificates: hostile.Certified, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
    good = hostile.Server(hostile.answers(lambda _: PAGE), tls=certificates.good)
    with good, hostile.Server(tunnels) as proxy, network(proxy=proxy.url) as net:
        assert ask(net, good.url).body == b"hello"
        assert proxy.heads[0].startswith(f"CONNECT 127.0.0.1:{good.port} ".encode())


def test_a_proxy_that_is_down_is_named() -> None:
    with hostile.refuses() as dead, network(proxy=dead) as net:
        for url in ("http://s1.example", "https://s1.example"):
            error = refused(net, url)
            assert error.result is Result.CONNECTION_FAILED
            assert str(error).startswith("proxy: connecting to 127.0.0.1:")


def test_a_proxy_that_refuses_to_connect_is_told() -> None:
    with hostile.Server(hostile.says(hostile.page(b"", "403 Forbidden"))) as proxy, network(proxy=proxy.url) as net:
        error = refused(net, "https://s1.example")
    assert error.result is Result.CONNECTION_FAILED
    assert "proxy: " in str(error)
    assert "403" in str(error)


@pytest.mark.parametrize(
    "behave", [hostile.silent, hostile.deaf, hostile.drips(b"HTTP/1.1 200 OK\r\n", b"a" * 99, 0.1)]
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_hangs_is_late(scheme: str, behave: hostile.Behaviour) -> None:
    with hostile.Server(behave) as proxy, network(0.9, proxy=proxy.url) as net:
        began = time.monotonic()
        assert refused(net, f"{scheme}://s1.example").result is Result.TIMEOUT
        assert time.monotonic() - began < 0.3 + ROOM


def test_the_environment_is_ignored_unless_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in [name for name in os.environ if name.lower() == "no_proxy"]:
        monkeypatch.delenv(name)
    with hostile.Server(hostile.says(hostile.page(b"proxy"))) as proxy, hostile.Server(hostile.says(PAGE)) as good:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        with network() as net:
            assert ask(net, good.url).body == b"hello"
            assert b"Authorization" not in good.heads[0]
        with network(proxy="environment") as net:
            assert ask(net, good.url).body == b"proxy"
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        with network(proxy="environment") as net:
            assert ask(net, good.url).body == b"hello"


# --- requests-mock ----------------------------------------------------------------------------------


def test_programs_can_be_tested_with_requests_mock() -> None:
    if CARRIED_BY is TransportName.CURL:
        return
    with network() as net, requests_mock.Mocker() as mock:
        mock.get("http://s1.example/x", content=b"mocked", headers={"Age": "5"})
        mock.get("http://s1.example/404", status_code=404)
        mock.get("http://s1.example/down", exc=requests.exceptions.ConnectTimeout)
        mock.get("http://s1.example/refused", exc=requests.exceptions.ConnectionError("refused"))
        fetch = net.fetch(server("http://s1.example"))
        assert fetch("http://s1.example/x", LIMIT) == Answer(200, b"mocked", 5)
        assert fetch("http://s1.example/404", LIMIT).status == 404
        for path, result in (("down", Result.TIMEOUT), ("refused", Result.CONNECTION_FAILED)):
            with pytest.raises(FetchError) as error:
                fetch(f"http://s1.example/{path}", LIMIT)
            assert error.value.result is result


def test_a_head_says_how_long_a_document_is_and_the_connection_is_used_on() -> None:
    def behave(talk: hostile.Talk) -> None:
        while request := talk.request():
            whole = hostile.page(b"thing\n")
            talk.send(whole.removesuffix(b"thing\n") if request.startswith(b"HEAD ") else whole)

    with hostile.Server(behave) as good, network() as net:
        fetch = net.fetch(server(good.url))
        answers = [fetch(good.url + "/a", limit) for limit in (0, 100, 0)]
        assert [(answer.status, answer.body, answer.length) for answer in answers] == [
            (200, b"", 6),
            (200, b"thing\n", 6),
            (200, b"", 6),
        ]
        assert (net.traffic.requests, net.traffic.bytes, good.connections) == (3, 6, 1)
