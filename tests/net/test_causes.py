"""What exactly failed, as a code beside the sentence: made by a real server or connection, and kept in the reading."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from telegraf_cvmfs.model import Cause, Reading, Result, Role, Server
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.scraping.reader import Reader
from tests.builders import hostile
from tests.builders.asking import Asking
from tests.builders.jobs import driven
from tests.builders.published import LIST

pytestmark = pytest.mark.usefixtures("each_transport")

BROADCAST = "http://127.255.255.255:8000"
"""No machine has this address: nothing leaves this one, and there is no way to it."""

OF_SERVERS = {
    "refuses": Cause.REFUSED,
    "full backlog": Cause.UNCONNECTED,
    "redirects to another server": Cause.OTHER_SERVER,
    "redirects to garbage": Cause.OTHER_SERVER,
    "redirects to nowhere": Cause.REDIRECTS,
    "redirects to itself": Cause.REDIRECTS,
    "another protocol": Cause.NOT_HTTP,
    "states two lengths": Cause.NOT_HTTP,
    "503": Cause.SERVER_ERROR,
    "403": None,
    "429": None,
    "silent": None,
    "closes at once": None,
    "states too much": None,
    "JSON of 5 MB": None,
}
OF_TLS = {
    "expired": Cause.EXPIRED_CERTIFICATE,
    "other name": Cause.OTHER_NAME,
    "self-signed": Cause.UNTRUSTED,
    "plain HTTP": Cause.NOT_TLS,
    "closes in the handshake": None,
    "hangs in the handshake": None,
}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> hostile.Certified:
    return hostile.certified(tmp_path_factory.mktemp("tls"))


@contextmanager
def network(proxy: str = "") -> Iterator[Asking]:
    made = Asking(Deadline(1.5), proxy=proxy, resolve=lambda _host: [])
    yield made
    made.close()


def read(url: str, proxy: str = "", *, follow: bool = True) -> Reading[bytes]:
    with network(proxy) as net:
        server = Server(url, "s1", Role.STRATUM1, follow_redirects=follow)
        reader = Reader(server, lambda _line: None, 8, s3=False)
        return driven(reader.read(url + LIST, 4096 * 1024, bytes), net.fetch(server))


@pytest.mark.parametrize(("kind", "cause"), OF_SERVERS.items())
def test_a_bad_server_is_told_by_its_cause(kind: str, cause: Cause | None) -> None:
    with hostile.KINDS[kind].make() as url:
        reading = read(url)
    assert reading.result is hostile.KINDS[kind].result
    assert reading.cause is cause


@pytest.mark.parametrize(("kind", "cause"), OF_TLS.items())
def test_a_bad_tls_server_is_told_by_its_cause(
    kind: str, cause: Cause | None, certificates: hostile.Certified, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
    with hostile.tls_kinds(certificates)[kind].make() as url:
        assert read(url).cause is cause


def test_an_authority_that_nobody_trusts_is_told_by_its_cause(certificates: hostile.Certified) -> None:
    with hostile.tls_kinds(certificates)["good"].make() as url:
        assert read(url).cause is Cause.UNTRUSTED


def test_an_address_to_which_there_is_no_way_is_told_by_its_cause() -> None:
    reading = read(BROADCAST)
    assert (reading.result, reading.cause) == (Result.CONNECTION_FAILED, Cause.UNREACHABLE)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_not_reached_is_the_cause_whatever_keeps_it(scheme: str) -> None:
    with hostile.refuses() as dead:
        for proxy in (dead, BROADCAST):
            reading = read(f"{scheme}://127.0.0.1:9", proxy)
            assert (reading.result, reading.cause) == (Result.CONNECTION_FAILED, Cause.PROXY)


def test_a_proxy_that_lets_nobody_through_is_the_cause() -> None:
    with hostile.KINDS["403"].make() as proxy:
        assert read("https://127.0.0.1:9", proxy).cause is Cause.PROXY


def test_a_proxy_whose_name_is_not_known_is_told_by_its_result() -> None:
    reading = read("http://127.0.0.1:9", "http://proxy.example:3128")
    assert (reading.result, reading.cause) == (Result.DNS_ERROR, None)


def test_who_is_not_asked_again_has_still_the_cause_of_before() -> None:
    with hostile.refuses() as url, network() as net:
        server = Server(url, "s1", Role.STRATUM1)
        reader, fetch = Reader(server, lambda _line: None, 8, s3=False), net.fetch(server)
        driven(reader.read(url + LIST, 1024, bytes), fetch)
        reader.gone = True
        assert driven(reader.read(url + LIST, 1024, bytes), fetch).cause is Cause.REFUSED
        assert net.traffic.requests == 1


def test_a_redirect_that_need_not_be_followed_is_told_by_its_cause() -> None:
    with hostile.KINDS["redirects to itself"].make() as url:
        reading = read(url, follow=False)
    assert (reading.result, reading.cause) == (Result.REDIRECTED, Cause.NOT_FOLLOWED)


def test_every_cause_is_made_here() -> None:
    made = {*OF_SERVERS.values(), *OF_TLS.values(), Cause.UNREACHABLE, Cause.PROXY, Cause.NOT_FOLLOWED}
    assert made - {None} == set(Cause)
