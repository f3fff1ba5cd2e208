"""Folders of keys as clients have them: whose a key is by where it lies, and what of a tree is told or left out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import tests.builders.signed as td
from telegraf_cvmfs.model import Fleet, RepositoryRule
from telegraf_cvmfs.trust import keys as trust_keys
from telegraf_cvmfs.trust import keysdir
from telegraf_cvmfs.trust.keys import Keyring
from telegraf_cvmfs.trust.keysdir import KeysDirs

PEMS = {path.name: path.read_bytes() for path in sorted((td.HERE / "keys").glob("*.pub"))}
PEM = PEMS["cern.ch.pub"]
OTHERS = list(PEMS.values())


def tree(top: Path, *names: str) -> Path:
    """A folder with these key files; each holds another key, as far as there are others."""
    for number, name in enumerate(names):
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(OTHERS[number % len(OTHERS)])
    return top


def own(repo: str, *dirs: Path) -> list[str]:
    return [path.relative_to(dirs[0]).as_posix() for path in KeysDirs(dirs).own(repo)]


def told(*dirs: Path) -> tuple[Keyring, list[str]]:
    lines: list[str] = []
    return Keyring(Fleet((), key_dirs=dirs), lines.append), lines


def names(keyring: Keyring, repo: str) -> list[str]:
    return [Path(key.name).name for key in keyring.of(repo).keys]


# --- whose they are -----------------------------------------------------------------------------------


def test_a_repositorys_own_key_counts_first_wherever_it_lies_and_then_those_of_its_domain(tmp_path: Path) -> None:
    ours = ("cern.ch/cern-it1.cern.ch.pub", "cern.ch/cern-it4.cern.ch.pub", "cern.ch/cern.ch.pub")
    keys = tree(tmp_path, *ours, "cernvm/cernvm-devel.cern.ch.pub", "egi.eu/egi.eu.pub", "cern.ch/README")
    assert own("cernvm-devel.cern.ch", keys) == ["cernvm/cernvm-devel.cern.ch.pub", *ours]
    assert own("alice.cern.ch", keys) == list(ours)
    assert own("biomed.egi.eu", keys) == ["egi.eu/egi.eu.pub"]


@pytest.mark.parametrize(
    ("repo", "files"),
    [
        ("softdrive.nl", ["softdrive.nl.pub"]),
        ("code-rade.africa-grid.org", ["africa-grid.org/code-rade.africa-grid.org.pub"]),
        ("singularity.opensciencegrid.org", []),  # its domain's key lies in the folder of another domain
        ("ligo.osgstorage.org", ["osgstorage.org/opensciencegrid.org.pub"]),
        ("euclid.in2p3.fr", ["in2p3.fr/euclid.in2p3.fr.pub", "in2p3.fr/cta.in2p3.fr.pub"]),
        ("ref.galaxy", ["galaxy/ref.galaxy.pub", "galaxy/soft.galaxy.pub"]),
        ("belle.desy.de", ["desy.de/desy.de.20260611.2048.pub", "desy.de/desy.de.20260611.4096.pub"]),
        ("data.computecanada.ca", ["computecanada.ca/data.computecanada.ca.pub"]),
        ("a.b.c.d", ["a/b/c/a.b.c.d.pub"]),
        ("one.site.example", ["site/domains/site.example/any.pub"]),
        ("main.repo.example", ["main.repo.example/one.pub", "main.repo.example/two.pub"]),
        ("sub.main.repo.example", ["main.repo.example/one.pub", "main.repo.example/two.pub"]),  # the domain of this one
        ("lhcb.lsst.eu", []),
        ("org", []),
        ("eu", []),
    ],
)
def test_keys_are_found_in_trees_as_packages_and_configuration_repositories_lay_them_out(
    tmp_path: Path, repo: str, files: list[str]
) -> None:
    keys = tree(
        tmp_path,
        "africa-grid.org/code-rade.africa-grid.org.pub",
        "computecanada.ca/data.computecanada.ca.pub",
        "desy.de/desy.de.20260611.2048.pub",
        "desy.de/desy.de.20260611.4096.pub",
        "galaxy/ref.galaxy.pub",
        "galaxy/soft.galaxy.pub",
        "in2p3.fr/cta.in2p3.fr.pub",
        "in2p3.fr/euclid.in2p3.fr.pub",
        "lsst.eu.pub",
        "softdrive.nl.pub",
        "osgstorage.org/opensciencegrid.org.pub",
        "a/b/c/a.b.c.d.pub",
        "site/domains/site.example/any.pub",
        "main.repo.example/one.pub",
        "main.repo.example/two.pub",
    )
    assert own(repo, keys) == files


def test_the_folder_that_cvmfs_keys_dir_names_may_be_named_here_too(tmp_path: Path) -> None:
    keys = tree(tmp_path / "cern.ch", "cern.ch.pub", "cern-it4.cern.ch.pub")
    assert own("atlas.cern.ch", keys) == ["cern-it4.cern.ch.pub", "cern.ch.pub"]
    assert own("biomed.egi.eu", keys) == []


def test_only_where_nothing_is_surely_a_repositorys_what_lies_at_the_top_may_be(tmp_path: Path) -> None:
    keys = tree(tmp_path, "cern-it1.cern.ch.pub", "cern.ch.pub", "egi.eu.pub", "egi.eu/egi.pub", "elsewhere/other.pub")
    keyring, lines = told(keys)
    assert names(keyring, "atlas.cern.ch") == ["cern-it1.cern.ch.pub", "cern.ch.pub", "egi.eu.pub"]
    assert names(keyring, "biomed.egi.eu") == ["egi.pub"]
    assert [keyring.of(repo).sure for repo in ("atlas.cern.ch", "biomed.egi.eu")] == [False, True]
    assert lines == []


def test_several_folders_are_one(tmp_path: Path) -> None:
    first = tree(tmp_path / "1", "example.org/a.pub", "top.pub")
    second = tree(tmp_path / "2", "b.example.org.pub", "example.org/b.pub")
    paths = (second / "b.example.org.pub", first / "example.org/a.pub", second / "example.org/b.pub")
    assert KeysDirs([first, second, first]).own("b.example.org") == paths
    assert KeysDirs([first, second]).top == [first / "top.pub", second / "b.example.org.pub"]


@pytest.mark.parametrize(
    "repo", ["", ".", "..", "...", "../example.org", "a./etc", "a..", "a.", "/etc/x.y", "a.\0b", "*.*"]
)
def test_a_name_does_not_lead_out_of_the_folder(tmp_path: Path, repo: str) -> None:
    keys = tree(tmp_path, "keys/example.org/a.pub", "keys/a.pub", "example.org/b.pub", "etc/c.pub") / "keys"
    assert own(repo, keys) == []


def test_named_keys_of_the_fleet_are_surely_meant_and_those_of_a_client_come_beside_them(tmp_path: Path) -> None:
    named = tree(tmp_path / "named", "fleet.pub") / "fleet.pub"
    keys = tmp_path / "keys"
    (keys / "cern.ch").mkdir(parents=True)
    (keys / "cern.ch/one.pub").write_bytes(OTHERS[1])
    (keys / "top.pub").write_bytes(OTHERS[2])
    keyring = Keyring(Fleet((), keys=(named,), key_dirs=(keys,)), print)
    assert names(keyring, "atlas.cern.ch") == ["fleet.pub", "one.pub"]
    assert names(keyring, "biomed.egi.eu") == ["fleet.pub", "top.pub"]
    assert keyring.of("atlas.cern.ch").sure
    assert keyring.of("biomed.egi.eu").sure


# --- what cannot be read may be the right one ---------------------------------------------------------


def test_where_one_of_its_own_keys_cannot_be_read_nothing_is_sure_and_that_is_said_once(tmp_path: Path) -> None:
    keys = tree(tmp_path, "cern.ch/one.pub", "cern.ch/two.pub", "cern.ch/three.pub")
    (keys / "cern.ch/two.pub").write_text("nothing")
    keyring, lines = told(keys)
    assert names(keyring, "atlas.cern.ch") == names(keyring, "cms.cern.ch") == ["one.pub", "three.pub"]
    assert not keyring.of("atlas.cern.ch").sure
    assert [line.partition(" is not")[0] for line in lines] == [f"W! key_dirs: {keys / 'cern.ch/two.pub'}:"]


def test_of_more_keys_than_are_tried_none_is_surely_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust_keys, "MOST_KEYS", 3)
    keys = tree(tmp_path, *(f"cern.ch/{number}.pub" for number in range(4)), *(f"egi.eu/{n}.pub" for n in range(3)))
    keyring, _ = told(keys)
    assert names(keyring, "atlas.cern.ch") == ["0.pub", "1.pub", "2.pub"]
    assert [keyring.of(repo).sure for repo in ("atlas.cern.ch", "biomed.egi.eu")] == [False, True]


# --- links, loops, and what is no key -----------------------------------------------------------------


def test_links_are_followed_and_loops_end(tmp_path: Path) -> None:
    keys = tree(tmp_path / "keys", "opensciencegrid.org/one.pub", "store/egi.eu/two.pub")
    outside = tree(tmp_path / "outside", "deeper/a.example.org.pub")
    for name, target in {
        "osgstorage.org": "opensciencegrid.org",  # a domain that has the keys of another
        "site": str(outside),
        "a.example.net.pub": str(outside / "deeper/a.example.org.pub"),
        "store/egi.eu/loop": "..",
        "example.com": ".",
        "opensciencegrid.org/up": str(keys),
    }.items():
        (keys / name).symlink_to(target)
    assert own("ligo.osgstorage.org", keys) == ["osgstorage.org/one.pub"]
    assert own("a.example.org", keys) == ["site/deeper/a.example.org.pub"]
    assert own("a.example.net", keys)[0] == "a.example.net.pub"
    assert own("biomed.egi.eu", keys) == ["store/egi.eu/two.pub"]
    assert own("www.example.com", keys) == ["example.com/a.example.net.pub"]
    assert KeysDirs([keys]).problems == []


def test_what_is_called_as_a_key_and_is_no_file_is_told(tmp_path: Path) -> None:
    keys = tree(tmp_path, "example.org/a.pub")
    os.mkfifo(keys / "example.org/fifo.pub")
    (keys / "example.org/gone.pub").symlink_to("nowhere")
    (keys / "loop.pub").symlink_to("loop.pub")
    (keys / "dangling").symlink_to("nowhere")
    (keys / "folder.pub").mkdir()
    found = KeysDirs([keys])
    none = [str(keys / name) for name in ("loop.pub", "example.org/fifo.pub", "example.org/gone.pub")]
    assert found.problems == [f"{', '.join(none)}: no file that can be read"]
    for number in range(100):
        (keys / f"{number}.pub").symlink_to("nowhere")
    assert KeysDirs([keys]).problems[0].endswith(" and 99 more: no file that can be read")
    assert found.top == []


def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    keys = tree(tmp_path, ".old/a.example.org.pub", "example.org/.a.pub", ".git/objects/b.pub")
    found = KeysDirs([keys])
    assert (found.own("a.example.org"), found.top) == ((), [])
    assert found.problems == [f"{keys} has no .pub file, nor has a folder below it"]


@pytest.mark.parametrize("name", ["none", "file"])
def test_a_folder_that_cannot_be_gone_through_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_bytes(PEM)
    found = KeysDirs([tmp_path / name])
    assert len(found.problems) == 1
    assert found.problems[0].startswith(f"{tmp_path / name}: ")


def test_a_huge_tree_is_cut_off_and_then_nothing_is_sure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keysdir, "MOST_ENTRIES", 10)
    keys = tree(tmp_path, "example.org/a.pub", *(f"other/deep/{number}.pub" for number in range(8)))
    keyring, lines = told(keys)
    assert lines == [f"W! key_dirs: {keys} has more than 10 files: the rest is left out"]
    assert names(keyring, "a.example.org") == ["a.pub"]  # what is near is found
    assert not keyring.of("a.example.org").sure
    (keys / "other/deep/7.pub").unlink()
    (keys / "other/deep/6.pub").unlink()
    assert KeysDirs([keys]).problems == []


def test_a_tree_that_never_ends_is_cut_off(tmp_path: Path) -> None:
    keys = tree(tmp_path, "/".join("abcdefghi") + "/x.pub", "b/b.example.org.pub")
    found = KeysDirs([keys])
    assert found.problems == [f"{keys} has folders more than {keysdir.DEEPEST} deep: the rest is left out"]
    assert (found.whole, len(found.own("b.example.org"))) == (False, 1)


def test_a_folder_without_keys_is_told(tmp_path: Path) -> None:
    for name in ("empty", "full/cern.ch", "wrong/cern.ch"):
        (tmp_path / name).mkdir(parents=True)
    tree(tmp_path / "full", "cern.ch/one.pub")
    (tmp_path / "wrong/cern.ch/cern.ch.pem").write_bytes(PEM)
    _, lines = told(*(tmp_path / name for name in ("empty", "full", "wrong")))
    ending = "has no .pub file, nor has a folder below it"
    assert lines == [f"W! key_dirs: {tmp_path / 'empty'} {ending}", f"W! key_dirs: {tmp_path / 'wrong'} {ending}"]


def test_files_that_are_no_keys_are_told_once_for_each_reason(tmp_path: Path) -> None:
    keys = tree(tmp_path, "cern.ch/right.pub")
    private = td.ours().master.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for number in range(40):
        (keys / f"{number:02}.pub").write_bytes(td.ours().certificate_pem)
        (keys / f"cern.ch/{number:02}.pub").write_bytes(private)
    keyring, lines = told(keys, keys / "cern.ch")
    certificates = ", ".join(str(keys / f"{number:02}.pub") for number in range(4))
    privates = ", ".join(str(keys / f"cern.ch/{number:02}.pub") for number in range(4))
    assert [line.rpartition(", ")[0] for line in lines] == [
        f"W! key_dirs: {certificates} and 36 more: is not a public key in PEM form",
        f"W! key_dirs: {privates} and 36 more: holds a private key: keep that away from here",
    ]
    assert names(keyring, "atlas.cern.ch") == ["right.pub"]


def test_repositories_without_a_key_are_named_together_where_keys_are_asked_for(tmp_path: Path) -> None:
    keys = tree(tmp_path / "keys", "cern.ch/one.pub")
    lacking = told(keys)[0].lacks([f"{letter}.egi.eu" for letter in "fedcba"], 20)
    assert lacking == (
        "no master key for 6 of 20 repositories, so forged ones are not known: a.egi.eu, b.egi.eu, c.egi.eu, d.egi.eu and "
        f"2 more (looked for as <repository>.pub anywhere, <domain>/*.pub, and *.pub at the top of {keys})"
    )
    rule = RepositoryRule("*.cern.ch", keys=(keys / "cern.ch/one.pub",))
    by_rule = Keyring(Fleet((), rules=(rule,)), print).lacks(["a.egi.eu"], 2)
    assert by_rule == (
        "no master key for 1 of 2 repositories, so forged ones are not known: a.egi.eu (keys are named for others)"
    )
    assert told(keys)[0].lacks([], 20) is None
    assert Keyring(Fleet((), rules=(RepositoryRule("*"),)), print).lacks(["a.egi.eu"], 2) is None
    (tmp_path / "empty").mkdir()
    assert told(tmp_path / "empty")[0].lacks(["a.egi.eu"], 2) is None  # that it is empty was said
