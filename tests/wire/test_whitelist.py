from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telegraf_cvmfs.model import ParseError
from telegraf_cvmfs.wire.whitelist import parse_whitelist
from tests.builders.documents import WEB_PAGE, damaged, served, survives

ATLAS = served("atlas.cern.ch/.cvmfswhitelist")
GENUINE = served("genuine/stratum1b/.cvmfswhitelist")
HEAD = "20240101000000\nE20240131103045\nNx.example\n"
PAIRS = "9A:C3:7D:9E:C5:EB:CF:C8:92:EF:1D:7C:DB:56:DC:9C:83:9A:15:71"
PLAIN = "9ac37d9ec5ebcfc892ef1d7cdb56dc9c839a1571"


def fingerprints(*lines: str) -> tuple[str, ...]:
    return parse_whitelist((HEAD + "".join(f"{line}\n" for line in lines) + "--\n").encode("latin-1")).fingerprints


def test_a_genuine_whitelist_of_2015_is_read() -> None:
    whitelist = parse_whitelist(ATLAS)
    assert whitelist.expires == datetime(2015, 7, 4, 9, 55, 27, tzinfo=UTC)
    assert whitelist.repository == "atlas.cern.ch"
    assert whitelist.fingerprints == (
        PLAIN,
        "c12c2f7bb68e82cf508a1d2b055f141b69e644e4",
        "ea7415e5f5a4347d79373788336a1e0dd0a41825",
    )
    assert whitelist.flags == ()
    assert whitelist.letter is not None
    assert whitelist.letter.digest == "65a356874792" + "60c90d38e4e114dbc345fde90bbb"


def test_a_genuine_whitelist_of_today_is_read() -> None:
    whitelist = parse_whitelist(GENUINE)
    assert whitelist.expires == datetime.fromtimestamp(2106554460, UTC)
    assert whitelist.repository == "main.genuine.example"
    assert whitelist.fingerprints == ("fda719ff0a9fbedd1f35894e27b606f444e321eb",)


def test_clients_refuse_it_from_the_start_of_the_hour_stated() -> None:
    assert parse_whitelist(ATLAS).refused_from == datetime(2015, 7, 4, 9, tzinfo=UTC)


def test_without_a_signature_it_is_read_but_is_no_letter() -> None:
    whitelist = parse_whitelist((HEAD + PAIRS + "\n--\n").encode())
    assert (whitelist.letter, whitelist.fingerprints) == (None, (PLAIN,))


@pytest.mark.parametrize(
    "line",
    [
        PAIRS,
        PAIRS.lower(),
        PLAIN,
        PLAIN.upper(),
        PAIRS + " # somebody",
        PAIRS + "\tsomebody",
        PAIRS + "#somebody",
        PAIRS + " caf\xe9 \x00",
    ],
    ids=ascii,
)
def test_a_fingerprint_is_normalised_and_its_comment_dropped(line: str) -> None:
    assert fingerprints(line) == (PLAIN,)


@pytest.mark.parametrize("suffix", ["-SHAKE128", "-RMD160", "-shake128", "-Rmd160"])
def test_a_fingerprint_keeps_its_algorithm(suffix: str) -> None:
    assert fingerprints(PAIRS + suffix + " # somebody") == (PLAIN + suffix.lower(),)


@pytest.mark.parametrize(
    "line", ["", "# somebody", " " + PAIRS, PAIRS[:-1], PAIRS + ":00", PAIRS + "-SHA256", PAIRS + "\r", "Vpkcs9"]
)
def test_a_line_that_is_no_fingerprint_is_skipped(line: str) -> None:
    assert fingerprints(line, PAIRS, line) == (PLAIN,)


@pytest.mark.parametrize(
    ("lines", "flags"),
    [
        ("Vpkcs7\n", ("pkcs7",)),
        ("Wcachain\n", ("cachain",)),
        ("Vpkcs7\nWcachain\n", ("pkcs7", "cachain")),
        ("Wcachain\nVpkcs7\n", ("cachain",)),
        ("", ()),
    ],
)
def test_flags_stand_in_their_order_after_the_name(lines: str, flags: tuple[str, ...]) -> None:
    whitelist = parse_whitelist((HEAD + lines + PAIRS + "\n--\n").encode())
    assert (whitelist.flags, whitelist.fingerprints) == (flags, (PLAIN,))


def test_a_flag_after_a_fingerprint_is_not_seen_by_clients_either() -> None:
    assert parse_whitelist((HEAD + PAIRS + "\nWcachain\n--\n").encode()).flags == ()


def test_no_name_is_left_to_those_who_compare_names() -> None:
    whitelist = parse_whitelist(HEAD.replace("Nx.example\n", PAIRS + "\n").encode() + b"--\n")
    assert (whitelist.repository, whitelist.fingerprints) == (None, (PLAIN,))


def test_a_name_that_could_break_the_output_is_an_error() -> None:
    with pytest.raises(ParseError, match=r"^whitelist: N is not a repository name: 'a\\x1b\[31m'$"):
        parse_whitelist(HEAD.replace("x.example", "a\x1b[31m").encode() + b"--\n")


def test_of_the_first_line_only_the_length_counts() -> None:
    assert parse_whitelist(b"x" * 14 + HEAD[14:].encode() + b"--\n").repository == "x.example"
    with pytest.raises(ParseError, match="does not start with a time of 14 digits: '2024010100000'"):
        parse_whitelist(HEAD.replace("20240101000000", "2024010100000").encode() + b"--\n")


@pytest.mark.parametrize(
    "line",
    [
        "E20241331103045",
        "E20240230103045",
        "E20240131243045",
        "E20240131106045",
        "E20240131103060",
        "E00000131103045",
        "E2024013110304",
        "E202401311030451",
        "20240131103045",
        "F20240131103045",
        "E2024013110304\xb2",
        "E20240131103045\r",
        "E-0240131103045",
        "",
    ],
    ids=ascii,
)
def test_an_expiry_that_is_no_date_is_an_error(line: str) -> None:
    body = HEAD.replace("E20240131103045", line).encode("latin-1") + b"--\n"
    with pytest.raises(ParseError, match=r"^whitelist: the second line is not an expiry date: '"):
        parse_whitelist(body)


def test_one_line_is_an_error() -> None:
    with pytest.raises(ParseError, match="second line"):
        parse_whitelist(b"20240101000000\n--\n")


def test_two_lines_are_a_whitelist_for_nobody() -> None:
    whitelist = parse_whitelist(b"20240101000000\nE20240131103045\n--\n")
    assert (whitelist.repository, whitelist.fingerprints) == (None, ())


def test_a_whitelist_without_dashes_is_cut_short() -> None:
    with pytest.raises(ParseError, match=r"^whitelist: no '--' line"):
        parse_whitelist(HEAD.encode())


def test_a_web_page_is_no_whitelist() -> None:
    with pytest.raises(ParseError):
        parse_whitelist(WEB_PAGE)


def test_every_prefix_is_refused_until_all_fields_are_there() -> None:
    whole = parse_whitelist(ATLAS)
    dashes = ATLAS.index(b"\n--\n") + len(b"\n--\n")
    for cut in range(dashes):
        with pytest.raises(ParseError):
            parse_whitelist(ATLAS[:cut])
    for cut in range(dashes, len(ATLAS)):
        part = parse_whitelist(ATLAS[:cut])
        assert (part.expires, part.fingerprints) == (whole.expires, whole.fingerprints)
        assert part.letter != whole.letter


@settings(deadline=None, max_examples=300)
@given(damaged(ATLAS) | damaged(GENUINE))
def test_no_damage_does_anything_but_a_parse_error(body: bytes) -> None:
    survives(parse_whitelist, body)


@settings(deadline=None)
@given(st.binary() | st.binary().map(lambda text: text + b"\n--\n"))
def test_no_bytes_do_anything_but_a_parse_error(body: bytes) -> None:
    survives(parse_whitelist, body)
