"""Several machines behind one name, each on a loopback address of its own: what is scraped, said and remembered."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from telegraf_cvmfs.assess.verdicts import assess
from telegraf_cvmfs.emit import human, json_document, line_protocol, prometheus
from telegraf_cvmfs.fleet import file as fleet_file
from telegraf_cvmfs.memory.value import NOTHING, Memory, remember
from telegraf_cvmfs.model import ConfigError, Fleet, GeoAPI, Health, Limit, Result, Role, Run, Server, ServerVerdict
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.net.names import Names
from telegraf_cvmfs.net.network import Network
from telegraf_cvmfs.points.rows import Point, points
from telegraf_cvmfs.points.schema import REPO, SERVER
from telegraf_cvmfs.scraping import members
from telegraf_cvmfs.scraping.visits import scrape
from tests.builders.hostile import Behaviour, Talk, head, page, path_of
from tests.builders.hostile import Server as Machine
from tests.builders.published import LIST, NOW, Documents, listing, repository

pytestmark = pytest.mark.usefixtures("each_transport")

NAME, REPOSITORY = "stratum.example", "software.example"
FIRST, SECOND, THIRD = "127.0.0.1", "127.0.0.2", "127.0.0.3"
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


# --- machines -----------------------------------------------------------------------------------------


def replica(repo: str = REPOSITORY, revision: int = 6, published: datetime = NOW - 5 * HOUR) -> Documents:
    return repository(repo, revision, published)


def stratum(*replicas: Documents) -> Documents:
    """What a stratum 1 with these replicas serves."""
    documents = {path: body for one in replicas or (replica(),) for path, body in one.items()}
    names = sorted({path.split("/")[2] for path in documents})
    return documents | {LIST: listing(*names)}


def serves(documents: Mapping[str, bytes]) -> Behaviour:
    """A good server of these documents, and of any root catalog."""

    def behave(talk: Talk) -> None:
        while request := talk.request():
            body = documents.get(path_of(request))
            if request.startswith(b"HEAD"):
                talk.send(head("200 OK", "Content-Length: 4096"))
            else:
                talk.send(page(b"", "404 Not Found") if body is None else page(body))

    return behave


@dataclass
class Name:
    """A name with several machines: `machines` are those that are up, `addresses` what the name resolves to."""

    machines: dict[str, Machine]
    addresses: list[str]
    server: Server
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    memory: Memory = NOTHING

    def resolve(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        if not self.addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return self.addresses

    def run(self, after: timedelta = timedelta(0), **more: Any) -> Run:
        """A run so long after `NOW`, with the memory of those before it; `more` is of the fleet."""
        now = NOW + after
        fleet = Fleet(**{"servers": (self.server,), "geoapi": GeoAPI(enabled=False), "verify_every": None, **more})
        network = Network(Deadline(10), fleet.connections_per_server, fleet.proxy, names=Names(self.resolve))
        seen = scrape(fleet, now, network, self.complaints.append, memory=self.memory)
        run = assess(seen, timedelta(seconds=1), self.memory)
        self.memory = remember(self.memory, run)
        return run


@contextmanager
def behind_one_name(*served: Documents | None, tls: ssl.SSLContext | None = None, **server: Any) -> Iterator[Name]:
    """Machines at 127.0.0.1, 127.0.0.2, ...; where None is served nobody listens."""
    addresses = [f"127.0.0.{number}" for number in range(1, len(served) + 1)]
    with ExitStack() as running:
        machines: dict[str, Machine] = {}
        port = 0
        for address, documents in zip(addresses, served, strict=True):
            if documents is not None:
                machine = Machine(serves(documents), address=address, port=port, tls=tls)
                machines[address] = running.enter_context(machine)
                port = machine.port
        url = f"{'https' if tls else 'http'}://{NAME}:{port}"
        options: dict[str, Any] = {"all_addresses": True} | server
        yield Name(machines, addresses, Server(url, NAME, Role.STRATUM1, **options))


def rows(run: Run, measurement: str) -> dict[str | None, Point]:
    """The points of a measurement by address; of one repository only."""
    found = [point for point in points(run) if point.measurement == measurement]
    by_address = {point.tags.get("address"): point for point in found}
    assert len(by_address) == len(found), "one point for each address"
    return by_address


def by_address(run: Run) -> dict[str | None, ServerVerdict]:
    return {verdict.stratum.server.address: verdict for verdict in run.servers}


def slugs(verdict: Any) -> list[str]:
    return [finding.slug for finding in verdict.findings]


def differing(run: Run) -> list[str | None]:
    """The addresses that are told to differ from others."""
    return [address for address, verdict in by_address(run).items() if "members_differ" in slugs(verdict)]


# --- each is scraped ----------------------------------------------------------------------------------


def test_each_machine_has_points_of_its_own() -> None:
    with behind_one_name(stratum(replica(revision=6)), stratum(replica(revision=7))) as name:
        run = name.run()
    assert {address: point.fields["revision"] for address, point in rows(run, REPO).items()} == {FIRST: 6, SECOND: 7}
    for measurement in (SERVER, REPO):
        for point in rows(run, measurement).values():
            assert (point.fields["up"], point.fields["result"], point.tags["server"]) == (1, "ok", NAME)
    assert name.complaints == []


def test_each_machine_is_asked_itself_and_by_the_name() -> None:
    with behind_one_name(stratum(), stratum(), stratum()) as name:
        name.run()
        port = name.machines[FIRST].port
        heads = {address: list(machine.heads) for address, machine in name.machines.items()}
    assert set(heads) == {FIRST, SECOND, THIRD}
    assert len({len(asked) for asked in heads.values()}) == 1, "each is asked the same"
    for asked in heads.values():
        assert asked
        assert all(f"\r\nHost: {NAME}:{port}".encode() in request for request in asked)


def test_the_name_is_looked_up_once() -> None:
    with behind_one_name(stratum(), stratum()) as name:
        name.run()
    assert name.asked == [NAME]


def test_one_machine_down_is_told_of_that_one_alone() -> None:
    with behind_one_name(stratum(), None, stratum()) as name:
        run = name.run(repos=(REPOSITORY,))
    servers, replicas = rows(run, SERVER), rows(run, REPO)
    for up in (FIRST, THIRD):
        assert (servers[up].fields["up"], servers[up].fields["health"]) == (1, 0)
        assert (replicas[up].fields["up"], replicas[up].fields["health"]) == (1, 0)
        assert "problem" not in servers[up].fields
    down = servers[SECOND].fields
    assert (down["up"], down["result"], down["finding"]) == (0, "connection_failed", "server_down")
    assert SECOND in str(down["problem"])
    assert (replicas[SECOND].fields["up"], replicas[SECOND].fields["health"]) == (0, 3)
    assert differing(run) == []


def test_through_a_proxy_no_machine_is_taken_for_the_proxy() -> None:
    with Machine(serves({})) as proxy, behind_one_name(stratum(), stratum()) as name:
        run = name.run(proxy=proxy.url)
        assert proxy.heads
    assert [one.stratum.listing.why for one in run.servers if "Connection refused" in one.stratum.listing.why] == []


def test_a_single_machine_has_its_address_too() -> None:
    with behind_one_name(stratum()) as name:
        run = name.run()
    assert list(rows(run, SERVER)) == list(rows(run, REPO)) == [FIRST]


def test_addresses_any_asks_whichever_answers_and_says_no_address() -> None:
    with behind_one_name(None, stratum(), all_addresses=False) as name:
        run = name.run()
    assert list(rows(run, SERVER)) == list(rows(run, REPO)) == [None]
    assert rows(run, SERVER)[None].fields["up"] == 1


def test_servers_keep_the_order_of_the_fleet_file_and_members_that_of_the_name() -> None:
    with behind_one_name(stratum(), stratum()) as name:
        other = replace(
            name.server, name="other", url=f"http://{FIRST}:{name.machines[FIRST].port}", all_addresses=False
        )
        run = name.run(servers=(other, name.server))
    assert [one.stratum.server.label for one in run.servers] == ["other", f"{NAME} ({FIRST})", f"{NAME} ({SECOND})"]


# --- TLS ----------------------------------------------------------------------------------------------


def certificate_for(name: str, folder: Path) -> Path:
    """Key and certificate of a server, signed by itself."""
    key, subject = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - HOUR).not_valid_after(now + HOUR)
    names = x509.SubjectAlternativeName([x509.DNSName(name)])
    signed = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    path = folder / "server.pem"
    path.write_bytes(secret + signed.public_bytes(pem))
    return path


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's context with a certificate for `NAME`, which clients trust; it notes for whom it is asked."""
    path = certificate_for(NAME, tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def test_under_tls_each_machine_is_asked_for_and_verified_by_the_name(tls: ssl.SSLContext) -> None:
    wanted: list[str | None] = []
    tls.sni_callback = lambda _socket, name, _context: wanted.append(name)
    with behind_one_name(stratum(), stratum(), tls=tls) as name:
        run = name.run()
    assert {point.fields["result"] for point in rows(run, SERVER).values()} == {"ok"}
    assert list(rows(run, SERVER)) == [FIRST, SECOND]
    assert set(wanted) == {NAME}


def test_a_certificate_for_another_name_is_refused_on_each_machine(tls: ssl.SSLContext) -> None:
    with behind_one_name(stratum(), stratum(), tls=tls) as name:
        name.server = replace(name.server, url=name.server.url.replace(NAME, "other.example"))
        run = name.run()
    assert {address: point.fields["result"] for address, point in rows(run, SERVER).items()} == {
        FIRST: "tls_error",
        SECOND: "tls_error",
    }


# --- do they differ? ----------------------------------------------------------------------------------


def two(published: timedelta, *, same: bool = False) -> tuple[Documents, Documents]:
    """Two machines, of which one lacks what was published so long ago."""
    newest = stratum(replica(revision=7, published=NOW - published))
    return newest, newest if same else stratum(replica(revision=6, published=NOW - published - HOUR))


def test_machines_that_differ_for_longer_than_an_hour_are_a_warning_on_each() -> None:
    with behind_one_name(*two(2 * HOUR)) as name:
        run = name.run()
    assert differing(run) == [FIRST, SECOND]
    for verdict in run.servers:
        (finding,) = verdict.findings
        assert finding.health is Health.WARNING
        assert f"the machines behind {NAME} differ in {REPOSITORY}, and have for 2h" in finding.problem


@pytest.mark.parametrize(("published", "found"), [(HOUR - MINUTE, 0), (HOUR, 2)])
def test_an_hour_is_the_limit(published: timedelta, found: int) -> None:
    with behind_one_name(*two(published)) as name:
        assert len(differing(name.run())) == found


def test_machines_with_the_same_do_not_differ_however_old_it_is() -> None:
    with behind_one_name(*two(200 * HOUR, same=True)) as name:
        assert differing(name.run()) == []


def test_the_same_revision_with_another_root_catalog_differs() -> None:
    other = replica(revision=6)
    path = f"/cvmfs/{REPOSITORY}/.cvmfspublished"
    other[path] = other[path].replace(b"C0", b"Cf")
    with behind_one_name(stratum(), stratum(other)) as name:
        assert differing(name.run()) == [FIRST, SECOND]


def test_a_repository_that_one_machine_lacks_is_no_difference() -> None:
    with behind_one_name(stratum(replica(), replica("more.example")), stratum()) as name:
        assert differing(name.run()) == []


def test_a_third_machine_that_is_down_is_told_too_that_the_others_differ() -> None:
    with behind_one_name(*two(2 * HOUR), None) as name:
        run = name.run()
    assert differing(run) == [FIRST, SECOND, THIRD]
    assert slugs(by_address(run)[THIRD]) == ["server_down", "members_differ"]


def test_the_repository_that_has_differed_for_longest_is_told() -> None:
    new, old = (NOW - MINUTE, NOW - 5 * HOUR)
    one = stratum(replica("a.example", 7, new), replica("b.example", 7, old))
    other = stratum(replica("a.example", 6, old), replica("b.example", 6, old))
    with behind_one_name(one, other) as name:
        run = name.run()
    assert differing(run) == [FIRST, SECOND]
    assert {"b.example" in finding.problem for verdict in run.servers for finding in verdict.findings} == {True}


def test_a_machine_that_misses_one_publication_after_another_is_told_although_the_newest_is_always_new() -> None:
    memory = NOTHING
    for half_hours in range(4):
        now = half_hours * 30 * MINUTE
        newest = stratum(replica(revision=7 + half_hours, published=NOW + now - MINUTE))
        with behind_one_name(newest, stratum(replica(revision=6))) as name:
            name.memory = memory
            run = name.run(now)
            memory = name.memory
    assert differing(run) == [FIRST, SECOND]


def test_servers_of_different_names_are_not_members_of_each_other() -> None:
    newest, older = two(2 * HOUR)
    with behind_one_name(newest) as one, behind_one_name(older) as other:
        server = replace(other.server, name="other")
        run = one.run(servers=(one.server, server))
    assert differing(run) == []


@pytest.mark.parametrize(("limit", "found"), [(Limit(3 * HOUR), 0), (Limit(), 0), (Limit(MINUTE), 2)])
def test_the_limit_can_be_moved_and_switched_off(limit: Limit, found: int) -> None:
    with behind_one_name(*two(2 * HOUR)) as name:
        name.server = replace(name.server, limits={**name.server.limits, "members_differ": limit})
        assert len(differing(name.run())) == found


# --- addresses ----------------------------------------------------------------------------------------


def test_an_address_without_a_route_is_left_out_silently(monkeypatch: pytest.MonkeyPatch) -> None:
    with behind_one_name(stratum(), stratum()) as name:
        name.addresses.append("2001:db8::1")
        monkeypatch.setattr(members, "_has_route", lambda address: ":" not in address)
        run = name.run()
    assert list(rows(run, SERVER)) == [FIRST, SECOND]
    assert name.complaints == []


def test_where_no_address_has_a_route_the_server_is_scraped_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "_has_route", lambda _address: False)
    with behind_one_name(stratum(), stratum()) as name:
        run = name.run()
    assert list(rows(run, SERVER)) == [None]


@pytest.mark.parametrize(
    ("address", "family"), [(FIRST, socket.AF_INET), ("::1", socket.AF_INET6), ("fe80::1%lo", socket.AF_INET6)]
)
@pytest.mark.parametrize("way", [True, False])
def test_a_route_is_looked_for_in_the_family_of_the_address_and_nothing_is_sent(
    address: str, family: socket.AddressFamily, way: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[tuple[int, int]] = []

    class Probe:
        def __init__(self, *kind: int) -> None:
            made.append((kind[0], kind[1]))

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def connect(self, to: tuple[str, int]) -> None:
            assert to[0] == address
            if not way:
                raise OSError("Network is unreachable")

    monkeypatch.setattr(socket, "socket", Probe)
    assert members._has_route(address) is way
    assert made == [(family, socket.SOCK_DGRAM)]


def test_there_is_a_route_to_loopback() -> None:
    assert members._has_route(FIRST)


def test_more_than_16_addresses_are_one_warning_and_the_server_is_scraped_by_its_name() -> None:
    with behind_one_name(stratum()) as name:
        name.addresses += [f"127.0.0.{number}" for number in range(2, 18)]
        run = name.run()
    assert list(rows(run, SERVER)) == [None]
    assert rows(run, SERVER)[None].fields["up"] == 1
    (line,) = name.complaints
    assert line.startswith(f"W! {NAME}: 17 addresses, at most 16")


def test_16_addresses_are_all_scraped() -> None:
    with behind_one_name(stratum()) as name:
        name.addresses += [f"127.0.0.{number}" for number in range(2, 17)]
        run = name.run()
    assert len(rows(run, SERVER)) == 16
    assert name.complaints == []


def test_a_name_that_does_not_resolve_is_one_server_with_that_as_its_result() -> None:
    with behind_one_name(stratum(), stratum()) as name:
        name.addresses.clear()
        run = name.run()
    (row,) = rows(run, SERVER).values()
    assert "address" not in row.tags
    assert (row.fields["up"], row.fields["result"]) == (0, "dns_error")
    assert run.servers[0].stratum.listing.result is Result.DNS_ERROR
    assert name.complaints == []


@pytest.mark.slow
def test_names_whose_look_up_hangs_leave_the_others_their_time() -> None:
    over = threading.Event()
    with behind_one_name(stratum()) as name:

        def resolve(host: str) -> Sequence[str]:
            if host != NAME:
                over.wait(20)
            return [FIRST]

        hanging = (replace(name.server, name=f"hangs{n}", url=f"http://hangs{n}.example") for n in range(4))
        fleet = Fleet((*hanging, name.server), geoapi=GeoAPI(enabled=False), verify_every=None)
        network = Network(Deadline(3), names=Names(resolve))
        seen = scrape(fleet, NOW, network, name.complaints.append)
        over.set()
    assert [stratum.up for stratum in seen.strata] == [False, False, False, False, True]
    assert {stratum.server.address for stratum in seen.strata[:4]} == {None}
    assert name.complaints == []


def test_a_run_that_is_cut_short_does_not_wait_for_a_look_up() -> None:
    over = threading.Event()
    deadline = Deadline(30)
    server = Server("http://hangs.example", "hangs", Role.STRATUM1, all_addresses=True)
    network = Network(deadline, names=Names(lambda _host: [FIRST] * over.wait(20)))
    threading.Timer(0.2, deadline.cut).start()
    began = time.monotonic()
    assert members.all_members((server,), network, print) == [server]
    assert time.monotonic() - began < 2
    over.set()


# --- memory -------------------------------------------------------------------------------------------


def test_revisions_of_one_machine_are_not_held_against_another() -> None:
    with behind_one_name(*two(2 * HOUR)) as name:
        for after in (timedelta(0), 5 * MINUTE, 10 * MINUTE):
            run = name.run(after)
            assert [slug for one in run.replicas for slug in slugs(one) if slug == "backwards"] == []
            name.addresses.reverse()
    remembered = {label: [one.revision for one in kept] for label, kept in name.memory.replicas.items()}
    assert remembered == {f"{NAME} ({FIRST})": [7], f"{NAME} ({SECOND})": [6]}


def test_a_machine_that_goes_backwards_itself_is_found() -> None:
    with behind_one_name(*two(2 * HOUR)) as name:
        name.run()
        memory = name.memory
    newest, older = two(2 * HOUR)
    with behind_one_name(older, newest) as name:
        name.memory = memory
        run = name.run(5 * MINUTE)
    assert {address: slugs(one.replicas[0]) for address, one in by_address(run).items()} == {
        FIRST: ["backwards"],
        SECOND: [],
    }


def test_what_a_machine_had_is_still_asked_for_when_it_is_down() -> None:
    with behind_one_name(stratum(), stratum(replica("only.example"))) as name:
        name.run()
        memory = name.memory
    with behind_one_name(stratum(), None) as name:
        name.memory = memory
        run = name.run(5 * MINUTE)
    assert [one.replica.repo for one in by_address(run)[SECOND].replicas] == ["only.example"]
    assert [one.replica.repo for one in by_address(run)[FIRST].replicas] == [REPOSITORY]


# --- formats ------------------------------------------------------------------------------------------


def series(line: str) -> str:
    return line.replace("\\ ", "").split(" ")[0]


def test_the_keys_of_all_lines_are_distinct_and_carry_the_address() -> None:
    with behind_one_name(stratum(), stratum(), None) as name:
        lines = line_protocol.render(name.run()).splitlines()
    keys = [series(line) for line in lines]
    assert len(keys) == len(set(keys))
    for address in (FIRST, SECOND, THIRD):
        assert f"cvmfs_server,address={address},fleet=cvmfs,role=stratum1,server={NAME}" in keys
        assert any(key.startswith(f"cvmfs_repo,address={address},") for key in keys) is (address != THIRD)


def test_prometheus_has_a_sample_of_each_machine() -> None:
    with behind_one_name(*two(2 * HOUR)) as name:
        lines = prometheus.render(name.run()).splitlines()
    revisions = [line for line in lines if line.startswith("cvmfs_replica_revision{")]
    assert len(revisions) == len(set(revisions)) == 2
    assert [f'address="{address}"' in line for address, line in zip((FIRST, SECOND), revisions, strict=True)] == [
        True
    ] * 2


def test_the_json_document_has_each_machine_with_its_address() -> None:
    with behind_one_name(*two(2 * HOUR)) as name:
        document = json_document.document(name.run())
    assert [(one["server"], one["address"]) for one in document["servers"]] == [(NAME, FIRST), (NAME, SECOND)]
    assert [one["replicas"][0]["revision"] for one in document["servers"]] == [7, 6]


def test_the_json_document_of_a_server_without_members_has_no_address() -> None:
    with behind_one_name(stratum(), all_addresses=False) as name:
        (server,) = json_document.document(name.run())["servers"]
    assert "address" not in server


def test_the_page_says_which_machine_is_meant() -> None:
    with behind_one_name(*two(30 * HOUR), None) as name:
        lines = human.render(name.run(repos=(REPOSITORY,))).splitlines()
    told = {address: [line for line in lines if f"{NAME} ({address})" in line] for address in (FIRST, SECOND, THIRD)}
    assert any("server_down" in line for line in told[THIRD])
    assert any("lagging" in line for line in told[SECOND])
    assert any(REPOSITORY in line and "3 servers" in line for line in lines)


def test_on_the_page_one_machine_down_does_not_hide_what_is_unknown_of_another() -> None:
    mute = stratum()
    mute[f"/cvmfs/{REPOSITORY}/.cvmfspublished"] = b"no manifest"
    with behind_one_name(mute, None) as name:
        lines = human.render(name.run(repos=(REPOSITORY,))).splitlines()
    assert any(f"{NAME} ({FIRST})" in line and "manifest not read" in line for line in lines)


# --- the fleet file -----------------------------------------------------------------------------------

FILE = '[[server]]\nurl = "http://stratum.example"\nrole = "stratum1"\n'


@pytest.mark.parametrize(("text", "every"), [("", False), ('addresses = "any"', False), ('addresses = "all"', True)])
def test_the_fleet_file_says_whether_all_machines_are_meant(text: str, every: bool) -> None:
    (server,) = fleet_file.parse(FILE + text, Path("fleet.toml")).servers
    assert (server.all_addresses, server.address) == (every, None)


@pytest.mark.parametrize("value", ['"every"', "true", '["192.0.2.1"]', '""', "2"])
def test_another_value_is_refused_with_the_place_and_what_would_be_right(value: str) -> None:
    with pytest.raises(ConfigError) as refused:
        fleet_file.parse(f"{FILE}addresses = {value}\n", Path("fleet.toml"))
    assert "fleet.toml, line 4: [[server]] number 1 addresses: is " in str(refused.value)
    assert str(refused.value).endswith('expected "all" or "any"')


@pytest.mark.parametrize("key", ["all_addresses", "address"])
def test_the_names_of_the_model_are_no_keys_of_the_file(key: str) -> None:
    with pytest.raises(ConfigError, match=f"{key}: unknown key"):
        fleet_file.parse(f"{FILE}{key} = true\n", Path("fleet.toml"))


def test_addresses_is_a_key_of_a_server_and_not_of_the_fleet() -> None:
    with pytest.raises(ConfigError, match="addresses: unknown key"):
        fleet_file.parse(f'[fleet]\naddresses = "all"\n{FILE}', Path("fleet.toml"))
