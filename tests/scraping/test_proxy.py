"""What clients behind a proxy get, beside what the server itself gives: `via` of the fleet file, in whole runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from telegraf_cvmfs.assess.verdicts import assess
from telegraf_cvmfs.emit import json_document
from telegraf_cvmfs.fleet import file as fleet_file
from telegraf_cvmfs.memory.value import NOTHING, Memory, remember
from telegraf_cvmfs.model import ConfigError, Fleet, Limit, Run
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.net.network import Network
from telegraf_cvmfs.points.rows import points
from telegraf_cvmfs.points.schema import REPO
from telegraf_cvmfs.scraping.context import Inconsistent
from telegraf_cvmfs.scraping.visits import scrape
from tests.builders.hostile import Behaviour, Server, Talk, head, page, path_of, refuses
from tests.builders.published import LIST, NOW, listing, repository
from tests.builders.published import manifest as published_manifest

pytestmark = pytest.mark.usefixtures("each_transport")

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
THERE = head("200 OK", "Content-Length: 4096")  # of a root catalog
REPOSITORY = "software.example"
BASE = f"/cvmfs/{REPOSITORY}/"

Answer = Callable[[str], bytes]
"""What is answered for a path, head and all."""


def manifest(revision: int, published: datetime | None, repo: str = REPOSITORY) -> bytes:
    return published_manifest(repo, revision, published)


def serves(revision: int, published: datetime | None) -> Answer:
    """A stratum 1 with one healthy replica."""
    documents = {LIST: listing(REPOSITORY)} | repository(REPOSITORY, revision, published)
    return lambda path: page(documents[path]) if path in documents else page(b"", "404 Not Found")


def gives(revision: int, published: datetime, *headers: str) -> Answer:
    """A proxy that gives this manifest to everybody."""
    return lambda _path: page(manifest(revision, published), "200 OK", *headers)


def talks(answer: Answer) -> Behaviour:
    def behave(talk: Talk) -> None:
        while request := talk.request():
            talk.send(THERE if request.startswith(b"HEAD") else answer(path_of(request)))

    return behave


@dataclass
class Site:
    """A stratum 1 and a proxy before it, both on loopback."""

    server: Server
    proxy: Server | None
    fleet: Fleet
    memory: Memory = NOTHING

    def run(
        self, after: timedelta = timedelta(0), seconds: float = 10, inconsistent: Inconsistent = lambda _replica: False
    ) -> Run:
        """A run so long after `NOW`, with the memory of those before it."""
        network = Network(Deadline(seconds), self.fleet.connections_per_server)
        complaints: list[str] = []
        seen = scrape(
            self.fleet, NOW + after, network, complaints.append, memory=self.memory, inconsistent=inconsistent
        )
        assert complaints == []
        run = assess(seen, timedelta(seconds=1), self.memory)
        self.memory = remember(self.memory, run)
        return run

    def limit(self, limit: Limit) -> None:
        (server,) = self.fleet.servers
        server = replace(server, limits={**server.limits, "proxy_stale": limit})
        self.fleet = replace(self.fleet, servers=(server,))


def fleet_of(url: str, *, fleet: str = "", server: str = "") -> Fleet:
    text = f'[fleet]\n{fleet}\n[geoapi]\nenabled = false\n[scrape]\nverify_every = "off"\n'
    text += f'[[server]]\nname = "s1"\nurl = "{url}"\nrole = "stratum1"\n{server}\n'
    return fleet_file.parse(text, Path("fleet.toml"))


@contextmanager
def behind_one_that(
    behave: Behaviour, *, revision: int = 6, published: datetime | None = NOW - 5 * HOUR
) -> Iterator[Site]:
    """The site of a server with this revision, whose proxy behaves like that."""
    with Server(talks(serves(revision, published))) as server, Server(behave) as proxy:
        yield Site(server, proxy, fleet_of(server.url, fleet=f'via = "{proxy.url}"'))


def behind(
    answer: Answer, *, revision: int = 6, published: datetime | None = NOW - 5 * HOUR
) -> AbstractContextManager[Site]:
    """The site of a server with this revision, whose proxy answers like that."""
    return behind_one_that(talks(answer), revision=revision, published=published)


def fields(run: Run) -> dict[str, Any]:
    (row,) = [dict(point.fields) for point in points(run) if point.measurement == REPO]
    return row


def findings(run: Run) -> list[tuple[str, int]]:
    (replica,) = run.replicas
    return [(one.slug, int(one.health)) for one in replica.findings]


def problem(run: Run) -> str:
    (replica,) = run.replicas
    (finding,) = replica.findings
    return finding.problem


STALE = [("proxy_stale", 1)]
UNKNOWN = [("proxy_stale", 3)]


# --- what is asked ------------------------------------------------------------------------------------


def test_the_proxy_is_asked_for_the_manifest_and_for_nothing_else() -> None:
    with behind(gives(6, NOW - 5 * HOUR)) as site:
        site.run()
        assert site.proxy is not None
        asked = [path_of(request) for request in site.proxy.heads]
        assert asked == [f"{site.server.url}{BASE}.cvmfspublished"]


def test_direct_answers_are_direct_whatever_the_proxy_gives() -> None:
    with behind(gives(3, NOW - 50 * HOUR, "Age: 30")) as site:
        row = fields(site.run())
        asked = [path_of(request) for request in site.server.heads]
    assert (row["revision"], row["up"], row["result"]) == (6, 1, "ok")
    assert "http_age" not in row
    assert {LIST, f"{BASE}.cvmfspublished", f"{BASE}.cvmfswhitelist"} <= set(asked)


def test_the_proxy_is_not_asked_for_what_the_server_itself_does_not_have() -> None:
    with Server(talks(lambda _path: page(b"", "404 Not Found"))) as server, Server(talks(gives(6, NOW))) as proxy:
        named = f'repos = ["{REPOSITORY}"]'
        run = Site(server, proxy, fleet_of(server.url, server=f'via = "{proxy.url}"\n{named}')).run()
        assert proxy.heads == []
    assert not {"proxy_revision", "proxy_age"} & set(fields(run))
    assert "proxy_stale" not in [slug for slug, _ in findings(run)]


def test_without_via_nothing_is_said_of_a_proxy() -> None:
    with Server(talks(serves(6, NOW - 5 * HOUR))) as server:
        run = Site(server, None, fleet_of(server.url)).run()
    assert findings(run) == []
    assert not [name for name in fields(run) if name.startswith("proxy")]


# --- fresh and stale ----------------------------------------------------------------------------------


def test_a_proxy_that_gives_the_same_is_well() -> None:
    with behind(gives(6, NOW - 5 * HOUR, "Age: 42")) as site:
        run = site.run()
    row = fields(run)
    assert (row["proxy_revision"], row["proxy_age"], row["health"]) == (6, 42, 0)
    assert findings(run) == []


def test_an_answer_without_age_has_none() -> None:
    with behind(gives(6, NOW - 5 * HOUR)) as site:
        row = fields(site.run())
    assert row["proxy_revision"] == 6
    assert "proxy_age" not in row


def test_a_proxy_that_gives_a_newer_revision_is_well() -> None:
    with behind(gives(7, NOW - MINUTE)) as site:
        run = site.run()
    assert (fields(run)["proxy_revision"], findings(run)) == (7, [])


@pytest.mark.parametrize(("behind_for", "found"), [(59 * MINUTE, []), (HOUR, STALE), (30 * HOUR, STALE)])
def test_an_old_revision_is_stale_an_hour_after_the_next_was_published(behind_for: timedelta, found: Any) -> None:
    with behind(gives(5, NOW - 50 * HOUR), published=NOW - behind_for) as site:
        run = site.run()
    assert findings(run) == found
    assert fields(run)["proxy_revision"] == 5
    assert fields(run)["health"] == len(found)


def test_the_sentence_says_what_the_proxy_gives_and_for_how_long() -> None:
    with behind(gives(5, NOW - 50 * HOUR), published=NOW - 2 * HOUR) as site:
        assert problem(site.run()) == "the proxy still gives revision 5, 2h after the next was published"


@pytest.mark.parametrize(("age", "found"), [(0, []), (61, []), (3599, []), (3600, STALE), (90000, STALE)])
def test_an_age_of_an_hour_is_stale(age: int, found: Any) -> None:
    with behind(gives(6, NOW - 5 * HOUR, f"Age: {age}")) as site:
        run = site.run()
    assert findings(run) == found
    assert fields(run)["proxy_age"] == age


def test_the_sentence_says_how_long_the_manifest_has_been_in_the_proxy() -> None:
    with behind(gives(6, NOW - 5 * HOUR, "Age: 7200")) as site:
        assert problem(site.run()) == "the manifest has been in the proxy for 2h"


def test_a_manifest_that_is_kept_for_long_stays_stale_when_the_next_is_published() -> None:
    with behind(gives(5, NOW - 5 * HOUR, "Age: 7200"), published=NOW - MINUTE) as site:
        assert findings(site.run()) == STALE


def test_since_when_it_is_behind_is_remembered_over_later_publications() -> None:
    with behind(gives(5, NOW - 50 * HOUR), revision=6, published=NOW - 50 * MINUTE) as site:
        assert findings(site.run()) == []
        memory = site.memory
    with behind(gives(5, NOW - 50 * HOUR), revision=7, published=NOW + 10 * MINUTE) as site:
        site.memory = memory
        run = site.run(20 * MINUTE)
    assert findings(run) == STALE
    assert "1h 10m" in problem(run)


def test_behind_a_server_that_does_not_date_its_manifest_only_the_age_counts() -> None:
    with behind(gives(5, NOW - 50 * HOUR, "Age: 60"), published=None) as site:
        assert findings(site.run()) == []
    with behind(gives(5, NOW - 50 * HOUR, "Age: 3700"), published=None) as site:
        assert findings(site.run()) == STALE


def test_a_finding_ends_when_the_proxy_has_the_new_revision() -> None:
    with behind(gives(5, NOW - 50 * HOUR), published=NOW - 2 * HOUR) as site:
        assert findings(site.run()) == STALE
        memory = site.memory
    with behind(gives(6, NOW - 2 * HOUR), published=NOW - 2 * HOUR) as site:
        site.memory = memory
        assert findings(site.run(5 * MINUTE)) == []


# --- not known ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda _path: page(b"no such host", "503 Service Unavailable"), "HTTP status 503"),
        (lambda _path: page(b"forbidden", "403 Forbidden"), "HTTP status 403"),
        (lambda _path: page(b"", "404 Not Found"), "not served (HTTP 404)"),
        (lambda _path: page(b""), "manifest"),
        (lambda _path: page(b"<html>login</html>"), "manifest"),
        (lambda _path: page(manifest(6, NOW, "other.example")), "it is the manifest of other.example"),
        (lambda _path: head("302 Found", "Location: http://login.example/", "Content-Length: 0"), "not followed"),
    ],
)
def test_an_answer_that_is_no_manifest_is_unknown_and_not_red(answer: Answer, words: str) -> None:
    with behind(answer) as site:
        run = site.run()
    assert findings(run) == UNKNOWN
    assert words in problem(run)
    row = fields(run)
    assert (row["health"], row["up"], row["revision"]) == (3, 1, 6)
    assert not {"proxy_revision", "proxy_age"} & set(row)


def test_a_proxy_that_is_down_is_unknown_and_costs_nothing_else() -> None:
    with Server(talks(serves(6, NOW - 5 * HOUR))) as server, refuses() as proxy:
        run = Site(server, None, fleet_of(server.url, fleet=f'via = "{proxy}"')).run()
    assert findings(run) == UNKNOWN
    assert problem(run).startswith("not known what clients behind the proxy get: proxy: connecting to 127.0.0.1:")
    assert problem(run).endswith("Connection refused")
    assert [int(one.health) for one in run.servers] == [0]
    assert fields(run)["up"] == 1


def test_a_proxy_that_says_nothing_is_unknown() -> None:
    def mute(talk: Talk) -> None:
        talk.request()
        talk.over.wait()

    with behind_one_that(mute) as site:
        run = site.run(seconds=3)
    assert findings(run) == UNKNOWN
    assert (fields(run)["up"], fields(run)["revision"]) == (1, 6)


def test_a_proxy_that_closes_the_connection_is_unknown() -> None:
    def closes(talk: Talk) -> None:
        talk.request()

    with behind_one_that(closes) as site:
        assert findings(site.run()) == UNKNOWN


def test_what_the_proxy_gave_stays_when_the_server_was_inconsistent_and_is_read_again() -> None:
    with behind(gives(6, NOW - 5 * HOUR)) as site:
        run = site.run(inconsistent=lambda _replica: True)
    assert fields(run)["proxy_revision"] == 6
    assert (findings(run), run.deadline_hit) == ([], False)


@pytest.mark.slow
def test_a_proxy_that_the_time_did_not_suffice_for_is_unknown() -> None:
    answer = serves(6, NOW - 5 * HOUR)

    def slow(talk: Talk) -> None:
        while request := talk.request():
            if not path_of(request).endswith((LIST, ".cvmfspublished")):
                talk.over.wait(0.4)
            talk.send(THERE if request.startswith(b"HEAD") else answer(path_of(request)))

    with behind(gives(6, NOW - 5 * HOUR)) as site, Server(slow) as server:
        assert site.proxy is not None
        fleet = fleet_of(server.url, fleet=f'via = "{site.proxy.url}"')
        site.fleet = replace(fleet, connections_per_server=1)
        run = site.run(seconds=1.5)
        assert site.proxy.heads == []
    assert fields(run)["revision"] == 6
    assert ("proxy_stale", 3) in findings(run)


# --- limits -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("limit", "found"), [(Limit(3 * HOUR), []), (Limit(MINUTE), STALE), (Limit(), [])])
@pytest.mark.parametrize("answer", [gives(5, NOW - 50 * HOUR), gives(6, NOW - 2 * HOUR, "Age: 7200")])
def test_the_limit_can_be_moved_and_switched_off(answer: Answer, limit: Limit, found: Any) -> None:
    with behind(answer, published=NOW - 2 * HOUR) as site:
        site.limit(limit)
        run = site.run()
    assert findings(run) == found
    assert "proxy_revision" in fields(run)


def test_switched_off_a_proxy_that_is_down_is_not_told_either() -> None:
    with behind(lambda _path: page(b"", "503 Service Unavailable")) as site:
        site.limit(Limit())
        assert findings(site.run()) == []


@pytest.mark.parametrize(("value", "limit"), [("6h", Limit(6 * HOUR)), ("off", Limit())])
def test_the_fleet_file_moves_the_limit(value: str, limit: Limit) -> None:
    text = f'[limits]\nproxy_stale_warning = "{value}"\n[[server]]\nurl = "http://s1.example"\nrole = "stratum1"\n'
    (server,) = fleet_file.parse(text, Path("fleet.toml")).servers
    assert server.limits["proxy_stale"] == limit


# --- the fleet file -----------------------------------------------------------------------------------

SITE, OWN = "http://squid.example:3128", "http://own.example:3128"


@pytest.mark.parametrize(
    ("fleet", "server", "via"),
    [
        ("", "", ""),
        (f'via = "{SITE}"', "", SITE),
        ("", f'via = "{OWN}"', OWN),
        (f'via = "{SITE}"', f'via = "{OWN}"', OWN),
        (f'via = "{SITE}"', 'via = ""', ""),
        pytest.param(
            *('via = "squid.example:3128"', "", SITE),
        ),
        ("", 'via = "own.example:3128/"', OWN),
    ],
)
def test_a_servers_own_proxy_goes_before_the_fleets(fleet: str, server: str, via: str) -> None:
    (one,) = fleet_of("http://s1.example", fleet=fleet, server=server).servers
    assert one.via == via


@pytest.mark.parametrize("where", ["fleet", "server"])
@pytest.mark.parametrize("value", ['"ftp://squid.example"', "3128", "[]", '"http://user:word@squid.example"'])
def test_what_is_no_proxy_is_refused_with_what_would_be_right(where: str, value: str) -> None:
    with pytest.raises(
        ConfigError, match='via: is .*, expected a proxy such as "http://squid.example.org:3128", or ""'
    ):
        fleet_of("http://s1.example", **{where: f"via = {value}"})


def test_the_json_document_has_what_the_proxy_gave() -> None:
    with behind(gives(5, NOW - 50 * HOUR, "Age: 7"), published=NOW - 2 * HOUR) as site:
        (server,) = json_document.document(site.run())["servers"]
    (replica,) = server["replicas"]
    assert (replica["proxy_revision"], replica["proxy_age"], replica["finding"]) == (5, 7, "proxy_stale")
