"""Telegraf's own parser, as other tests use it."""

from pathlib import Path

import pytest

from tests.programs.telegraf import Rejected, Texts, parse

GOOD = 'cvmfs_repo,fleet=eessi,role=stratum1,server=a health=0i,problem="a \\"b\\"",took=1.5 1795365805000000000'


def test_good_lines_become_metrics_in_their_order(telegraf: Path) -> None:
    second = GOOD.replace("server=a", "server=b")
    assert parse(telegraf, f"{GOOD}\n{second}\n") == [GOOD, second]


def test_blank_lines_and_comments_are_no_metrics(telegraf: Path) -> None:
    assert parse(telegraf, f"# generated\n\n{GOOD}\n") == [GOOD]


@pytest.mark.parametrize(
    "line",
    [
        "cvmfs_repo,server= up=1i",
        "cvmfs_repo,server=a up=NaN",
        "cvmfs_repo,server=a up=inf",
        "cvmfs_repo,server=a",
        'cvmfs_repo,server=a problem="a\\b"',
        "cvmfs_repo,server=a\\ up=1i",
        "cvmfs_repo,server=a up=01i",
        "W! a message on the wrong stream",
    ],
)
def test_one_bad_line_costs_the_whole_text(telegraf: Path, line: str) -> None:
    with pytest.raises(Rejected, match=r"could not parse .*2:\d+"):
        parse(telegraf, f"{GOOD}\n{line}\n{GOOD}\n")


def test_every_text_that_is_thrown_away_is_named_with_its_test(telegraf: Path, tmp_path: Path) -> None:
    texts = Texts()
    for text in (GOOD, "bad", GOOD, "worse"):
        texts.add(text)
    with pytest.raises(Rejected) as why:
        texts.parse(telegraf, tmp_path)
    first, second = sorted(str(why.value).splitlines())
    assert "/0001-" in first
    assert "test_every_text_that_is_thrown_away" in first
    assert "/0003-" in second


def test_texts_that_are_all_good_pass(telegraf: Path, tmp_path: Path, telegraf_parses: Texts) -> None:
    telegraf_parses.add(GOOD)
    texts = Texts()
    texts.parse(telegraf, tmp_path)
    texts.add(f"{GOOD}\n{GOOD}")
    texts.add("")
    texts.parse(telegraf, tmp_path)
