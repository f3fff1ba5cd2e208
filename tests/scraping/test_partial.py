"""Partial replicas: whom to ask, how often, and what is remembered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from telegraf_cvmfs.assess.verdicts import assess
from telegraf_cvmfs.emit.human import render
from telegraf_cvmfs.memory.value import NOTHING, Memory, remember
from telegraf_cvmfs.model import Answer, FetchError, Fleet, Result, Run
from telegraf_cvmfs.scraping.visits import scrape
from tests.builders.published import LIST, NOW, listing
from tests.builders.strata import FakeNetwork, Served
from tests.scraping.test_visit import S0, S1, replicas_on

REPO = "repo.tld"
FILE = f"{S1.url}/cvmfs/{REPO}/.cvmfs_partial_replication"
PART = b"version 1\n/software\n"
DAY = timedelta(days=1)


class Scraped:
    """Runs one after the other, each with the memory of those before."""

    def __init__(self) -> None:
        self.memory: Memory = NOTHING
        self.said: list[str] = []

    def at(self, later: timedelta, found: Served, version: str | None = "2.14.0-1") -> tuple[int | None, int]:
        """The field `partial` after so much time, and how often the file was asked for."""
        served = dict(replicas_on(S1, REPO))
        if version is not None:
            served[S1.url + LIST] = json.dumps(json.loads(listing(REPO)) | {"cvmfs_version": version}).encode()
        run, asked = self.run(served | {FILE: found}, later)
        ((partial, count),) = ((one.replica.partial, asked.count(FILE)) for one in run.replicas)
        return (None if partial is None or partial.value is None else int(partial.value)), count

    def run(self, served: Mapping[str, Served], later: timedelta) -> tuple[Run, list[str]]:
        network = FakeNetwork(served)
        fleet = Fleet((replace(S1, geoapi=False),), verify_every=None)
        seen = scrape(fleet, NOW + later, network, self.said.append, memory=self.memory)  # type: ignore[arg-type]
        run = assess(seen, timedelta(seconds=1))
        self.memory = remember(self.memory, run)
        return run, network.asked


NOT_THERE = Answer(404, b"")


@pytest.mark.parametrize(("found", "partial"), [(PART, 1), (NOT_THERE, 0), (b"version 1", 1), (Answer(410, b""), 0)])
def test_it_is_asked_once_a_day_and_remembered(found: Served, partial: int) -> None:
    scraped = Scraped()
    assert scraped.at(timedelta(0), found) == (partial, 1)
    for minutes in (5, 60, 24 * 60 - 1):
        assert scraped.at(timedelta(minutes=minutes), FetchError(Result.TIMEOUT, "")) == (partial, 0)
    assert scraped.at(DAY, found) == (partial, 1)
    assert scraped.at(DAY + timedelta(minutes=5), found) == (partial, 0)
    assert scraped.said == []


def test_a_change_is_seen_within_a_day() -> None:
    scraped = Scraped()
    assert scraped.at(timedelta(0), NOT_THERE) == (0, 1)
    assert scraped.at(DAY, PART) == (1, 1)


@pytest.mark.parametrize("found", [FetchError(Result.TIMEOUT, ""), Answer(503, b""), Answer(500, b"")])
def test_without_an_answer_it_is_asked_again_and_what_was_known_stays(found: Served) -> None:
    scraped = Scraped()
    assert scraped.at(timedelta(0), found) == (None, 1)
    assert scraped.at(timedelta(minutes=5), PART) == (1, 1)
    assert scraped.at(DAY * 2, found) == (1, 1)
    assert scraped.at(DAY * 2 + timedelta(minutes=5), NOT_THERE) == (0, 1)


@pytest.mark.parametrize("found", [b"version 2\n", b"<!DOCTYPE html>", b"", b"\xff\x00", Answer(403, b"")])
def test_what_is_not_understood_is_unknown_and_said_once_a_day(found: Served) -> None:
    scraped = Scraped()
    assert scraped.at(timedelta(0), found) == (None, 1)
    assert scraped.at(timedelta(minutes=5), found) == (None, 0)
    assert len(scraped.said) == 1
    assert scraped.said[0].startswith(f"W! {S1.name}: {REPO}: .cvmfs_partial_replication: ")


@pytest.mark.parametrize("version", ["2.14", "2.14.0", "2.15.1-1", "3.0.0", "2.100", None, "unknown", "git-2.9", ""])
def test_servers_that_may_have_partial_replicas_are_asked(version: str | None) -> None:
    assert Scraped().at(timedelta(0), PART, version) == (1, 1)


@pytest.mark.parametrize("version", ["2.13.2-1", "2.1.20", "2.9", "1.99", "2.13"])
def test_servers_that_are_too_old_for_it_are_not_asked(version: str) -> None:
    assert Scraped().at(timedelta(0), PART, version) == (None, 0)


def test_originals_and_what_does_not_answer_are_not_asked() -> None:
    served = {S0.url + LIST: listing(repositories=(REPO,)), **replicas_on(S0, REPO)}
    network = FakeNetwork(served | {S0.url + LIST: listing(repositories=(REPO,))})
    scrape(Fleet((S0,), verify_every=None), NOW, network, print)  # type: ignore[arg-type]
    assert not [url for url in network.asked if "partial" in url]
    _, asked = Scraped().run({S1.url + LIST: listing(REPO)}, timedelta(0))
    assert FILE not in asked


def test_a_page_has_a_word_for_it() -> None:
    run, _ = Scraped().run(replicas_on(S1, REPO) | {FILE: PART}, timedelta(0))
    assert " partial" in render(run)
    run, _ = Scraped().run(replicas_on(S1, REPO), timedelta(0))
    assert "partial" not in render(run)
