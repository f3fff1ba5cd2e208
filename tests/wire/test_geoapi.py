from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraf_cvmfs.model import GeoAPI, ParseError
from telegraf_cvmfs.wire.geoapi import geo_path, judge_order, parse_order, question
from tests.builders.documents import WEB_PAGE, served, survives

RECORDED: list[dict[str, Any]] = [json.loads(line) for line in served("genuine/geoapi.jsonl").splitlines()]
ANSWERED = [pair for pair in RECORDED if pair["status"] == 200]
REFUSED = [pair for pair in RECORDED if pair["status"] != 200]


def asked(pair: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
    origin, _, hosts = pair["path"].partition("?")[0].partition("/geo/")[2].partition("/")
    return origin, tuple(host for host in hosts.split(",") if host != "+PXYSEP+")


@pytest.mark.parametrize("pair", ANSWERED, ids=[pair["note"] for pair in ANSWERED])
def test_a_genuine_answer_is_an_order_of_what_was_asked(pair: dict[str, Any]) -> None:
    separator = "+PXYSEP+" in pair["path"]
    order = parse_order(pair["body"].encode(), len(asked(pair)[1]) + separator)
    assert ",".join(map(str, order)) + "\n" == pair["body"]


@pytest.mark.parametrize("pair", REFUSED, ids=[pair["note"] for pair in REFUSED])
def test_a_genuine_refusal_is_no_order_even_if_its_status_were_lost(pair: dict[str, Any]) -> None:
    with pytest.raises(ParseError, match=r"^geoapi: not an order of servers: '"):
        parse_order(pair["body"].encode(), 2)


def test_a_genuine_answer_to_the_question_with_own_servers_passes() -> None:
    """Two hosts lie at the very same place: the one that is asked for first comes first, so it is the origin."""
    (tied,) = (pair for pair in ANSWERED if pair["note"] == "two hosts at the very same place")
    origin, hosts = asked(tied)
    own = GeoAPI(servers=hosts)
    assert question(own) == (origin, hosts)
    assert tied["path"] == geo_path("/cvmfs/main.genuine.example", *question(own))
    assert judge_order(parse_order(tied["body"].encode(), len(hosts)), own)


def test_an_origin_that_does_not_come_first_is_a_wrong_answer() -> None:
    own = GeoAPI(servers=("a.example", "b.example", "c.example"))
    assert judge_order((1, 3, 2), own)
    assert not judge_order((2, 1, 3), own)


def test_the_question_is_cvmfs_servermons_by_default() -> None:
    assert geo_path("http://s1.example/cvmfs/x.example", *question(GeoAPI())) == (
        "http://s1.example/cvmfs/x.example/api/v1.0/geo/cvmfs-stratum-one.cern.ch/"
        "cvmfs-s1fnal.opensciencegrid.org,cvmfs-stratum-one.cern.ch,cvmfs-stratum-one.ihep.ac.cn"
    )
    assert judge_order((2, 1, 3), GeoAPI())
    assert not judge_order((1, 2, 3), GeoAPI())
    assert not judge_order((2, 3, 1), GeoAPI())


@pytest.mark.parametrize("body", [b"2,1,3\n", b"2,1,3", b" 2, 1 ,3\n\n"], ids=repr)
def test_spaces_and_the_last_newline_do_not_matter(body: bytes) -> None:
    assert parse_order(body, 3) == (2, 1, 3)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n",
        b"2,1",
        b"2,1,3,4",
        b"1,1,3",
        b"0,1,2",
        b"2,1,4",
        b"2,1,3,",
        b",2,1,3",
        b"2,,1,3",
        b"2 1 3",
        b"2;1;3",
        b"2,1,3\r\n",
        b"-1,2,3",
        b"+1,2,3",
        b"1.0,2,3",
        b"\xb2,1,3",
        "\u0661,2,3".encode(),
        b"1,2,3\x00",
        b"1" * 100_000,
        b"1," * 50_000,
        WEB_PAGE,
        b"Bad Request: remote addr not found in database\n",
    ],
    ids=lambda body: repr(body[:20]),
)
def test_anything_else_is_no_order(body: bytes) -> None:
    with pytest.raises(ParseError, match=r"^geoapi: not an order of ") as caught:
        parse_order(body, 3)
    assert len(str(caught.value)) < 250


@given(st.permutations(range(1, 12)))
def test_every_permutation_is_an_order(order: list[int]) -> None:
    assert parse_order(",".join(map(str, order)).encode(), 11) == tuple(order)


@given(st.binary() | st.text("0123456789, \n").map(str.encode), st.integers(0, 4))
def test_no_bytes_do_anything_but_a_parse_error(body: bytes, count: int) -> None:
    survives(lambda body: parse_order(body, count), body)
