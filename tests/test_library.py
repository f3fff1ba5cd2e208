"""The library as a program uses it, against servers on loopback."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import requests_mock

import telegraf_cvmfs
from telegraf_cvmfs import GeoAPIStatus, scrape, scrape_server, set_log_level
from telegraf_cvmfs.demo import DemoFleet
from telegraf_cvmfs.model import ConfigError

NOW = datetime.now(UTC)
DOCUMENTED = {
    *("name", "server", "path", "last_gc", "last_snapshot", "alternative_name", "full_name"),
    *("is_garbage_collectable", "metadata_cryptographic_hash", "micro_cataogues", "micro_catalogues"),
    *("reflog_checksum_cryptographic_hash", "revision", "revision_timestamp", "root_catalogue_ttl"),
    *("root_cryptographic_hash", "root_size", "root_path_hash", "signature", "tag_history_cryptographic_hash"),
    "signing_certificate_cryptographic_hash",
}


@pytest.fixture(scope="module")
def demo() -> Iterator[DemoFleet]:
    with DemoFleet(now=NOW) as fleet:
        yield fleet


def test_the_public_names_are_those_of_the_contract() -> None:
    assert set(telegraf_cvmfs.__all__) >= {"scrape", "scrape_server", "set_log_level", "GeoAPIStatus"}
    assert [(status.name, status.value) for status in GeoAPIStatus] == [
        ("OK", 0),
        ("LOCATION_ERROR", 1),
        ("NO_RESPONSE", 2),
        ("NOT_FOUND", 9),
        ("NOT_YET_TESTED", 99),
    ]


def test_scrape_is_a_function_whatever_was_imported_before() -> None:
    code = "import telegraf_cvmfs.command.cli, telegraf_cvmfs.scraping.visit; from telegraf_cvmfs import scrape; print(callable(scrape))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


def test_a_package_has_no_other_names() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'scrapes'"):
        _ = telegraf_cvmfs.scrapes


def test_servers_come_in_the_order_given_with_repositories_by_name(demo: DemoFleet) -> None:
    urls = demo.urls
    servers = scrape([urls["stratum0"]], [urls["stratum1-lagging"], urls["stratum1-down"]])
    assert [server.name for server in servers] == [
        urls[name].removeprefix("http://") for name in ("stratum0", "stratum1-lagging", "stratum1-down")
    ]
    zero, lagging, down = servers
    assert (zero.is_stratum0(), lagging.is_stratum1(), down.is_down()) == (True, True, True)
    assert not zero.is_down()
    assert [repo.name for repo in zero.repositories] == sorted(repo.name for repo in zero.repositories)
    assert (zero.geoapi_status, lagging.geoapi_status) == (GeoAPIStatus.NOT_FOUND, GeoAPIStatus.OK)
    assert down.geoapi_status is GeoAPIStatus.NOT_YET_TESTED
    assert down.fetch_errors[0]["result"] == "connection_failed"
    assert zero.metadata["cvmfs_version"]


def test_a_repository_has_all_documented_attributes(demo: DemoFleet) -> None:
    server = scrape_server(demo.urls["stratum1-healthy"], ["software.demo.example"], ["data.demo.example"])
    assert server.forced_repositories == ("software.demo.example",)
    assert server.ignored_repositories == ("data.demo.example",)
    repos = {repo.name: repo for repo in server.repositories}
    assert "data.demo.example" not in repos
    repo = repos["software.demo.example"]
    assert {name for name in DOCUMENTED if not hasattr(repo, name)} == set()
    assert (repo.path, repo.full_name, repo.revision) == ("/cvmfs/software.demo.example", "software.demo.example", 416)
    assert (repo.root_catalogue_ttl, repo.alternative_name, repo.is_garbage_collectable) == (240, False, False)
    assert repo.revision_timestamp is not None
    assert repo.last_snapshot is not None
    assert repo.last_snapshot - repo.revision_timestamp > timedelta(0), "both are aware, so they can be subtracted"
    assert repo.signature is not None
    assert len(repo.signature) == 256
    assert repo.micro_cataogues is repo.micro_catalogues is None
    assert repos["containers.demo.example"].path == "/cvmfs/containers"


def test_a_stratum_0_is_scraped_as_one(demo: DemoFleet) -> None:
    server = scrape_server(demo.urls["stratum0"], [], [], is_stratum0=True)
    assert server.is_stratum0()
    assert {repo.last_snapshot for repo in server.repositories} == {None}


def test_what_is_not_known_is_none_and_not_zero(demo: DemoFleet) -> None:
    server = scrape_server(demo.urls["stratum1-down"], ["software.demo.example"])
    (repo,) = server.repositories
    assert (repo.revision, repo.root_size, repo.last_gc, repo.signature) == (None, None, None, None)
    assert repo.fetch_errors[0]["path"] == "/cvmfs/software.demo.example/.cvmfspublished"


def test_bad_names_are_refused() -> None:
    with pytest.raises(ConfigError, match="expected a server"):
        scrape_server("not a server")
    with pytest.raises(ConfigError, match="expected names of repositories"):
        scrape([], ["a.example"], ["../x"])


def test_users_of_requests_mock_can_test_their_programs() -> None:
    listing = {"schema": 1, "replicas": [{"name": "repo.example", "url": "/cvmfs/repo.example"}]}
    with requests_mock.Mocker() as mock:
        mock.get("http://one.example/cvmfs/info/v1/repositories.json", json=listing)
        mock.get(requests_mock.ANY, status_code=404)
        mock.get("http://one.example/cvmfs/info/v1/repositories.json", json=listing)
        server = scrape_server("one.example")
    assert [repo.name for repo in server.repositories] == ["repo.example"]
    assert server.repositories[0].revision is None


def test_the_log_level_is_that_of_the_package() -> None:
    logger = logging.getLogger("telegraf_cvmfs")
    before = logger.level
    try:
        set_log_level("ERROR")
        assert logger.level == logging.ERROR
        set_log_level(logging.DEBUG)
        assert logger.level == logging.DEBUG
    finally:
        logger.setLevel(before)
