"""The public fleets that ship with the package: valid, complete, with the keys that their owners published."""

from __future__ import annotations

import configparser
import hashlib
import re
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from telegraf_cvmfs.fleet import public
from telegraf_cvmfs.fleet.file import load
from telegraf_cvmfs.model import Backend, ConfigError, Fleet, GeoAPI, Role
from tests import ROOT

NAMES = ("cern", "eessi", "egi", "galaxy", "osg")

KEYS = {
    "cern-it1.cern.ch.pub": "a442363ae4f64227b77f97abaaf05d37483a45ea839be08320c1e723b22dafc0",
    "cern-it4.cern.ch.pub": "72038bd29142a1be71de7c5493468328c1659a371570e0e06c4c8a23f0305e3c",
    "cern-it5.cern.ch.pub": "1d2f063c6feab52fc05ccabaf9bd2c95f758d2b696a8b1b3d0e05d6debee600b",
    "cern.ch.pub": "3a41bff4dd6d37a6b98f1e26031eb5fd62757b3ca8f571fd29548d1404be3e73",
    "data.galaxyproject.org.pub": "bcd3235518602467988d244bb3bb32a43e8968acbcbb12779636c90417e70832",
    "eessi.io.pub": "d86b2190859f5124e78e0ff711c5a042be10d569350130a0f10a537eaacbc86b",
    "egi.eu.pub": "1214f2edad83e8547fb6619bdbedc4bf0bb10b3a1f4ca0e6c2dd33482249b4d8",
    "galaxyproject.org.pub": "d76322d3774f50c78f10a6d2b1d9cef4bf40bca5749dc86eee4202e08d6eea1d",
    "main.galaxyproject.org.pub": "fbf3a0420e2fc4fef76cbebf1e64091ba7925591f79173f67d36f57735de1a9d",
    "opensciencegrid.org.pub": "9da621d08f673c06000affdb8b8fa76cddc7b1d8716bf5b077a02926dc442c6b",
}
"""SHA-256 of each key file, byte for byte as its owner published it."""

SERVERS = {
    "cern": "stratum0 cvmfs-stratum-zero.cern.ch, stratum1 cvmfs-stratum-one.cern.ch, stratum1 cernvmfs.gridpp.rl.ac.uk, "
    "stratum1 cvmfs-s1bnl.opensciencegrid.org, stratum1 cvmfs-s1fnal.opensciencegrid.org",
    "eessi": "sync aws-eu-west-s1-sync.eessi.science, stratum1 aws-eu-central-s1.eessi.science, "
    "stratum1 azure-us-east-s1.eessi.science, stratum1 ral-uk-s1.eessi.science:8000",
    "egi": "stratum1 cvmfs-egi.gridpp.rl.ac.uk:8000, stratum1 klei.nikhef.nl:8000, "
    "stratum1 cvmfsrepo.lcg.triumf.ca:8000, stratum1 cvmfs-stratum-one.ihep.ac.cn:8000",
    "galaxy": "stratum0 cvmfs0-psu0.galaxyproject.org, stratum0 cvmfs0-psu1.galaxyproject.org, "
    "stratum0 cvmfs-stratum0.galaxyproject.eu, stratum1 cvmfs1-psu0.galaxyproject.org, "
    "stratum1 cvmfs1-iu0.galaxyproject.org, stratum1 cvmfs1-tacc0.galaxyproject.org, "
    "stratum1 cvmfs1-ufr0.galaxyproject.eu, stratum1 cvmfs1-mel0.gvl.org.au",
    "osg": "stratum1 cvmfs-egi.gridpp.rl.ac.uk:8000, stratum1 klei.nikhef.nl:8000, "
    "stratum1 cvmfs-s1bnl.opensciencegrid.org:8000, stratum1 cvmfs-s1fnal.opensciencegrid.org:8000, "
    "stratum1 cvmfs-stratum-one.ihep.ac.cn:8000",
}

DOMAINS = {
    "cern": "cern.ch",
    "eessi": "eessi.io",
    "egi": "egi.eu",
    "galaxy": "galaxyproject.org",
    "osg": "opensciencegrid.org",
}

each_fleet = pytest.mark.parametrize("name", NAMES)


def fleet_of(name: str) -> Fleet:
    return load(public.path(name))


def text_of(name: str) -> str:
    return public.path(name).read_text(encoding="utf-8")


def key_names(fleet: Fleet) -> set[str]:
    return {key.name for keys in (fleet.keys, *(rule.keys for rule in fleet.rules)) for key in keys}


def test_the_fleets_are_known_by_name() -> None:
    assert public.names() == NAMES


@each_fleet
def test_a_fleet_has_the_name_that_the_command_line_calls_it(name: str) -> None:
    assert fleet_of(name).name == name


@each_fleet
def test_a_fleet_has_the_servers_that_its_owners_publish(name: str) -> None:
    servers = fleet_of(name).servers
    assert ", ".join(f"{server.role} {urlsplit(server.url).netloc}" for server in servers) == SERVERS[name]


@each_fleet
def test_servers_of_a_fleet_have_short_names_of_their_own(name: str) -> None:
    servers = [server.name for server in fleet_of(name).servers]
    assert len(set(servers)) == len(servers)
    assert all(re.fullmatch(r"[a-z0-9-]{2,16}", server) for server in servers), servers


@each_fleet
def test_no_url_stands_twice_in_a_fleet(name: str) -> None:
    urls = [server.url for server in fleet_of(name).servers]
    assert len(set(urls)) == len(urls)


@each_fleet
def test_a_fleet_watches_the_repositories_of_its_own_domain_only(name: str) -> None:
    fleet = fleet_of(name)
    assert fleet.only == (f"*.{DOMAINS[name]}",)
    named = [repo for server in fleet.servers for repo in server.repos] + [rule.name for rule in fleet.rules]
    assert all(fnmatchcase(repo, fleet.only[0]) for repo in (*named, *fleet.repos))


@each_fleet
def test_a_fleet_has_no_server_behind_a_cdn(name: str) -> None:
    assert not [server.url for server in fleet_of(name).servers if "openhtc" in server.url]


@each_fleet
def test_a_fleet_leaves_the_geoapi_and_the_state_folder_to_their_defaults(name: str) -> None:
    assert (fleet_of(name).geoapi, fleet_of(name).state_dir) == (GeoAPI(), "")


def test_eessi_asks_its_s3_for_repositories_by_name() -> None:
    (sync,) = (server for server in fleet_of("eessi").servers if server.role is Role.SYNC)
    assert (sync.backend, sync.repos) == (Backend.S3, ("software.eessi.io", "dev.eessi.io"))


def test_cern_may_sign_with_any_of_its_four_keys() -> None:
    names = ["cern.ch.pub", "cern-it1.cern.ch.pub", "cern-it4.cern.ch.pub", "cern-it5.cern.ch.pub"]
    assert [key.name for key in fleet_of("cern").keys] == names


def test_galaxy_gives_data_and_main_a_key_of_their_own_beside_the_common_one() -> None:
    fleet = fleet_of("galaxy")
    assert [key.name for key in fleet.keys] == ["galaxyproject.org.pub"]
    assert {rule.name: [key.name for key in rule.keys] for rule in fleet.rules} == {
        f"{repo}.galaxyproject.org": [f"{repo}.galaxyproject.org.pub", "galaxyproject.org.pub"]
        for repo in ("data", "main")
    }


@each_fleet
def test_a_fleet_file_says_first_where_and_when_its_facts_were_found(name: str) -> None:
    assert re.match(r"# Facts from [\w-]+/[\w-]+, [^\n]+, [A-Z][a-z]+ 20[0-9]{2}\n", text_of(name))


@each_fleet
@pytest.mark.parametrize("said", ["None of the servers was contacted", "Compared in", "Not known", "Left out"])
def test_a_fleet_file_says_what_was_compared_what_is_not_known_and_what_is_left_out(name: str, said: str) -> None:
    assert f" {said}" in text_of(name)


@pytest.mark.parametrize("name", KEYS)
def test_a_key_is_an_rsa_key_of_2048_bits_as_published(name: str) -> None:
    content = (public.FOLDER / "keys" / name).read_bytes()
    key = load_pem_public_key(content)
    assert isinstance(key, RSAPublicKey)
    assert key.key_size == 2048
    assert hashlib.sha256(content).hexdigest() == KEYS[name]


def test_every_key_that_ships_is_tested_and_used_by_a_fleet() -> None:
    shipped = {file.name for file in (public.FOLDER / "keys").iterdir()}
    used = set().union(*(key_names(fleet_of(name)) for name in NAMES))
    assert shipped == set(KEYS) == used


def test_no_key_is_shared_between_fleets() -> None:
    used = [key for name in NAMES for key in key_names(fleet_of(name))]
    assert len(set(used)) == len(used)


def package_data() -> list[str]:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    globs = parser["options.package_data"].get("telegraf_cvmfs.fleet.public", "")
    return re.split(r"[,\s]+", globs.strip())


def test_every_file_of_the_fleets_is_package_data() -> None:
    listed = {file for glob in package_data() if glob for file in public.FOLDER.glob(glob)}
    lying = {file for file in public.FOLDER.rglob("*") if file.is_file() and file.suffix not in (".py", ".pyc")}
    assert lying
    assert sorted(lying - listed) == []


@pytest.mark.parametrize("name", ["nordic", "", "EESSI", "eessi.toml", "../fleets/eessi"])
def test_an_unknown_name_is_refused_with_those_that_are_known(name: str) -> None:
    with pytest.raises(ConfigError, match="known are cern, eessi, egi, galaxy, osg") as refused:
        public.path(name)
    assert repr(name) in str(refused.value)


@each_fleet
def test_the_description_has_a_line_for_each_fleet(name: str) -> None:
    (line,) = (line for line in public.describe().splitlines() if line.startswith(f"{name} "))
    fleet = fleet_of(name)
    assert f" {len(fleet.servers)} servers: " in line
    assert fleet.only[0] in line
    assert re.search(r"\(from [\w-]+/[\w-]+, .+ 20[0-9]{2}\)$", line)


def test_the_description_counts_servers_by_role() -> None:
    first = next(line for line in public.describe().splitlines() if line.startswith("galaxy"))
    assert "8 servers: 3 stratum0, 5 stratum1  *.galaxyproject.org" in first


def test_the_description_ends_with_where_the_files_lie() -> None:
    assert public.describe().endswith(f"\nThe fleet files lie in {public.FOLDER}\n")
