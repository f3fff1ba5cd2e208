from __future__ import annotations

import hashlib
from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraf_cvmfs.model import Letter, ParseError
from telegraf_cvmfs.wire import letter
from telegraf_cvmfs.wire.letter import (
    UnsupportedHashError,
    content_hash,
    digest,
    object_path,
    repository_name,
    split,
)
from tests.builders.documents import STRATA, served

SHA1 = "044206fcff4545283aaa452b80edfd5d8c740b20"
GENUINE = [f"genuine/{stratum}" for stratum in STRATA]


@pytest.mark.parametrize("document", [".cvmfspublished", ".cvmfswhitelist"])
@pytest.mark.parametrize("origin", ["atlas.cern.ch", *GENUINE])
def test_the_hash_of_a_genuine_letter_is_that_of_its_text(origin: str, document: str) -> None:
    body = served(f"{origin}/{document}")
    text, found = split(body, "document")
    assert found is not None
    assert found.text == text
    assert digest(text, like=found.digest) == found.digest
    assert len(found.signature) == 256
    assert body == text + b"--\n" + found.digest.encode() + b"\n" + found.signature


def test_the_text_keeps_its_last_newline() -> None:
    assert split(b"a\nb\n--\n" + SHA1.encode() + b"\nsig", "x")[0] == b"a\nb\n"


def test_the_first_separator_counts_and_the_signature_may_hold_others() -> None:
    signature = b"\n--\n" + SHA1.encode() + b"\n\x00\xff\n--\n"
    body = b"a\n--\n" + SHA1.encode() + b"\n" + signature
    assert split(body, "x") == (b"a\n", Letter(b"a\n", SHA1, signature))


@pytest.mark.parametrize("suffix", ["", "-rmd160", "-shake128"])
def test_the_hash_line_may_be_of_any_algorithm(suffix: str) -> None:
    found = split(f"a\n--\n{SHA1}{suffix}\nsig".encode(), "x")[1]
    assert found == Letter(b"a\n", SHA1 + suffix, b"sig")


@pytest.mark.parametrize(
    "rest",
    [b"", b"\n", SHA1.encode(), SHA1.encode() + b"\n", SHA1[:39].encode() + b"\nsig", b"\nsig", b"\xff\nsig"],
    ids=repr,
)
def test_a_text_without_hash_or_signature_is_read_but_is_no_letter(rest: bytes) -> None:
    assert split(b"a\n--\n" + rest, "x") == (b"a\n", None)


@pytest.mark.parametrize("body", [b"", b"a\n", b"a\n--", b"a--\n", b"a\n-- \n", b"a\r\n--\r\n"], ids=repr)
def test_a_document_without_dashes_is_cut_short(body: bytes) -> None:
    with pytest.raises(ParseError, match=r"^manifest: no '--' line, the document is cut short$"):
        split(body, "manifest")


def test_a_refusal_has_the_document_and_what_is_wrong_apart_from_each_other() -> None:
    with pytest.raises(ParseError) as caught:
        split(b"", "whitelist")
    assert (caught.value.document, caught.value.why) == ("whitelist", "no '--' line, the document is cut short")
    assert str(caught.value) == f"{caught.value.document}: {caught.value.why}"


def test_dashes_on_the_first_line_leave_no_text() -> None:
    with pytest.raises(ParseError, match="no text before"):
        split(b"--\na\n--\n", "manifest")


def test_lines_end_at_newlines_only_and_keep_every_byte() -> None:
    every = bytes(byte for byte in range(256) if byte != 10)
    assert letter.lines(every + b"\n\nb\n") == [every.decode("latin-1"), "", "b"]


@pytest.mark.parametrize("text", [SHA1, SHA1 + "-rmd160", SHA1 + "-shake128"])
def test_a_content_hash_is_its_text(text: str) -> None:
    assert content_hash(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        SHA1[:39],
        SHA1 + "0",
        SHA1 + "\n",
        SHA1 + "\r",
        " " + SHA1,
        SHA1.upper(),
        SHA1 + "-sha256",
        SHA1 + "-SHAKE128",
        "d41d8cd98f00b204e9800998ecf8427e",
        "g" * 40,
        "\u0660" * 40,
        "\ud800" * 40,
    ],
    ids=ascii,
)
def test_what_is_no_content_hash_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a content hash: '") as caught:
        content_hash(text)
    assert str(caught.value).isprintable()


def test_the_hash_of_nothing_is_known_for_each_algorithm() -> None:
    assert digest(b"", like=SHA1) == "da39a3ee5e6b4b0d3255bfef95601890afd80709"
    assert digest(b"", SHA1 + "-shake128") == "7f9c2ba4e88f827d616045507605853ed73b8093-shake128"
    try:
        assert digest(b"", SHA1 + "-rmd160") == "9c1185a5c5e9fc54612808977ee8f548b2258d31-rmd160"
    except UnsupportedHashError:
        assert "ripemd160" not in hashlib.algorithms_available


def test_a_hash_that_the_machine_cannot_compute_is_not_taken_for_a_wrong_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise ValueError("unsupported hash type ripemd160")

    monkeypatch.setattr(hashlib, "new", refuse)
    with pytest.raises(UnsupportedHashError, match="ripemd160 is not available"):
        digest(b"", SHA1 + "-rmd160")
    assert digest(b"", SHA1 + "-shake128").endswith("-shake128")


def test_no_hash_is_like_something_that_is_none() -> None:
    with pytest.raises(ValueError, match="is not a content hash"):
        digest(b"", like="sha1")


def test_the_algorithm_stands_before_the_letter_of_the_object() -> None:
    name = "5cb926b5e4e44b3b1e8ec1a5d7a6a8f4f5f0fb3f-shake128"
    assert object_path(name, "C") == "data/5c/b926b5e4e44b3b1e8ec1a5d7a6a8f4f5f0fb3f-shake128C"
    assert object_path(SHA1) == "data/04/4206fcff4545283aaa452b80edfd5d8c740b20"


def test_a_genuine_object_hashes_to_its_name_as_it_is_stored() -> None:
    name = "0b457ac12225018e0a15330364c20529e15012ab"
    assert digest(served("atlas.cern.ch/certificate.X.zlib"), like=name) == name


@pytest.mark.parametrize("text", ["a b", "a\r", "a\x00", "\xe9", "a" * 256, " "], ids=ascii)
def test_a_name_of_odd_characters_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a repository name"):
        repository_name(text)


def test_an_empty_name_is_none() -> None:
    assert repository_name("") is None
    assert repository_name("atlas.cern.ch") == "atlas.cern.ch"


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_a_letter_is_cut_at_the_first_dashes_and_nowhere_else(text: bytes, rest: bytes) -> None:
    body = b"C\n" + text.replace(b"-", b"") + b"\n--\n" + rest
    assert split(body, "x")[0] == b"C\n" + text.replace(b"-", b"") + b"\n"
