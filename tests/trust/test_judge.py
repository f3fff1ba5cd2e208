"""The judge: what was verified once is not computed again, and only that."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from telegraf_cvmfs.memory import file as memory_file
from telegraf_cvmfs.memory.value import Memory
from telegraf_cvmfs.model import Fleet, Replica, Role, Server, Signature, Trust
from telegraf_cvmfs.trust import chain
from telegraf_cvmfs.trust.judge import Judge
from telegraf_cvmfs.trust.keys import Keyring
from telegraf_cvmfs.wire.manifest import parse_manifest
from telegraf_cvmfs.wire.whitelist import parse_whitelist
from tests.builders.signed import NOW, REPO, Served, keys, made, ours, public, reading

EXPIRED = NOW + timedelta(days=60)


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The repositories for which a chain was computed."""
    calls, verify = list[str](), chain.verify

    def counted(*arguments: object, **named: object) -> Trust:
        calls.append(arguments[0].repo)  # type: ignore[attr-defined]
        return verify(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(chain, "verify", counted)
    return calls


def replica(served: Served) -> Replica:
    return Replica(
        Server("http://s1.tld", "s1", Role.STRATUM1),
        served.repo,
        f"http://s1.tld/cvmfs/{served.repo}/.cvmfspublished",
        manifest=reading(parse_manifest, served.manifest),
        whitelist=reading(parse_whitelist, served.whitelist),
        certificate=reading(bytes, served.certificate),
    )


def keyring(folder: Path, *pems: bytes, blacklist: str = "") -> Keyring:
    paths = [folder / f"{number}.pub" for number in range(len(pems))]
    for path, pem in zip(paths, pems, strict=True):
        path.write_bytes(pem)
    refused = folder / "blacklist"
    refused.write_text(blacklist, encoding="utf-8")
    return Keyring(Fleet((), keys=tuple(paths), blacklists=(refused,)), print)


def ours_in(folder: Path) -> Keyring:
    return keyring(folder, ours().master_public_pem)


def through_the_file(trust: Trust, folder: Path) -> dict[str, Trust]:
    """What a run finds that comes after one that saw this."""
    assert trust.proof is not None
    path = folder / "memory.json"
    memory_file.write(path, Memory(verified={trust.proof: trust}))
    return dict(memory_file.read(path).verified)


def test_a_second_judgement_in_a_run_is_not_computed(tmp_path: Path, computed: list[str]) -> None:
    judge = Judge(ours_in(tmp_path))
    first, second = (judge.judge(replica(made()), NOW) for _ in range(2))
    assert first == second
    assert first is not None
    assert first.signature is Signature.OK
    assert computed == [REPO]


def test_what_an_earlier_run_verified_is_told_in_full_and_not_computed(tmp_path: Path, computed: list[str]) -> None:
    first = Judge(ours_in(tmp_path)).judge(replica(made()), NOW)
    assert first is not None
    remembered = through_the_file(first, tmp_path)
    assert Judge(ours_in(tmp_path), remembered).judge(replica(made()), NOW) == first
    assert computed == [REPO]
    assert first.key is not None
    assert first.subject
    assert first.not_after
    assert first.fingerprint


def test_that_there_is_no_key_is_remembered_too(tmp_path: Path, computed: list[str]) -> None:
    first = Judge(keyring(tmp_path)).judge(replica(made()), NOW)
    assert first is not None
    assert first.signature is Signature.NO_KEY
    assert first.why
    assert Judge(keyring(tmp_path), through_the_file(first, tmp_path)).judge(replica(made()), NOW) == first
    assert computed == [REPO]


def test_that_keys_which_may_be_its_own_do_not_fit_is_no_longer_remembered_when_they_surely_are(
    tmp_path: Path, computed: list[str]
) -> None:
    (tmp_path / "keys").mkdir()
    wrong = tmp_path / "keys/any.pub"
    wrong.write_bytes(keys("theirs").master_public_pem)
    folder = Fleet((), key_dirs=(tmp_path / "keys",))
    first = Judge(Keyring(folder, print)).judge(replica(made()), NOW)
    assert first is not None
    assert first.signature is Signature.NO_KEY
    remembered = through_the_file(first, tmp_path)
    assert Judge(Keyring(folder, print), remembered).judge(replica(made()), NOW) == first
    assert computed == [REPO]
    wrong.rename(tmp_path / f"keys/{REPO}.pub")
    again = Judge(Keyring(folder, print), remembered).judge(replica(made()), NOW)
    assert again is not None
    assert again.signature is Signature.WHITELIST_INVALID


def test_a_key_has_the_name_that_its_file_has_now(tmp_path: Path, computed: list[str]) -> None:
    first = Judge(ours_in(tmp_path)).judge(replica(made()), NOW)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert first is not None
    assert first.proof is not None
    again = Judge(ours_in(elsewhere), {first.proof: first}).judge(replica(made()), NOW)
    assert again is not None
    assert again.key is not None
    assert again.key.name == str(elsewhere / "0.pub")
    assert computed == [REPO]


def test_a_whitelist_expires_for_what_was_verified_too(tmp_path: Path) -> None:
    judge = Judge(ours_in(tmp_path))
    assert judge.judge(replica(made()), NOW).signature is Signature.OK  # type: ignore[union-attr]
    assert judge.judge(replica(made()), EXPIRED).signature is Signature.WHITELIST_EXPIRED  # type: ignore[union-attr]


OTHERS = {
    "another manifest": lambda: replace(made(), manifest=made(keys("strangers")).manifest),
    "a forged signature": lambda: replace(made(), manifest=made().manifest[:-1] + b"\0"),
    "another whitelist": lambda: replace(made(), whitelist=made(keys("strangers")).whitelist),
    "no whitelist": lambda: replace(made(), whitelist=None),
    "another certificate": lambda: replace(made(), certificate=made(keys("strangers")).certificate),
    "no certificate": lambda: replace(made(), certificate=None),
    "another repository": lambda: replace(made(), repo="other.example.org"),
}


@pytest.mark.parametrize("other", OTHERS)
def test_what_was_verified_vouches_for_nothing_else(tmp_path: Path, other: str, computed: list[str]) -> None:
    judge = Judge(ours_in(tmp_path))
    judge.judge(replica(made()), NOW)
    served = OTHERS[other]()
    found = judge.judge(replica(served), NOW)
    assert found is not None
    assert found.proof is None
    assert replace(found, key=None) == replace(served.judged([public(ours())]), key=None)
    assert len(computed) == 2


def test_other_keys_and_another_blacklist_compute_anew(tmp_path: Path, computed: list[str]) -> None:
    first = Judge(ours_in(tmp_path)).judge(replica(made()), NOW)
    assert first is not None
    assert first.proof is not None
    known = {first.proof: first}
    pem, strangers = ours().master_public_pem, keys("strangers").master_public_pem
    for ring, signature in (
        (keyring(tmp_path, strangers), Signature.WHITELIST_INVALID),
        (keyring(tmp_path, pem, blacklist=f"<{REPO} 8\n"), Signature.BLACKLISTED),
        (keyring(tmp_path, pem, blacklist=f"{ours().fingerprint('sha1')}\n"), Signature.BLACKLISTED),
        (keyring(tmp_path, strangers, pem), Signature.OK),
        (keyring(tmp_path), Signature.NO_KEY),
    ):
        assert Judge(ring, known).judge(replica(made()), NOW).signature is signature  # type: ignore[union-attr]
    assert len(computed) == 6


def test_other_rules_compute_anew(tmp_path: Path, computed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    first = Judge(ours_in(tmp_path)).judge(replica(made()), NOW)
    assert first is not None
    assert first.proof is not None
    monkeypatch.setattr("telegraf_cvmfs.trust.judge.RULES", 2)
    Judge(ours_in(tmp_path), {first.proof: first}).judge(replica(made()), NOW)
    assert len(computed) == 2


@given(
    some.lists(some.sampled_from([b"", b"1", b":", b"1:a", b"a"])), some.lists(some.sampled_from([b"", b"1:", b"a"]))
)
def test_two_lists_of_documents_have_one_hash_only_if_they_are_the_same(one: list[bytes], other: list[bytes]) -> None:
    from telegraf_cvmfs.trust.judge import _hash  # noqa: PLC0415

    assert (_hash(one) == _hash(other)) == (one == other)
