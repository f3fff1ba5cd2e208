"""Signatures in whole runs: what each fault looks like in the end, which keys count, and what a race must not do."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from telegraf_cvmfs.demo import DemoFleet, faults
from telegraf_cvmfs.demo.server import DemoServer
from telegraf_cvmfs.demo.signing import demo_keys
from telegraf_cvmfs.fleet import file as fleet_file
from telegraf_cvmfs.model import Fleet, Role, Server
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.trust.masterkey import MasterKey
from telegraf_cvmfs.watch import watch
from telegraf_cvmfs.wire.letter import object_path
from telegraf_cvmfs.wire.manifest import parse_manifest
from tests.builders import signed
from tests.builders.demo_runs import (
    HEALTHY,
    LAGGING,
    NAMES,
    NOW,
    STRATUM0,
    Object,
    Place,
    Watched,
    certificate_path_of,
    replicas,
    rolled_over,
    run_once,
    seen_in,
    slugs,
    waits,
    watched,
)
from tests.builders.documents import STRATA, as_json, served
from tests.programs.command import run as command

TRUST = Path(signed.__file__).parent
UNKNOWN = 3
HEALTHY_SOFTWARE = HEALTHY, "software"
OF_TRUST = ("signature", "signature_code", "signature_ok")
OF_CATALOG = ("root_catalog", "root_catalog_code", "root_catalog_ok")


def said(replica: Object, names: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(replica.get(name) for name in names)


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Watched]:
    with watched(tmp_path) as running:
        yield running


# --- a run of the command -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[Place, Object], dict[str, Any]]:
    """What the command prints of a fleet with faults on its first run: replicas, and the whole document."""
    folder = tmp_path_factory.mktemp("faults")
    with DemoFleet(datetime.now(UTC), faults=True) as demo:
        file = demo.write(folder)
        done = command("--config", file, "--format", "json", "--state-dir", folder / "state")
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    return replicas(document), document


GOOD, CATALOG_OK = ("ok", 0, 1), ("ok", 0, 1)
EXPECTED: dict[str, tuple[tuple[Any, ...], tuple[Any, ...], int, str]] = {
    "nightlies": (("whitelist_expired", 4, 0), CATALOG_OK, 0, "whitelist"),
    "conditions": (("certificate_not_listed", 8, 0), CATALOG_OK, 0, "signature"),
    "containers": (GOOD, ("missing", 1, 0), 0, "root_catalog"),
    "config": (GOOD, ("empty", 2, 0), 0, "root_catalog"),
    "data": (GOOD, ("corrupt", 3, 0), 0, "root_catalog"),
    "software": (GOOD, CATALOG_OK, 1, "diverged"),
}


@pytest.mark.parametrize("short", NAMES)
def test_each_fault_has_its_codes_and_is_the_only_finding(printed: Any, short: str) -> None:
    replica = printed[0]["stratum1-faulty", short]
    signature, catalog, diverged, finding = EXPECTED[short]
    assert said(replica, OF_TRUST) == signature
    assert said(replica, OF_CATALOG) == catalog
    assert (replica.get("diverged", 0), replica["health"], replica["finding"]) == (diverged, 2, finding)
    assert slugs(replica) == [finding]
    assert replica["up"] == 1


@pytest.mark.parametrize("short", NAMES)
def test_only_a_catalog_whose_bytes_were_good_has_an_age_of_its_proof(printed: Any, short: str) -> None:
    age = printed[0]["stratum1-faulty", short].get("root_catalog_verified_age")
    assert age == (0 if EXPECTED[short][1] == CATALOG_OK else None)


@pytest.mark.parametrize("short", NAMES)
@pytest.mark.parametrize("server", [STRATUM0, HEALTHY])
def test_healthy_replicas_are_signed_and_their_catalogs_are_proved_on_the_first_run(
    printed: Any, server: str, short: str
) -> None:
    replica = printed[0][server, short]
    assert said(replica, OF_TRUST) == GOOD
    assert said(replica, OF_CATALOG) == CATALOG_OK
    assert replica["root_catalog_verified_age"] == 0
    assert (replica["health"], replica["findings"]) == (0, [])
    assert replica.get("diverged", 0) == 0


def test_a_pass_through_replica_is_not_judged(printed: Any) -> None:
    replica = printed[0][LAGGING, "config"]
    assert replica["pass_through"] is True
    assert not {"signature", "signature_code", "root_catalog", "root_catalog_code", "health"} & set(replica)


def test_of_a_replica_on_a_server_that_is_down_nothing_is_said(printed: Any) -> None:
    replica = printed[0]["stratum1-down", "software"]
    assert not [name for name in replica if name.startswith(("signature", "root_catalog", "whitelist"))]


def test_whitelists_tell_when_they_end(printed: Any) -> None:
    started = datetime.fromisoformat(printed[1]["started"]).timestamp()
    for place, left in ((HEALTHY, 26), ("stratum1-faulty", -4)):
        replica = printed[0][place, "nightlies"]
        assert abs(replica["whitelist_expires"] - started - left * 86400) < 60
        assert replica["whitelist_expires"] - started - 3600 - 1 < replica["whitelist_expires_in"]
        assert replica["whitelist_expires_in"] <= replica["whitelist_expires"] - started + 1
        assert (replica["whitelist_expires_in"] > 0) is (left > 0)


def test_the_document_says_which_key_and_which_certificate_signed(printed: Any) -> None:
    trust = printed[0][HEALTHY, "software"]["trust"]
    master = MasterKey.parse(demo_keys().master_public_pem, "demo")
    assert trust["master_key"].endswith("/keys/demo.pub")
    assert trust["master_key_fingerprint"] == master.fingerprint
    assert trust["fingerprint"] == demo_keys().fingerprint("sha1")
    assert printed[0][HEALTHY, "data"]["trust"]["fingerprint"] == demo_keys().fingerprint("shake128")
    forged = printed[0]["stratum1-faulty", "conditions"]["trust"]
    assert forged["fingerprint"] == faults.forger().fingerprint("sha1")


def test_the_faulty_server_itself_is_well(printed: Any) -> None:
    (server,) = (one for one in printed[1]["servers"] if one["server"] == "stratum1-faulty")
    assert (server["up"], server["health"], server["findings"]) == (1, 0, [])


# --- keys ---------------------------------------------------------------------------------------------


def key_file(folder: Path, name: str, pem: bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pem)
    return path


def ours(folder: Path, name: str = "ours.pub") -> Path:
    return key_file(folder, name, demo_keys().master_public_pem)


def strangers(folder: Path, name: str = "strangers.pub") -> Path:
    return key_file(folder, name, faults.forger().master_public_pem)


def judged(fleet: Watched, **changes: Any) -> dict[Place, Object]:
    return seen_in(run_once(replace(fleet.fleet, **changes), NOW))


def test_without_a_key_nothing_is_red_and_nothing_is_claimed(fleet: Watched) -> None:
    for (server, _), replica in judged(fleet, keys=()).items():
        if not replica["pass_through"]:
            assert said(replica, OF_TRUST) == ("no_key", 1, None)
            assert "signature_ok" not in replica
            assert not {"signature", "whitelist"} & set(slugs(replica))
        if server in (STRATUM0, HEALTHY):
            assert replica["health"] == 0


def test_without_a_key_a_fault_is_found_all_the_same(fleet: Watched) -> None:
    fleet.inflict(HEALTHY, faults.wrong_signature(fleet.copy("software"), demo_keys()))
    assert said(judged(fleet, keys=())[HEALTHY_SOFTWARE], OF_TRUST) == ("manifest_invalid", 9, 0)


def test_with_a_wrong_key_every_whitelist_is_invalid(fleet: Watched, tmp_path: Path) -> None:
    found = judged(fleet, keys=(strangers(tmp_path),))
    for replica in found.values():
        if not replica["pass_through"]:
            assert said(replica, OF_TRUST) == ("whitelist_invalid", 3, 0)
            assert "signature" in slugs(replica)
            assert replica["health"] == 2
            assert "master_key" not in replica["trust"]


def test_any_one_of_several_keys_suffices_and_is_named(fleet: Watched, tmp_path: Path) -> None:
    keys = strangers(tmp_path), ours(tmp_path), strangers(tmp_path, "more.pub")
    replica = judged(fleet, keys=keys)[HEALTHY_SOFTWARE]
    assert said(replica, OF_TRUST) == GOOD
    assert replica["trust"]["master_key"] == str(keys[1])


def of_file(fleet: Watched, folder: Path, head: str, tail: str = "") -> dict[Place, Object]:
    """A run of the same servers by a fleet file that begins and ends with these lines; it may miss keys."""
    servers = fleet.demo.fleet_toml().partition("\n\n")[2]
    path = folder / "of-file.toml"
    path.write_text(f'[fleet]\nname = "demo"\n{head}\n[geoapi]\nenabled = false\n\n{servers}\n{tail}')
    return seen_in(watch(fleet_file.load(path), NOW, Deadline(20), lambda _line: None))


def test_a_clients_directory_of_keys_is_followed(fleet: Watched, tmp_path: Path) -> None:
    ours(tmp_path, "client/demo.example/one.pub")
    strangers(tmp_path, "client/other.example/other.pub")
    replica = of_file(fleet, tmp_path, 'key_dirs = ["client"]')[HEALTHY_SOFTWARE]
    assert said(replica, OF_TRUST) == GOOD
    assert replica["trust"]["master_key"].endswith("client/demo.example/one.pub")


def test_a_directory_with_keys_of_others_says_nothing(fleet: Watched, tmp_path: Path) -> None:
    strangers(tmp_path, "client/other.example/other.pub")
    replica = of_file(fleet, tmp_path, 'key_dirs = ["client"]')[HEALTHY_SOFTWARE]
    assert (replica["signature"], replica["health"]) == ("no_key", 0)


def test_only_keys_that_are_surely_a_repositorys_prove_a_forgery(fleet: Watched, tmp_path: Path) -> None:
    ours(tmp_path, "client/cernvm/software.demo.example.pub")
    strangers(tmp_path, "client/demo.example/other.pub")
    strangers(tmp_path, "top/demo.example.pub")
    ours(tmp_path, "fits/any.pub")
    strangers(tmp_path, "fits/another.pub")
    own = of_file(fleet, tmp_path, 'key_dirs = ["client"]')
    assert said(own[HEALTHY_SOFTWARE], OF_TRUST) == GOOD
    assert own[HEALTHY_SOFTWARE]["trust"]["master_key"].endswith("client/cernvm/software.demo.example.pub")
    assert said(own[HEALTHY, "data"], OF_TRUST) == ("whitelist_invalid", 3, 0)
    assert said(of_file(fleet, tmp_path, 'key_dirs = ["client/demo.example"]')[HEALTHY_SOFTWARE], OF_TRUST)[1] == 3
    top = of_file(fleet, tmp_path, 'key_dirs = ["top"]')[HEALTHY_SOFTWARE]
    assert (said(top, OF_TRUST), top["health"]) == (("no_key", 1, None), 0)
    assert "whether it has others is not known" in top["trust"]["why"]
    assert said(of_file(fleet, tmp_path, 'key_dirs = ["fits"]')[HEALTHY_SOFTWARE], OF_TRUST) == GOOD
    assert said(of_file(fleet, tmp_path, 'key_dirs = ["top", "fits"]')[HEALTHY_SOFTWARE], OF_TRUST) == GOOD


def test_a_repository_may_have_keys_of_its_own(fleet: Watched, tmp_path: Path) -> None:
    ours(tmp_path)
    strangers(tmp_path)
    rules = '[[repository]]\nname = "soft*.demo.example"\nkeys = ["ours.pub"]\n'
    rules += '[[repository]]\nname = "data.demo.example"\nkeys = ["strangers.pub"]\n'
    found = of_file(fleet, tmp_path, "", rules)
    assert {short: found[HEALTHY, short]["signature"] for short in ("software", "data", "conditions")} == {
        "software": "ok",
        "data": "whitelist_invalid",
        "conditions": "no_key",
    }


def test_a_blacklisted_certificate_is_refused(fleet: Watched, tmp_path: Path) -> None:
    (tmp_path / "blacklist").write_text(f"# refused\n{demo_keys().fingerprint('sha1')} # left us\n")
    head = f'keys = ["{ours(tmp_path)}"]\nblacklists = ["blacklist", "not-there"]'
    found = of_file(fleet, tmp_path, head)
    assert said(found[HEALTHY_SOFTWARE], OF_TRUST) == ("blacklisted", 12, 0)
    assert (found[HEALTHY_SOFTWARE]["health"], slugs(found[HEALTHY_SOFTWARE])) == (2, ["signature"])


def test_a_blacklisted_revision_is_refused_on_that_repository_alone(fleet: Watched, tmp_path: Path) -> None:
    (tmp_path / "blacklist").write_text("<software.demo.example 415\n")
    found = of_file(fleet, tmp_path, f'keys = ["{ours(tmp_path)}"]\nblacklists = ["blacklist"]')
    assert found[LAGGING, "software"]["revision"] == 413
    assert found[LAGGING, "software"]["signature"] == "blacklisted"
    assert found[HEALTHY_SOFTWARE]["signature"] == found[LAGGING, "data"]["signature"] == "ok"


def test_keys_may_be_given_on_the_command_line(tmp_path: Path) -> None:
    keys = strangers(tmp_path), ours(tmp_path)
    with DemoFleet(datetime.now(UTC)) as demo:
        options = ("--stratum1", demo.urls[HEALTHY], "--format", "json", "--state-dir", "none", "--only", "software.*")
        runs = [command(*options, *(part for key in chosen for part in ("--key", key))) for chosen in (keys, keys[:1])]
    assert [done.returncode for done in runs] == [0, 0]
    ((good,), (bad,)) = (tuple(replicas(json.loads(done.stdout)).values()) for done in runs)
    assert (good["signature"], good["trust"]["master_key"]) == ("ok", str(keys[1]))
    assert (bad["signature"], bad["health"]) == ("whitelist_invalid", 2)


# --- what could not be fetched is not known -----------------------------------------------------------


def failing(good: Any) -> Any:
    return replace(good, status=500, body=b"oops")


def absent(good: Any) -> Any:
    return replace(good, status=404, body=b"none")


def slow(good: Any) -> Any:
    time.sleep(1.6)
    return good


def test_a_manifest_with_a_wrong_signature_is_invalid(fleet: Watched) -> None:
    fleet.inflict(HEALTHY, faults.wrong_signature(fleet.copy("software"), demo_keys()))
    replica = fleet.run()[HEALTHY_SOFTWARE]
    assert said(replica, OF_TRUST) == ("manifest_invalid", 9, 0)
    assert (replica["health"], slugs(replica)) == (2, ["signature"])


@pytest.mark.slow
def test_a_whitelist_that_takes_too_long_is_unknown_and_not_red(fleet: Watched) -> None:
    fleet.instead(HEALTHY, fleet.path("software", ".cvmfswhitelist"), slow)
    replica = fleet.run(seconds=4)[HEALTHY_SOFTWARE]
    assert said(replica, OF_TRUST) == ("not_checked", 11, None)
    assert replica["health"] == UNKNOWN
    assert {finding["health"] for finding in replica["findings"]} == {UNKNOWN}
    assert not {"whitelist_expires", "whitelist_expires_in"} & set(replica)


@pytest.mark.parametrize(
    ("name", "answer", "signature", "found"),
    [
        (".cvmfswhitelist", absent, ("whitelist_missing", 2, 0), ["whitelist"]),
        (".cvmfswhitelist", failing, ("not_checked", 11, None), ["whitelist", "signature"]),
        ("X", absent, ("certificate_missing", 6, 0), ["signature"]),
        ("X", failing, ("not_checked", 11, None), ["signature"]),
    ],
)
def test_a_404_is_an_answer_and_another_failure_is_not(
    fleet: Watched, name: str, answer: Callable[[Any], Any], signature: Any, found: list[str]
) -> None:
    path = fleet.certificate("software") if name == "X" else fleet.path("software", name)
    fleet.instead(HEALTHY, path, answer)
    replica = fleet.run()[HEALTHY_SOFTWARE]
    assert said(replica, OF_TRUST) == signature
    assert (replica["health"], slugs(replica)) == (2 if answer is absent else UNKNOWN, found)


def test_a_whitelist_of_another_repository_is_a_mismatch(fleet: Watched) -> None:
    served_there = fleet.demo.documents[HEALTHY]
    served_there[fleet.path("software", ".cvmfswhitelist")] = served_there[fleet.path("config", ".cvmfswhitelist")]
    replica = fleet.run()[HEALTHY_SOFTWARE]
    assert said(replica, OF_TRUST) == ("name_mismatch", 5, 0)
    assert slugs(replica) == ["signature"]


def test_a_fault_that_is_mended_is_gone_in_the_next_run(fleet: Watched) -> None:
    path = fleet.path("software", ".cvmfspublished")
    good = fleet.demo.documents[HEALTHY][path]
    fleet.inflict(HEALTHY, faults.forged_manifest(fleet.copy("software"), demo_keys()))
    assert fleet.run()[HEALTHY_SOFTWARE]["signature"] == "certificate_not_listed"
    fleet.demo.documents[HEALTHY][path] = good
    replica = fleet.run(timedelta(minutes=5))[HEALTHY_SOFTWARE]
    assert (replica["signature"], replica["findings"]) == ("ok", [])


# --- races --------------------------------------------------------------------------------------------

DOCUMENTS = (".cvmfspublished", ".cvmfswhitelist", "X", "C")


@pytest.fixture
def racing(fleet: Watched) -> Watched:
    """Two servers with two repositories: enough for a race."""
    servers = tuple(one for one in fleet.fleet.servers if one.name != LAGGING)
    fleet.fleet = replace(fleet.fleet, servers=servers, only=("software.demo.example", "config.demo.example"))
    return fleet


def path_of(fleet: Watched, name: str) -> str:
    if name == "X":
        return fleet.certificate("software")
    return fleet.root_catalog("software") if name == "C" else fleet.path("software", name)


def manifests_read(fleet: Watched, where: str) -> int:
    return fleet.count(where, "GET", fleet.path("software", ".cvmfspublished"))


@pytest.mark.parametrize("collected", [False, True])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_publication_in_the_midst_of_a_run_raises_no_alarm(racing: Watched, name: str, collected: bool) -> None:
    old = (racing.root_catalog("software"),) if collected else ()
    changes = racing.published("software", racing.next_revision("software"), without=old)
    racing.once_asked(STRATUM0, path_of(racing, name), lambda: racing.inflict(STRATUM0, changes))
    replica = racing.run()[STRATUM0, "software"]
    assert said(replica, OF_TRUST) == GOOD
    assert said(replica, OF_CATALOG) in (CATALOG_OK, ("not_checked", 9, None))
    assert (replica["health"], replica["findings"]) == (0, [])
    assert manifests_read(racing, STRATUM0) <= 2


@pytest.mark.parametrize("collected", ["", "X", "C", "XC"])
@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.slow
def test_a_change_of_keys_in_the_midst_of_a_run_raises_no_alarm(racing: Watched, name: str, collected: str) -> None:
    old = tuple(path_of(racing, letter) for letter in collected)
    new = rolled_over()
    changes = racing.published("software", racing.next_revision("software"), by=new, without=old)
    racing.once_asked(STRATUM0, path_of(racing, name), lambda: racing.inflict(STRATUM0, changes))
    replica = racing.run()[STRATUM0, "software"]
    assert said(replica, OF_TRUST) == GOOD
    assert (replica["health"], replica["findings"]) == (0, [])
    assert manifests_read(racing, STRATUM0) <= 2


def test_after_a_change_of_keys_the_new_certificate_is_read_and_told(racing: Watched) -> None:
    new = rolled_over()
    changes = racing.published("software", racing.next_revision("software"), by=new)
    racing.once_asked(STRATUM0, racing.path("software", ".cvmfspublished"), lambda: racing.inflict(STRATUM0, changes))
    replica = racing.run()[STRATUM0, "software"]
    assert replica["trust"]["fingerprint"] == new.fingerprint("sha1")
    assert racing.count(STRATUM0, "GET", certificate_path_of(new)) == 1
    assert manifests_read(racing, STRATUM0) == 2


@pytest.mark.parametrize(
    ("fault", "finding"),
    [
        (faults.forged_manifest, "signature"),
        (faults.wrong_signature, "signature"),
        (faults.missing_root_catalog, "root_catalog"),
        (faults.empty_root_catalog, "root_catalog"),
    ],
)
def test_what_is_really_broken_is_read_again_and_still_found(
    racing: Watched, fault: faults.Fault, finding: str
) -> None:
    racing.inflict(HEALTHY, fault(racing.copy("software"), demo_keys()))
    for after in (timedelta(0), timedelta(minutes=5)):
        replica = racing.run(after)[HEALTHY_SOFTWARE]
        assert (replica["health"], slugs(replica)) == (2, [finding])
        assert manifests_read(racing, HEALTHY) == 2


def test_what_is_in_order_is_read_once(racing: Watched) -> None:
    racing.run()
    assert set(racing.requests("GET", ".cvmfspublished").values()) == {1}
    assert set(racing.requests("GET", ".cvmfswhitelist").values()) == {1}


def test_a_replica_that_breaks_in_the_midst_of_a_run_is_found(racing: Watched) -> None:
    changes = faults.forged_manifest(racing.copy("software"), demo_keys())
    changes |= dict.fromkeys((racing.certificate("software"),))
    racing.once_asked(HEALTHY, racing.path("software", ".cvmfspublished"), lambda: racing.inflict(HEALTHY, changes))
    assert slugs(racing.run()[HEALTHY_SOFTWARE]) == ["signature"]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_snapshot_that_ends_in_the_midst_of_a_run_raises_no_alarm(racing: Watched, name: str) -> None:
    before, latest = racing.repository("software").revisions[-2:]
    gone = (racing.root_catalog("software", before),)
    older = racing.published("software", before, without=(racing.root_catalog("software"),))
    newer = racing.published("software", latest, without=gone)
    racing.inflict(HEALTHY, older)
    path = gone[0] if name == "C" else path_of(racing, name)
    racing.once_asked(HEALTHY, path, lambda: racing.inflict(HEALTHY, newer))
    replica = racing.run()[HEALTHY_SOFTWARE]
    assert (replica["health"], replica["findings"]) == (0, [])
    assert said(replica, OF_TRUST) == GOOD


def overtake(fleet: Watched, changes: faults.Changes) -> None:
    """Stratum 0 publishes and its replica has it, after the one was read and before the other is asked."""
    last = fleet.root_catalog("config")

    def publish() -> None:
        assert waits(lambda: fleet.count(STRATUM0, "HEAD", last) == 1)
        for where in (STRATUM0, HEALTHY):
            fleet.inflict(where, changes)

    fleet.once_asked(HEALTHY, "/cvmfs/info/v1/repositories.json", publish)


def test_a_stratum_0_that_publishes_after_it_was_read_makes_no_replica_ahead(racing: Watched) -> None:
    overtake(racing, racing.published("software", revision := racing.next_revision("software")))
    found = racing.run()
    for place in (STRATUM0, HEALTHY):
        replica = found[place, "software"]
        assert (replica["revision"], replica["findings"]) == (revision.number, [])
        assert said(replica, OF_TRUST) == GOOD
    assert found[HEALTHY_SOFTWARE]["revisions_behind"] == 0
    assert found[HEALTHY_SOFTWARE]["diverged"] == 0


@pytest.mark.parametrize("collected", [False, True])
def test_neither_does_one_that_changes_keys_then_raise_an_alarm(racing: Watched, collected: bool) -> None:
    old = (racing.certificate("software"), racing.root_catalog("software")) if collected else ()
    revision = racing.next_revision("software")
    overtake(racing, racing.published("software", revision, by=rolled_over(), without=old))
    found = racing.run()
    for place in (STRATUM0, HEALTHY):
        replica = found[place, "software"]
        assert (replica["revision"], replica["findings"]) == (revision.number, [])
        assert said(replica, OF_TRUST) == GOOD


def test_the_catalog_of_an_original_that_was_read_again_is_not_taken_for_proved(racing: Watched) -> None:
    revision = racing.next_revision("software")
    overtake(racing, racing.published("software", revision))
    racing.run()
    catalog = racing.root_catalog("software", revision)
    proved_now = racing.count(STRATUM0, "GET", catalog)
    racing.run(timedelta(minutes=5))
    proved_then = racing.count(STRATUM0, "GET", catalog)
    assert proved_now + proved_then == 1, "the bytes of a new root catalog are hashed once, in this run or in the next"


def test_an_original_that_cannot_be_read_again_keeps_what_was_read(racing: Watched) -> None:
    racing.inflict(HEALTHY, racing.published("software", racing.next_revision("software")))
    path = racing.path("software", ".cvmfspublished")
    racing.once_asked(STRATUM0, path, lambda: racing.instead(STRATUM0, path, failing))
    found = racing.run()
    assert manifests_read(racing, STRATUM0) == 2
    assert (found[STRATUM0, "software"]["up"], found[STRATUM0, "software"]["revision"]) == (1, 416)
    assert found[STRATUM0, "software"]["is_reference"] is True
    assert slugs(found[HEALTHY_SOFTWARE]) == ["ahead"]


def test_a_replica_that_is_really_ahead_is_still_found(racing: Watched) -> None:
    racing.inflict(HEALTHY, racing.published("software", racing.next_revision("software")))
    replica = racing.run()[HEALTHY_SOFTWARE]
    assert (replica["revisions_behind"], slugs(replica)) == (-1, ["ahead"])


# --- genuine repositories -----------------------------------------------------------------------------


def listed(name: str) -> bytes:
    entry = {"name": name, "url": f"/cvmfs/{name}"}
    return as_json({"schema": 1, "repositories": [], "replicas": [entry]})


def atlas_documents() -> dict[str, bytes]:
    """The capture as a server would have it; of the root catalog only that it is there."""
    manifest = parse_manifest(served("atlas.cern.ch/.cvmfspublished"))
    assert manifest.certificate is not None
    files = {name: served(f"atlas.cern.ch/{name}") for name in (".cvmfspublished", ".cvmfswhitelist")}
    files[object_path(manifest.certificate, "X")] = served("atlas.cern.ch/certificate.X.zlib")
    files[object_path(manifest.root_catalog, "C")] = b"not captured"
    documents = {f"/cvmfs/atlas.cern.ch/{name}": body for name, body in files.items()}
    return documents | {"/cvmfs/info/v1/repositories.json": listed("atlas.cern.ch")}


@pytest.mark.parametrize(
    ("moment", "signature", "found"),
    [
        (datetime(2015, 6, 10, tzinfo=UTC), GOOD, []),
        (datetime(2015, 7, 5, tzinfo=UTC), ("whitelist_expired", 4, 0), ["whitelist"]),
    ],
)
def test_a_production_capture_of_2015_is_judged_as_clients_did(
    moment: datetime, signature: Any, found: list[str]
) -> None:
    with closing(DemoServer(atlas_documents())) as server:
        fleet = Fleet(
            (Server(server.url, "cern", Role.STRATUM1),), keys=(TRUST / "keys/cern.ch.pub",), verify_every=None
        )
        (replica,) = seen_in(run_once(fleet, moment)).values()
    assert said(replica, OF_TRUST) == signature
    assert replica["trust"]["master_key"] == str(TRUST / "keys/cern.ch.pub")
    assert [slug for slug in slugs(replica) if slug != "snapshot_old"] == found


def genuine_documents(stratum: str) -> dict[str, bytes]:
    names = [".cvmfspublished", ".cvmfswhitelist"]
    names += [] if stratum == "stratum0" else [".cvmfs_status.json", ".cvmfs_last_snapshot"]
    files = {name: served(f"genuine/{stratum}/{name}") for name in names}
    manifest = parse_manifest(files[".cvmfspublished"])
    catalog = object_path(manifest.root_catalog, "C")
    assert manifest.certificate is not None
    files[catalog] = (TRUST / "genuine" / catalog).read_bytes()
    files[object_path(manifest.certificate, "X")] = (TRUST / "genuine/certificate.X.zlib").read_bytes()
    documents = {f"/cvmfs/main.genuine.example/{name}": body for name, body in files.items()}
    return documents | {"/cvmfs/info/v1/repositories.json": served(f"genuine/{stratum}/repositories.json")}


def test_what_the_genuine_tools_made_is_found_as_they_find_it() -> None:
    expected = json.loads((TRUST / "genuine/expected.json").read_bytes())
    with ExitStack() as running:
        urls = {name: running.enter_context(closing(DemoServer(genuine_documents(name)))).url for name in STRATA}
        roles = {name: Role.STRATUM0 if name == "stratum0" else Role.STRATUM1 for name in STRATA}
        servers = tuple(Server(url, name, roles[name]) for name, url in urls.items())
        fleet = Fleet(servers, keys=(TRUST / "genuine/main.genuine.example.pub",))
        found = seen_in(run_once(fleet, datetime.fromtimestamp(expected["made_at"], UTC)))
    assert len(expected["expect"]) == len(found) == 3
    for one in expected["expect"]:
        replica = found[one["server"], "main"]
        assert replica["signature_ok"] == int(one["signature_ok"])
        assert replica["root_catalog"] == one["root_catalog"]
        assert replica["root_catalog_verified_age"] == 0
        assert replica["whitelist_expires"] == one["whitelist_expires"]
        assert (replica["root_hash"], replica["revision"]) == (one["root_hash"], one["revision"])
