"""Redirects as clients take them: followed where the fleet file says so, and seven days of warning where they were."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

from telegraf_cvmfs.assess.verdicts import assess
from telegraf_cvmfs.fleet.file import parse
from telegraf_cvmfs.memory import file as memory_file
from telegraf_cvmfs.memory.value import Memory, remember
from telegraf_cvmfs.model import Health, Result, Run
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.net.network import Network
from telegraf_cvmfs.scraping.visits import scrape
from tests.builders import published
from tests.builders.hostile import Server, answers, page
from tests.builders.published import LIST, NOW, listing

REPO = "a.example"
DAY = timedelta(days=1)


def redirecting(path: str) -> bytes:
    """A server whose documents lie below /moved, and which says so."""
    documents = {LIST: listing(REPO), **published.repository(REPO)}
    if not path.startswith("/moved"):
        return page(b"", "302 Found", f"Location: /moved{path}")
    body = documents.get(path.removeprefix("/moved"))
    return page(b"", "404 Not Found") if body is None else page(body)


def run(url: str, memory: Memory, after: timedelta = timedelta(0), *, follow: bool = False) -> Run:
    text = f"[scrape]\nfollow_redirects = {str(follow).lower()}\n[geoapi]\nenabled = false\n"
    fleet = parse(f'{text}[[server]]\nurl = "{url}"\nrole = "stratum1"\n', Path("fleet.toml"))
    seen = scrape(fleet, NOW + after, Network(Deadline(10)), print, memory=memory)
    return assess(seen, timedelta(seconds=1), memory)


def health(seen: Run) -> Health:
    (server,) = seen.servers
    return server.health


def test_where_clients_follow_redirects_all_is_read() -> None:
    with Server(answers(redirecting)) as server:
        seen = run(server.url, Memory(), follow=True)
    assert health(seen) is Health.OK
    assert [one.replica.manifest.result for one in seen.replicas] == [Result.OK]


def test_where_they_do_not_the_server_is_down_and_the_reason_names_the_key() -> None:
    with Server(answers(redirecting)) as server:
        seen = run(server.url, Memory())
    assert health(seen) is Health.CRITICAL
    (finding,) = seen.servers[0].findings
    assert finding.slug == "server_down"
    assert "follow_redirects = true" in finding.problem
    assert seen.servers[0].stratum.listing.result is Result.REDIRECTED


def test_where_they_were_followed_it_is_a_warning_for_seven_days(tmp_path: Path) -> None:
    path = tmp_path / "memory.json"
    with Server(answers(redirecting)) as server:
        memory = remember(Memory(), run(server.url, Memory(), follow=True))
        for days, expected in ((1, Health.WARNING), (6, Health.WARNING), (7, Health.CRITICAL), (8, Health.CRITICAL)):
            memory_file.write(path, memory)
            memory = memory_file.read(path)
            seen = run(server.url, memory, days * DAY)
            assert health(seen) is expected
            assert "follow_redirects = true" in seen.servers[0].findings[0].problem
            memory = remember(memory, seen)


def test_a_memory_from_before_this_was_remembered_may_have_had_redirects(tmp_path: Path) -> None:
    path = tmp_path / "memory.json"
    with Server(answers(redirecting)) as server:
        memory_file.write(path, remember(Memory(), run(server.url, Memory(), follow=True)))
        document = json.loads(path.read_text())
        del document["followed"], document["checksum"]
        path.write_text(json.dumps(document))
        assert health(run(server.url, memory_file.read(path), DAY)) is Health.WARNING


def test_a_server_can_say_so_for_itself() -> None:
    text = '[scrape]\nfollow_redirects = true\n[[server]]\nurl = "http://a.example"\nrole = "stratum1"\n'
    text += '[[server]]\nurl = "http://b.example"\nrole = "stratum1"\nfollow_redirects = false\n'
    fleet = parse(text, Path("fleet.toml"))
    assert [server.follow_redirects for server in fleet.servers] == [True, False]
