from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telegraf_cvmfs.model import Manifest, ParseError
from telegraf_cvmfs.wire.manifest import parse_manifest
from tests.builders.documents import WEB_PAGE, damaged, served, survives

ATLAS = served("atlas.cern.ch/.cvmfspublished")
GENUINE = served("genuine/stratum0/.cvmfspublished")
EMPTY = "d41d8cd98f00b204e9800998ecf8427e"
SHA1 = "044206fcff4545283aaa452b80edfd5d8c740b20"
REQUIRED = {"C": SHA1, "R": EMPTY, "D": "240", "S": "6"}


def written(**values: str | None) -> bytes:
    lines = [key + value for key, value in (REQUIRED | values).items() if value is not None]
    return "".join(f"{line}\n" for line in [*lines, "--"]).encode("latin-1")


def test_a_genuine_manifest_of_2015_is_read_whole() -> None:
    manifest = parse_manifest(ATLAS)
    assert dataclasses.replace(manifest, letter=None) == Manifest(
        root_catalog=SHA1,
        root_path_hash=EMPTY,
        ttl=timedelta(minutes=15),
        revision=8722,
        root_size=75834368,
        repository="atlas.cern.ch",
        published=datetime(2015, 6, 10, 12, 2, 30, tzinfo=UTC),
        certificate="0b457ac12225018e0a15330364c20529e15012ab",
        history="50c37f5517aea2ce9a22c3f17a7056a4f60e7d07",
    )
    assert manifest.letter is not None
    assert manifest.letter.digest == "e7d58bfaaf75e9b725aa23c3a666daffd6351b8f"


@pytest.mark.parametrize(
    ("stratum", "revision", "published", "root"),
    [
        ("stratum0", 6, 1795204800, "ad63925919767c7f48c7a9c7542b39c8a99ed8a7"),
        ("stratum1a", 6, 1795204800, "ad63925919767c7f48c7a9c7542b39c8a99ed8a7"),
        ("stratum1b", 3, 1792681201, "235c170d66a42e2ce92dd2e7f82c9b014766966b"),
    ],
)
def test_genuine_manifests_of_today_are_read(stratum: str, revision: int, published: int, root: str) -> None:
    manifest = parse_manifest(served(f"genuine/{stratum}/.cvmfspublished"))
    assert (manifest.revision, manifest.root_catalog, manifest.root_size) == (revision, root, 57344)
    assert manifest.published == datetime.fromtimestamp(published, UTC)
    assert (manifest.repository, manifest.ttl) == ("main.genuine.example", timedelta(seconds=240))
    assert not manifest.garbage_collectable
    assert not manifest.alternative_path
    assert manifest.letter is not None


def test_four_lines_are_enough_and_no_signature_is_no_letter() -> None:
    assert parse_manifest(written()) == Manifest(SHA1, EMPTY, timedelta(seconds=240), 6)


@pytest.mark.parametrize("key", "CRDS")
def test_a_required_line_that_is_missing_is_named(key: str) -> None:
    with pytest.raises(ParseError, match=f"^manifest: no {key} line$"):
        parse_manifest(written(**{key: None}))


def test_all_required_lines_that_are_missing_are_named() -> None:
    with pytest.raises(ParseError, match=r"^manifest: no C, R, D, S line$"):
        parse_manifest(b"Nx\n--\n")


@pytest.mark.parametrize("line", [b"V2.2.0", b"Zone", b"q", b"\xffz", b"-", b"", b"ZZ\nZb", b"0123"], ids=repr)
def test_unknown_letters_and_empty_lines_are_skipped(line: bytes) -> None:
    assert parse_manifest(line + b"\n" + written()) == parse_manifest(written())


def test_the_order_of_the_lines_is_free() -> None:
    text = b"".join(reversed(written().removesuffix(b"--\n").splitlines(keepends=True)))
    assert parse_manifest(text + b"--\n") == parse_manifest(written())


def test_the_last_of_equal_letters_counts_and_the_others_are_not_even_read() -> None:
    assert parse_manifest(b"S5\nSgarbage\n" + written(S="7")).revision == 7


@pytest.mark.parametrize("suffix", ["", "-rmd160", "-shake128"])
@pytest.mark.parametrize(
    ("key", "field"),
    [
        ("C", "root_catalog"),
        ("X", "certificate"),
        ("H", "history"),
        ("M", "metainfo"),
        ("Y", "reflog_checksum"),
        ("L", "micro_catalog"),
    ],
)
def test_hashes_of_every_algorithm_are_kept_as_written(key: str, field: str, suffix: str) -> None:
    assert getattr(parse_manifest(written(**{key: SHA1 + suffix})), field) == SHA1 + suffix


@pytest.mark.parametrize("key", "XHMYL")
def test_an_empty_hash_is_none_and_a_broken_one_is_an_error(key: str) -> None:
    assert parse_manifest(written(**{key: ""})) == parse_manifest(written())
    with pytest.raises(ParseError, match=f"^manifest: {key} is not a content hash: 'xyz'$"):
        parse_manifest(written(**{key: "xyz"}))


@pytest.mark.parametrize("value", ["", SHA1[1:], SHA1.upper(), "d41d8cd98f00b204e9800998ecf8427e"])
def test_a_broken_root_hash_is_an_error(value: str) -> None:
    with pytest.raises(ParseError, match=r"^manifest: C is not a content hash"):
        parse_manifest(written(C=value))


def test_a_manifest_of_another_root_path_is_refused_as_clients_do() -> None:
    with pytest.raises(ParseError, match=r"^manifest: R is not the hash of the root path"):
        parse_manifest(written(R="0" * 32))


@pytest.mark.parametrize("key", "SDBT")
@pytest.mark.parametrize("value", ["", "x", "-1", "+1", " 1", "1 ", "0x1", "1e3", "1.0", "1_0", "\xb2", "9" * 5000])
def test_a_broken_number_is_an_error_and_not_zero(key: str, value: str) -> None:
    with pytest.raises(ParseError, match=f"^manifest: {key} is not a number: '"):
        parse_manifest(written(**{key: value}))


def test_numbers_reach_as_far_as_those_of_cernvm_fs() -> None:
    manifest = parse_manifest(written(S=str(2**64 - 1), B=str(2**64 - 1), D=str(2**32 - 1)))
    assert (manifest.revision, manifest.root_size) == (2**64 - 1, 2**64 - 1)
    assert manifest.ttl == timedelta(seconds=2**32 - 1)


@pytest.mark.parametrize(("key", "value"), [("S", 2**64), ("B", 2**64), ("D", 2**32)])
def test_and_no_further(key: str, value: int) -> None:
    with pytest.raises(ParseError, match=f"^manifest: {key} is too large: {value}$"):
        parse_manifest(written(**{key: str(value)}))


def test_a_time_of_zero_is_no_time() -> None:
    assert parse_manifest(written(T="0")).published is None
    assert parse_manifest(written()).published is None


def test_a_time_after_the_year_9999_is_an_error() -> None:
    assert parse_manifest(written(T="253402300799")).published == datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    with pytest.raises(ParseError, match=r"^manifest: T is too large for a time: 253402300800$"):
        parse_manifest(written(T="253402300800"))


def test_a_root_catalog_of_unknown_size_is_not_an_empty_one() -> None:
    assert parse_manifest(written()).root_size is None
    assert parse_manifest(written(B="0")).root_size == 0


@pytest.mark.parametrize(("text", "meant"), [("yes", True), ("no", False), ("", False)])
def test_only_yes_is_yes(text: str, meant: bool) -> None:
    manifest = parse_manifest(written(G=text, A=text))
    assert (manifest.garbage_collectable, manifest.alternative_path) == (meant, meant)
    assert manifest.unreadable == ()


@pytest.mark.parametrize("text", ["Yes", "1", "true", "maybe", "yes "])
def test_what_is_neither_yes_nor_no_is_named_and_not_known_but_clients_take_it_for_no(text: str) -> None:
    manifest = parse_manifest(written(G=text, A=text))
    assert (manifest.garbage_collectable, manifest.alternative_path) == (None, False)
    assert manifest.unreadable == (("G", f"G is not understood: '{text}'"), ("A", f"A is not understood: '{text}'"))


@pytest.mark.parametrize("name", ["a b", "caf\xe9", "a\x00b", "a\x1b[31m", "x" * 256])
def test_a_name_that_could_break_the_output_is_an_error(name: str) -> None:
    with pytest.raises(ParseError, match=r"^manifest: N is not a repository name: '") as caught:
        parse_manifest(written(N=name))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 100


def test_an_empty_name_is_none() -> None:
    assert parse_manifest(written(N="")).repository is None


def test_windows_line_ends_are_an_error() -> None:
    with pytest.raises(ParseError):
        parse_manifest(ATLAS.replace(b"\n", b"\r\n", 9))


def test_a_web_page_is_no_manifest() -> None:
    with pytest.raises(ParseError):
        parse_manifest(WEB_PAGE)


def test_every_prefix_is_refused_until_all_fields_are_there() -> None:
    whole = parse_manifest(GENUINE)
    dashes = GENUINE.index(b"\n--\n") + len(b"\n--\n")
    for cut in range(dashes):
        with pytest.raises(ParseError):
            parse_manifest(GENUINE[:cut])
    for cut in range(dashes, len(GENUINE)):
        part = parse_manifest(GENUINE[:cut])
        assert dataclasses.replace(part, letter=whole.letter) == whole
        assert part.letter != whole.letter


@settings(deadline=None, max_examples=300)
@given(damaged(GENUINE) | damaged(ATLAS))
def test_no_damage_does_anything_but_a_parse_error(body: bytes) -> None:
    survives(parse_manifest, body)


@settings(deadline=None)
@given(st.binary() | st.binary().map(lambda text: text + b"\n--\n"))
def test_no_bytes_do_anything_but_a_parse_error(body: bytes) -> None:
    survives(parse_manifest, body)
