"""The verdict on a chain of documents, for genuine repositories and for every fault, properly signed."""

from __future__ import annotations

import hashlib
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

import tests.builders.signed as td
from telegraf_cvmfs.demo.signing import Keys, content_hash
from telegraf_cvmfs.model import Manifest, ParseError, Reading, Result, Signature, Whitelist
from telegraf_cvmfs.trust.chain import Chain, certificate_path, verify
from telegraf_cvmfs.wire.manifest import parse_manifest
from telegraf_cvmfs.wire.whitelist import parse_whitelist
from tests.builders.documents import STRATA, WEB_PAGE, damaged
from tests.builders.signed import NOW, REPO, Served, atlas, genuine, made, ours, public

CERN = td.master("keys/cern.ch.pub")
GENUINE = td.master("genuine/main.genuine.example.pub")
JUNE_2015 = datetime(2015, 6, 10, tzinfo=UTC)
NOVEMBER_2026 = datetime(2026, 11, 22, tzinfo=UTC)
SHAKE = made(algorithm="shake128")
CONTRACT = {
    "ok": 0,
    "no_key": 1,
    "whitelist_missing": 2,
    "whitelist_invalid": 3,
    "whitelist_expired": 4,
    "name_mismatch": 5,
    "certificate_missing": 6,
    "certificate_corrupt": 7,
    "certificate_not_listed": 8,
    "manifest_invalid": 9,
    "unsupported": 10,
    "not_checked": 11,
    "blacklisted": 12,
}


def test_the_words_and_numbers_are_those_of_the_contract() -> None:
    assert {signature.slug: signature.code for signature in Signature} == CONTRACT


def test_what_is_not_known_is_neither_good_nor_bad() -> None:
    unknown = {"no_key", "unsupported", "not_checked"}
    assert {s.slug: s.ok for s in Signature} == {w: None if w in unknown else w == "ok" for w in CONTRACT}


# --- genuine repositories -----------------------------------------------------------------------------


def test_a_production_repository_of_2015_is_accepted_in_its_time() -> None:
    trust = atlas().judged([GENUINE, CERN], JUNE_2015)
    assert (trust.signature, trust.why) == (Signature.OK, "")
    assert trust.key == td.key_of(CERN)
    assert trust.fingerprint == "EA:74:15:E5:F5:A4:34:7D:79:37:37:88:33:6A:1E:0D:D0:A4:18:25"


def test_the_dates_of_a_certificate_are_told_but_never_judged() -> None:
    # Clients take the certificate for a holder of a key: this one had been over for three years, and all was well.
    trust = atlas().judged([CERN], JUNE_2015)
    assert trust.not_after is not None
    assert trust.not_after.year == 2012
    assert trust.subject == "CN=atlas.cern.ch CernVM-FS Release Managers"
    assert trust.signature is Signature.OK


@pytest.mark.parametrize(
    ("moment", "signature"),
    [
        (datetime(2015, 7, 4, 8, 59, 59, 999999, tzinfo=UTC), Signature.OK),
        (datetime(2015, 7, 4, 9, 0, 0, tzinfo=UTC), Signature.WHITELIST_EXPIRED),  # stated: 09:55:27
        (datetime(2015, 7, 4, 9, 55, 26, tzinfo=UTC), Signature.WHITELIST_EXPIRED),
        (datetime(2015, 7, 5, tzinfo=UTC), Signature.WHITELIST_EXPIRED),
        (NOW, Signature.WHITELIST_EXPIRED),
    ],
)
def test_a_whitelist_is_refused_from_the_full_hour_before_its_expiry(moment: datetime, signature: Signature) -> None:
    assert atlas().judged([CERN], moment).signature is signature


def test_what_is_known_is_told_with_a_bad_verdict_too() -> None:
    trust = atlas().judged([CERN], NOW)
    assert trust.key == td.key_of(CERN)
    assert trust.certificate_read
    assert trust.why == "clients refuse the whitelist since 2015-07-04 09:00 UTC"


@pytest.mark.parametrize("stratum", STRATA)
def test_what_the_server_tools_of_2026_made_is_accepted(stratum: str) -> None:
    trust = genuine(stratum).judged([CERN, GENUINE], NOVEMBER_2026)
    assert (trust.signature, trust.key) == (Signature.OK, td.key_of(GENUINE))


@pytest.mark.parametrize("algorithm", ["sha1", "shake128", "rmd160"])
def test_every_algorithm_of_hashes_is_followed(algorithm: str) -> None:
    hash_missing = algorithm == "rmd160" and "ripemd160" not in available()
    if hash_missing:
        pytest.skip("no RIPEMD-160 on this machine")
    trust = made(algorithm=algorithm).judged()
    assert trust.signature is Signature.OK
    assert trust.fingerprint == ours().fingerprint(algorithm)


def available() -> set[str]:
    try:
        hashlib.new("ripemd160")
    except ValueError:
        return set()
    return {"ripemd160"}


@pytest.mark.parametrize("bits", [1024, 1025, 2047, 3072])
def test_keys_of_every_size_are_followed(bits: int) -> None:
    odd = td.keys_of_size(bits)
    text = td.manifest_text(REPO, content_hash(stored := zlib.compress(odd.certificate_pem), "sha1"))
    manifest = td.signed(text, lambda digest: td.with_digest_info(odd.release_manager, digest))
    whitelist = td.signed(td.whitelist_text(odd), lambda digest: td.raw(odd.master, digest))
    assert Served(manifest, whitelist, stored).judged([public(odd)]).signature is Signature.OK


def test_any_of_several_keys_suffices_and_is_named() -> None:
    strangers = [public(td.keys(which), f"{which}.pub") for which in ("a", "b")]
    trust = made().judged([*strangers, public(ours(), "ours.pub")])
    assert trust.signature is Signature.OK
    assert trust.key is not None
    assert trust.key.name == "ours.pub"


# --- each verdict, by a fault that is properly made ---------------------------------------------------


def stranger() -> Keys:
    return td.keys("a")


def unsigned(document: bytes) -> bytes:
    return document[: document.index(b"--\n") + 3]


def forged_manifest() -> Served:
    """The manifest by a stranger's key, who leaves the certificate as it is."""
    return replace(made(), manifest=stranger().signed_manifest(td.manifest_text(REPO, x_of(made())), "sha1"))


def x_of(repository: Served) -> str:
    name = parse_manifest(repository.manifest).certificate
    assert name is not None
    return name


def by_a_stranger(repository: Served) -> Served:
    """The whitelist by a stranger's key, all else as it is."""
    return replace(repository, whitelist=stranger().signed_whitelist(td.whitelist_text(ours()), "sha1"))


FAULTS: dict[str, tuple[Callable[[], Served], Signature, str]] = {
    "whitelist not served": (
        lambda: replace(made(), whitelist=None),
        Signature.WHITELIST_MISSING,
        "the whitelist is not served",
    ),
    "whitelist a web page": (
        lambda: replace(made(), whitelist=WEB_PAGE),
        Signature.WHITELIST_INVALID,
        "whitelist: does not start with a time of 14 digits: '<!DOCTYPE HTML>'",
    ),
    "whitelist empty": (
        lambda: replace(made(), whitelist=b""),
        Signature.WHITELIST_INVALID,
        "whitelist: no '--' line, the document is cut short",
    ),
    "whitelist unsigned": (
        lambda: replace(made(), whitelist=unsigned(made().whitelist or b"")),
        Signature.WHITELIST_INVALID,
        "the whitelist is not signed",
    ),
    "whitelist edited": (
        lambda: replace(made(), whitelist=(made().whitelist or b"").replace(b"E2026", b"E2027")),
        Signature.WHITELIST_INVALID,
        "the whitelist is damaged, it does not have the hash that it states",
    ),
    "whitelist edited with its hash": (
        lambda: replace(made(), whitelist=rehashed((made().whitelist or b"").replace(b"E2026", b"E2027"))),
        Signature.WHITELIST_INVALID,
        "the whitelist is not signed by the master key",
    ),
    "whitelist by a stranger": (
        lambda: by_a_stranger(made()),
        Signature.WHITELIST_INVALID,
        "the whitelist is not signed by the master key",
    ),
    "whitelist old": (
        lambda: td.other_whitelist(expires="20260301235959"),
        Signature.WHITELIST_EXPIRED,
        "clients refuse the whitelist since 2026-03-01 23:00 UTC",
    ),
    "whitelist of another repository": (
        lambda: replace(made(), whitelist=made(repo="other.example.org").whitelist),
        Signature.NAME_MISMATCH,
        "the whitelist is that of other.example.org",
    ),
    "whitelist of another repository by a stranger": (
        lambda: replace(made(), whitelist=made(stranger(), repo="other.example.org").whitelist),
        Signature.NAME_MISMATCH,
        "the whitelist is that of other.example.org",
    ),
    "manifest of another repository": (
        lambda: replace(made(), manifest=made(repo="other.example.org").manifest),
        Signature.NAME_MISMATCH,
        "the manifest is that of other.example.org",
    ),
    "certificate not served": (
        lambda: replace(made(), certificate=None),
        Signature.CERTIFICATE_MISSING,
        "the certificate is not served",
    ),
    "certificate not named": (
        lambda: replace(made(), manifest=ours().signed_manifest(td.manifest_text(REPO, ""), "sha1")),
        Signature.CERTIFICATE_MISSING,
        "the manifest names no certificate",
    ),
    "certificate empty": (
        lambda: replace(made(), certificate=b""),
        Signature.CERTIFICATE_CORRUPT,
        "certificate: damaged, it does not have the hash that names it",
    ),
    "certificate twice": (
        lambda: replace(made(), certificate=(made().certificate or b"") * 2),
        Signature.CERTIFICATE_CORRUPT,
        "certificate: damaged, it does not have the hash that names it",
    ),
    "certificate of another repository": (
        lambda: replace(made(), certificate=made(stranger()).certificate),
        Signature.CERTIFICATE_CORRUPT,
        "certificate: damaged, it does not have the hash that names it",
    ),
    "certificate not compressed": (
        lambda: made(stored=ours().certificate_pem),
        Signature.CERTIFICATE_CORRUPT,
        "certificate: not compressed by zlib",
    ),
    "certificate cut short": (
        lambda: made(stored=zlib.compress(ours().certificate_pem)[:-8]),
        Signature.CERTIFICATE_CORRUPT,
        "certificate: cut short",
    ),
    "certificate a zlib bomb": (
        lambda: made(stored=zlib.compress(b"\0" * (64 << 20), 9)),
        Signature.CERTIFICATE_CORRUPT,
        "certificate: far too large",
    ),
    "certificate not PEM but DER": (
        lambda: made(stored=zlib.compress(td.der())),
        Signature.CERTIFICATE_CORRUPT,
        "certificate: not in PEM form",
    ),
    "certificate with damaged base64": (
        lambda: made(stored=zlib.compress(ours().certificate_pem.replace(b"MII", b"M*I", 1))),
        Signature.CERTIFICATE_CORRUPT,
        "certificate: not in PEM form, its base64 is damaged",
    ),
    "certificate damaged within": (
        lambda: made(stored=zlib.compress(td.pem(b"\x30\x03\x02\x01\x05"))),
        Signature.CERTIFICATE_CORRUPT,
        "certificate: cannot be decoded",
    ),
    "certificate not listed": (
        lambda: td.other_whitelist(listed=[stranger().fingerprint("sha1")]),
        Signature.CERTIFICATE_NOT_LISTED,
        "the whitelist does not list the certificate",
    ),
    "no certificate listed": (
        lambda: td.other_whitelist(listed=[]),
        Signature.CERTIFICATE_NOT_LISTED,
        "the whitelist does not list the certificate",
    ),
    "everything but the whitelist by a stranger": (
        lambda: replace(made(stranger()), whitelist=made().whitelist),
        Signature.CERTIFICATE_NOT_LISTED,
        "the whitelist does not list the certificate",
    ),
    "manifest unsigned": (
        lambda: replace(made(), manifest=unsigned(made().manifest)),
        Signature.MANIFEST_INVALID,
        "the manifest is not signed",
    ),
    "manifest edited": (
        lambda: replace(made(), manifest=made().manifest.replace(b"S7\n", b"S8\n")),
        Signature.MANIFEST_INVALID,
        "the manifest is damaged, it does not have the hash that it states",
    ),
    "manifest edited with its hash": (
        lambda: replace(made(), manifest=rehashed(made().manifest.replace(b"S7\n", b"S8\n"))),
        Signature.MANIFEST_INVALID,
        "the manifest is not signed by its certificate",
    ),
    "manifest by a stranger": (
        forged_manifest,
        Signature.MANIFEST_INVALID,
        "the manifest is not signed by its certificate",
    ),
}


def rehashed(document: bytes) -> bytes:
    text, _, rest = document.partition(b"--\n")
    _, _, signature = rest.partition(b"\n")
    return td.signed(text, lambda _: signature)


@pytest.mark.parametrize(("fault", "signature", "why"), FAULTS.values(), ids=FAULTS)
def test_a_fault_has_its_verdict(fault: Callable[[], Served], signature: Signature, why: str) -> None:
    trust = fault().judged()
    assert (trust.signature, trust.why) == (signature, why)
    assert trust.signature.ok is False


def test_every_bad_verdict_is_made_by_a_fault() -> None:
    made_here = {signature for _, signature, _ in FAULTS.values()}
    assert made_here == {s for s in Signature if s.ok is False} - {Signature.BLACKLISTED}


NEEDS_A_KEY = {"whitelist edited with its hash", "whitelist by a stranger"}


@pytest.mark.parametrize(
    ("fault", "signature"),
    [(fault, signature) for name, (fault, signature, _) in FAULTS.items() if name not in NEEDS_A_KEY],
    ids=[name for name in FAULTS if name not in NEEDS_A_KEY],
)
def test_without_a_key_a_fault_that_needs_none_is_found_all_the_same(
    fault: Callable[[], Served], signature: Signature
) -> None:
    assert fault().judged([]).signature is signature


@pytest.mark.parametrize("name", sorted(NEEDS_A_KEY))
def test_without_a_key_the_rest_is_not_known(name: str) -> None:
    trust = FAULTS[name][0]().judged([])
    assert (trust.signature, trust.key) == (Signature.NO_KEY, None)
    assert trust.why == "there is no master key for the repository"


def test_a_sound_repository_without_a_key_is_not_known() -> None:
    trust = made().judged([])
    assert trust.signature is Signature.NO_KEY
    assert trust.fingerprint == ours().fingerprint("sha1")


def test_a_forged_whitelist_names_no_key_and_counts_those_that_were_tried() -> None:
    trust = made().judged([public(stranger()), public(td.keys("b"))])
    assert (trust.signature, trust.key) == (Signature.WHITELIST_INVALID, None)
    assert trust.why == "the whitelist is not signed by any of the 2 master keys"
    edited = FAULTS["whitelist edited"][0]().judged()
    assert edited.key is None


# --- what was not fetched -----------------------------------------------------------------------------

NOT_FETCHED = [
    r for r in Result if r not in (Result.OK, Result.NOT_FOUND, Result.INVALID, Result.NAME_MISMATCH, Result.TOO_LARGE)
]


def chain_of(repository: Served) -> Chain:
    return Chain(
        repository.repo,
        parse_manifest(repository.manifest),
        td.reading(parse_whitelist, repository.whitelist),
        td.reading(bytes, repository.certificate),
    )


@pytest.mark.parametrize("result", NOT_FETCHED)
def test_a_document_that_could_not_be_fetched_is_no_fault(result: Result) -> None:
    whole, keys = chain_of(made()), [public(ours())]
    without_whitelist = verify(replace(whole, whitelist=Reading(result, why="slow")), keys, NOW)
    assert (without_whitelist.signature, without_whitelist.why) == (Signature.NOT_CHECKED, "whitelist: slow")
    without_certificate = verify(replace(whole, certificate=Reading(result, why="slow")), keys, NOW)
    assert (without_certificate.signature, without_certificate.why) == (Signature.NOT_CHECKED, "certificate: slow")
    assert without_certificate.key == td.key_of(keys[0])


@pytest.mark.parametrize("result", [Result.INVALID, Result.TOO_LARGE])
def test_something_else_in_the_place_of_a_document_is_a_fault(result: Result) -> None:
    # It was fetched, and clients refuse it.
    whole, keys = chain_of(made()), [public(ours())]
    bad: Reading[Any] = Reading(result, why="larger than 65536 bytes")
    assert verify(replace(whole, whitelist=bad), keys, NOW).signature is Signature.WHITELIST_INVALID
    assert verify(replace(whole, certificate=bad), keys, NOW).signature is Signature.CERTIFICATE_CORRUPT


def test_an_error_of_this_program_is_no_fault() -> None:
    ours_alone: Reading[Whitelist] = Reading(Result.INVALID, why="internal error", ours=True)
    trust = verify(replace(chain_of(made()), whitelist=ours_alone), [public(ours())], NOW)
    assert trust.signature is Signature.NOT_CHECKED


def test_a_fault_outranks_what_is_not_known_wherever_it_stands() -> None:
    slow: Reading[Any] = Reading(Result.TIMEOUT, why="slow")
    keys = [public(ours())]
    for fault, signature in [
        (FAULTS["manifest by a stranger"][0](), Signature.MANIFEST_INVALID),
        (FAULTS["certificate not served"][0](), Signature.CERTIFICATE_MISSING),
    ]:
        assert verify(replace(chain_of(fault), whitelist=slow), keys, NOW).signature is signature
    expired = chain_of(FAULTS["whitelist old"][0]())
    assert verify(replace(expired, certificate=slow), keys, NOW).signature is Signature.WHITELIST_EXPIRED


# --- which of two faults ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("two", "signature"),
    [
        (lambda: by_a_stranger(forged_manifest()), Signature.WHITELIST_INVALID),
        (lambda: replace(FAULTS["whitelist old"][0](), certificate=None), Signature.WHITELIST_EXPIRED),
        (lambda: replace(FAULTS["certificate not listed"][0](), certificate=b""), Signature.CERTIFICATE_CORRUPT),
        (lambda: replace(FAULTS["manifest edited"][0](), whitelist=None), Signature.MANIFEST_INVALID),
        (lambda: replace(FAULTS["manifest edited"][0](), certificate=None), Signature.MANIFEST_INVALID),
        (lambda: replace(forged_manifest(), whitelist=None), Signature.WHITELIST_MISSING),
    ],
)
def test_of_two_faults_damage_comes_first_then_what_is_nearer_to_the_key(
    two: Callable[[], Served], signature: Signature
) -> None:
    assert two().judged().signature is signature


# --- the blacklist ------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["sha1", "shake128"])
def test_a_blacklisted_certificate_is_refused_though_it_is_listed(algorithm: str) -> None:
    trust = made().judged(blacklist=f"# stolen\n{ours().fingerprint(algorithm)} # in March\n")
    assert (trust.signature, trust.why) == (Signature.BLACKLISTED, "the certificate is blacklisted")
    assert made().judged(blacklist=stranger().fingerprint(algorithm)).signature is Signature.OK


def test_a_blacklisted_certificate_that_is_not_listed_either_is_called_blacklisted() -> None:
    # As by clients: somebody meant it.
    unlisted = td.other_whitelist(listed=[])
    assert unlisted.judged(blacklist=ours().fingerprint("sha1")).signature is Signature.BLACKLISTED


def test_a_revision_below_the_first_allowed_is_refused() -> None:
    refused = made().judged(blacklist=f"<{REPO} 8\n")
    assert (refused.signature, refused.why) == (Signature.BLACKLISTED, "revisions before 8 are blacklisted")
    assert made().judged(blacklist=f"<{REPO} 7\n<other.example.org 9\n").signature is Signature.OK
    assert replace(made(), certificate=None).judged(blacklist=f"<{REPO} 8\n").signature is Signature.CERTIFICATE_MISSING


# --- what cannot be judged here -----------------------------------------------------------------------


def test_a_whitelist_that_another_document_signs_is_unsupported_and_nothing_more() -> None:
    pkcs7 = td.other_whitelist(flags=["Vpkcs7"], listed=[])
    assert pkcs7.judged().signature is Signature.UNSUPPORTED
    assert pkcs7.judged([]).signature is Signature.UNSUPPORTED
    assert by_a_stranger_with(["Vpkcs7"]).judged().signature is Signature.UNSUPPORTED
    unsigned_one = replace(pkcs7, whitelist=unsigned(pkcs7.whitelist or b""))
    assert unsigned_one.judged().signature is Signature.UNSUPPORTED


def by_a_stranger_with(flags: list[str]) -> Served:
    return replace(made(), whitelist=stranger().signed_whitelist(td.whitelist_text(ours(), flags=flags), "sha1"))


def test_what_clients_judge_of_such_a_whitelist_is_judged() -> None:
    flags = ["Vpkcs7"]
    assert td.other_whitelist(flags=flags, expires="20260101000000").judged().signature is Signature.WHITELIST_EXPIRED
    assert td.other_whitelist(flags=flags, repo="other.example.org").judged().signature is Signature.NAME_MISMATCH
    forged = replace(forged_manifest(), whitelist=td.other_whitelist(flags=flags).whitelist)
    assert forged.judged().signature is Signature.MANIFEST_INVALID


def test_a_demanded_chain_of_cas_is_unsupported_and_all_else_is_judged() -> None:
    trust = td.other_whitelist(flags=["Wcachain"]).judged()
    assert (trust.signature, trust.key) == (Signature.UNSUPPORTED, td.key_of(public(ours())))
    assert by_a_stranger_with(["Wcachain"]).judged().signature is Signature.WHITELIST_INVALID
    assert td.other_whitelist(flags=["Wcachain"], listed=[]).judged().signature is Signature.CERTIFICATE_NOT_LISTED


@pytest.fixture
def _no_ripemd(monkeypatch: pytest.MonkeyPatch) -> None:
    new = hashlib.new

    def without(name: str, *arguments: Any, **options: Any) -> Any:
        if name == "ripemd160":
            raise ValueError("unsupported hash type ripemd160")
        return new(name, *arguments, **options)

    monkeypatch.setattr(hashlib, "new", without)


@pytest.mark.usefixtures("_no_ripemd")
def test_a_hash_that_this_machine_lacks_is_unsupported() -> None:
    missing = "5c" * 20 + "-rmd160"
    signed_so = replace(made(), manifest=made().manifest.replace(x_of(made()).encode(), missing.encode()))
    text, _, _ = signed_so.manifest.partition(b"--\n")
    named_so = replace(made(), manifest=ours().signed_manifest(text, "sha1"))
    assert named_so.judged().signature is Signature.UNSUPPORTED
    letter = replace(made(), manifest=with_hash(made().manifest, missing))
    assert letter.judged().signature is Signature.MANIFEST_INVALID, "its signature is over another hash"
    listed_so = td.other_whitelist(listed=[missing])
    assert (listed_so.judged().signature, listed_so.judged().why) == (
        Signature.UNSUPPORTED,
        "ripemd160 is not available on this machine",
    )
    assert td.other_whitelist(listed=[missing, ours().fingerprint("sha1")]).judged().signature is Signature.OK
    assert made().judged(blacklist=missing).signature is Signature.UNSUPPORTED
    assert replace(listed_so, whitelist=None).judged().signature is Signature.WHITELIST_MISSING


def with_hash(document: bytes, digest: str) -> bytes:
    text, _, rest = document.partition(b"--\n")
    return text + b"--\n" + digest.encode() + b"\n" + rest.partition(b"\n")[2]


def test_a_certificate_with_another_kind_of_key_is_unsupported() -> None:
    # Clients leave the kind to OpenSSL, so that it may well be good for them.
    elliptic = td.with_certificate(ours(), td.certificate(ec.generate_private_key(ec.SECP256R1())))
    assert made(elliptic).judged().signature is Signature.UNSUPPORTED
    nobody_lists_it = replace(made(elliptic), whitelist=made().whitelist)
    assert nobody_lists_it.judged().signature is Signature.CERTIFICATE_NOT_LISTED


# --- the two forms of a signature ---------------------------------------------------------------------


def test_a_whitelist_signature_with_a_digest_info_is_refused() -> None:
    text = td.whitelist_text(ours())
    wrong = td.signed(text, lambda digest: td.with_digest_info(ours().master, digest))
    assert replace(made(), whitelist=wrong).judged().signature is Signature.WHITELIST_INVALID
    right = td.signed(text, lambda digest: td.raw(ours().master, digest))
    assert replace(made(), whitelist=right).judged().signature is Signature.OK


MORE: dict[str, Callable[[bytes], bytes]] = {
    "a byte before": lambda digest: b"x" + digest,
    "a line end after": lambda digest: digest + b"\n",
    "a byte less": lambda digest: digest[:-1],
}


@pytest.mark.parametrize("change", MORE.values(), ids=MORE)
def test_a_whitelist_signature_that_holds_not_quite_the_hash_is_refused(change: Callable[[bytes], bytes]) -> None:
    wrong = td.signed(td.whitelist_text(ours()), lambda digest: td.raw(ours().master, change(digest)))
    assert replace(made(), whitelist=wrong).judged().signature is Signature.WHITELIST_INVALID


def test_a_manifest_signature_without_a_digest_info_is_refused() -> None:
    text = td.manifest_text(REPO, x_of(made()))
    wrong = td.signed(text, lambda digest: td.raw(ours().release_manager, digest))
    assert replace(made(), manifest=wrong).judged().signature is Signature.MANIFEST_INVALID
    bare = td.signed(text, lambda d: td.raw(ours().release_manager, hashlib.sha1(d, usedforsecurity=False).digest()))
    assert replace(made(), manifest=bare).judged().signature is Signature.MANIFEST_INVALID
    right = td.signed(text, lambda digest: td.with_digest_info(ours().release_manager, digest))
    assert replace(made(), manifest=right).judged().signature is Signature.OK


def test_the_digest_of_a_manifest_signature_is_sha1_also_with_other_hashes() -> None:
    text = td.manifest_text(REPO, x_of(SHAKE))
    info = bytes.fromhex("3031300d060960864801650304020105000420")  # SHA-256
    wrong = td.signed(
        text, lambda digest: td.raw(ours().release_manager, info + hashlib.sha256(digest).digest()), "shake128"
    )
    assert replace(SHAKE, manifest=wrong).judged().signature is Signature.MANIFEST_INVALID


SIZES: dict[str, Callable[[bytes], bytes]] = {
    "one byte more": lambda s: s + b"\0",
    "a line end more": lambda s: s + b"\n",
    "a zero byte before": lambda s: b"\0" + s,
    "one byte less": lambda s: s[:-1],
    "the first byte less": lambda s: s[1:],
    "one byte alone": lambda s: s[:1],
    "twice": lambda s: s * 2,
    "zeros": lambda s: bytes(len(s)),
    "ones": lambda s: b"\xff" * len(s),
    "a megabyte": lambda s: s * 4096,
}


@pytest.mark.parametrize("change", SIZES.values(), ids=SIZES)
def test_a_signature_of_another_size_is_refused(change: Callable[[bytes], bytes]) -> None:
    whole = chain_of(made())
    for document, signature in (
        (whole.manifest, Signature.MANIFEST_INVALID),
        (whole.whitelist.value, Signature.WHITELIST_INVALID),
    ):
        assert document is not None
        assert document.letter is not None
        letter = replace(document.letter, signature=change(document.letter.signature))
        changed: Manifest | Whitelist = replace(document, letter=letter)
        chain = (
            replace(whole, manifest=changed)
            if isinstance(changed, Manifest)
            else replace(whole, whitelist=Reading(Result.OK, changed))
        )
        assert verify(chain, [public(ours())], NOW).signature is signature


def test_leading_zero_bytes_may_be_missing_in_a_whitelist_but_not_in_a_manifest() -> None:
    # For the one clients call RSA_public_decrypt, which allows it, for the other EVP_VerifyFinal, which does not.
    odd = td.keys_of_size(1025)  # so that half of all signatures begin with a zero byte
    stored = zlib.compress(odd.certificate_pem)
    sound = Served(manifest_with_zero(stored), whitelist_with_zero(), stored)
    keys = [public(odd)]
    assert sound.judged(keys).signature is Signature.OK
    assert replace(sound, whitelist=without_zero(sound.whitelist or b"")).judged(keys).signature is Signature.OK
    assert replace(sound, manifest=without_zero(sound.manifest)).judged(keys).signature is Signature.MANIFEST_INVALID


def manifest_with_zero(stored: bytes) -> bytes:
    odd = td.keys_of_size(1025)
    text = td.manifest_text(REPO, content_hash(stored, "sha1"))
    return first_with_zero(
        td.signed(text + b"Z%d\n" % n, lambda d: td.with_digest_info(odd.release_manager, d)) for n in range(99)
    )


def whitelist_with_zero() -> bytes:
    odd = td.keys_of_size(1025)
    text = td.whitelist_text(odd)
    return first_with_zero(td.signed(text + b"#%d\n" % n, lambda d: td.raw(odd.master, d)) for n in range(99))


def first_with_zero(documents: Iterator[bytes]) -> bytes:
    return next(document for document in documents if signature_of(document)[0] == 0)


def without_zero(document: bytes) -> bytes:
    signature = signature_of(document)
    return document.removesuffix(signature) + signature.lstrip(b"\0")


def signature_of(document: bytes) -> bytes:
    return document.partition(b"--\n")[2].partition(b"\n")[2]


# --- every byte ---------------------------------------------------------------------------------------


def refused(repository: Served, keys: list[Any], now: datetime) -> bool:
    try:
        return repository.judged(keys, now).signature.ok is False
    except ParseError:
        return True


def changes(document: bytes) -> Iterator[bytes]:
    for at, byte in enumerate(document):
        head, tail = document[:at], document[at + 1 :]
        for other in {byte ^ 1 << at % 8, (byte + 77) % 256, byte ^ 0x20}:
            yield head + bytes((other,)) + tail
        yield head + tail
        yield head + bytes((byte, byte)) + tail


EVERY_BYTE = {"atlas, sha1": (atlas(), [CERN], JUNE_2015), "made, shake128": (SHAKE, [public(ours())], NOW)}


@pytest.mark.parametrize(("repository", "keys", "now"), EVERY_BYTE.values(), ids=EVERY_BYTE)
def test_a_change_of_any_byte_of_the_manifest_is_refused(repository: Served, keys: list[Any], now: datetime) -> None:
    assert repository.judged(keys, now).signature is Signature.OK
    for changed in changes(repository.manifest):
        assert refused(replace(repository, manifest=changed), keys, now), changed


@pytest.mark.parametrize(("repository", "keys", "now"), EVERY_BYTE.values(), ids=EVERY_BYTE)
def test_a_change_of_any_byte_of_the_whitelist_is_refused(repository: Served, keys: list[Any], now: datetime) -> None:
    assert repository.whitelist is not None
    for changed in changes(repository.whitelist):
        assert refused(replace(repository, whitelist=changed), keys, now), changed


@pytest.mark.parametrize(("repository", "keys", "now"), EVERY_BYTE.values(), ids=EVERY_BYTE)
def test_a_change_of_any_byte_of_the_certificate_is_refused(repository: Served, keys: list[Any], now: datetime) -> None:
    assert repository.certificate is not None
    for changed in changes(repository.certificate):
        trust = replace(repository, certificate=changed).judged(keys, now)
        assert trust.signature is Signature.CERTIFICATE_CORRUPT


# --- documents of other repositories and other times --------------------------------------------------


@pytest.mark.parametrize("document", ["manifest", "whitelist", "certificate"])
def test_documents_swapped_between_repositories_are_refused(document: str) -> None:
    here, there = atlas(), genuine("stratum0")
    for one, other in ((here, there), (there, here)):
        swapped = td.with_document(one, document, getattr(other, document))
        assert swapped.judged([CERN, GENUINE], JUNE_2015).signature.ok is False


def test_a_whole_repository_under_the_name_of_another_is_refused() -> None:
    assert replace(atlas(), repo="cms.cern.ch").judged([CERN], JUNE_2015).signature is Signature.NAME_MISMATCH


def test_an_older_whitelist_that_is_still_valid_is_accepted() -> None:
    # A replica has the one of its last snapshot.
    new, old = made(), td.other_whitelist(expires="20260303000000")
    assert new.judged().signature is Signature.OK
    assert old.judged().signature is Signature.OK
    assert old.judged(now=NOW + timedelta(days=1)).signature is Signature.WHITELIST_EXPIRED


def test_names_are_compared_exactly() -> None:
    assert td.other_whitelist(repo=REPO.upper()).judged().signature is Signature.NAME_MISMATCH
    assert td.other_whitelist(repo="").judged().why == "the whitelist is that of no repository"


# --- any bytes ----------------------------------------------------------------------------------------


DOCUMENTS = (atlas(), SHAKE, made())


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_documents_are_never_accepted_and_never_raise(data: st.DataObject) -> None:
    one = data.draw(st.sampled_from(DOCUMENTS))
    document = data.draw(st.sampled_from(["manifest", "whitelist", "certificate"]))
    before = getattr(one, document)
    after = data.draw(damaged(before) | st.binary(max_size=400))
    try:
        trust = td.with_document(one, document, after).judged([CERN, public(ours())], JUNE_2015)
    except ParseError:
        assert document == "manifest"
        return
    td.told(trust)
    assert (trust.signature is Signature.OK) is (after == before)


# --- where the certificate lies -----------------------------------------------------------------------


def test_the_certificate_lies_among_the_objects() -> None:
    assert certificate_path(parse_manifest(genuine("stratum0").manifest)) == (
        "data/75/62b6d9b533e94427247a0118ce9f0335d6f347X"
    )
    shake = parse_manifest(SHAKE.manifest)
    assert certificate_path(shake) == f"data/{x_of(SHAKE)[:2]}/{x_of(SHAKE)[2:]}X"
    assert x_of(SHAKE).endswith("-shake128")


def test_an_alternative_path_is_beside_the_manifest() -> None:
    manifest = replace(parse_manifest(SHAKE.manifest), alternative_path=True)
    assert certificate_path(manifest) == f".cvmfsalt-{x_of(SHAKE)}X"


def test_a_manifest_that_names_no_certificate_has_no_path() -> None:
    assert certificate_path(replace(parse_manifest(SHAKE.manifest), certificate=None)) is None


# --- what it costs ------------------------------------------------------------------------------------


def test_a_thousand_chains_are_judged() -> None:
    chain, keys = chain_of(genuine("stratum0")), [GENUINE]
    started = time.process_time()
    verdicts = {verify(chain, keys, NOVEMBER_2026).signature for _ in range(1000)}
    print(f"1000 chains: {time.process_time() - started:.3f} s of CPU time")  # noqa: T201
    assert verdicts == {Signature.OK}
