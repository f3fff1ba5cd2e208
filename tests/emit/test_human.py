from __future__ import annotations

import io
import re
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta, timezone
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from telegraf_cvmfs.command.progress import progress
from telegraf_cvmfs.emit.human import render
from telegraf_cvmfs.emit.phrases import size
from telegraf_cvmfs.emit.view import View
from telegraf_cvmfs.model import (
    FINDINGS,
    Health,
    Manifest,
    Reading,
    ReplicaVerdict,
    Result,
    Role,
    Run,
    Server,
    ServerVerdict,
    Snapshotting,
    Status,
    Whitelist,
)
from telegraf_cvmfs.words.duration import in_words
from tests.builders.runs import (
    MANIFEST,
    NOW,
    S0,
    S1,
    S1_NL,
    down,
    down_server,
    finding,
    missed,
    ok,
    replica,
    run,
    server,
)

EACH = View(each=True)
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
LATE: dict[str, Any] = {"revisions_behind": 3, "lag": timedelta(hours=27, minutes=5)}
OLD = finding("snapshot_old", Health.CRITICAL, "the last snapshot ended 1d 3h ago")
LAGGING = finding("lagging", Health.WARNING, "3 revisions behind stratum0.tld")


def snapshot(age: timedelta) -> Reading[Status]:
    return ok(Status(last_snapshot=NOW - age))


def manifest(revision: int, age: timedelta, octets: int = 57344) -> Reading[Manifest]:
    return ok(replace(MANIFEST, revision=revision, published=NOW - age, root_size=octets))


def source(repo: str, revision: int = 6, age: timedelta = timedelta(hours=2)) -> ReplicaVerdict:
    return replica(repo, on=S0, manifest=manifest(revision, age), status=missed(), is_reference=True)


def fresh(repo: str, on: Server, minutes: int, revision: int = 6) -> ReplicaVerdict:
    return replica(repo, on=on, revision=revision, status=snapshot(timedelta(minutes=minutes)), revisions_behind=0)


def late(repo: str, on: Server) -> ReplicaVerdict:
    return replica(
        repo,
        on=on,
        manifest=manifest(1231, timedelta(days=2, hours=4)),
        status=snapshot(timedelta(hours=27)),
        whitelist=ok(Whitelist(NOW.replace(minute=0, second=0, microsecond=0) + timedelta(days=12, hours=3))),
        findings=[OLD, LAGGING],
        **LATE,
    )


def troubled() -> Run:
    return run(
        server(S0, source("atlas.cern.ch", 1234), source("dev.eessi.io"), source("software.eessi.io")),
        server(
            S1,
            late("atlas.cern.ch", S1),
            fresh("dev.eessi.io", S1, 5),
            fresh("software.eessi.io", S1, 7),
            findings=[finding("geodb_old", Health.WARNING, "its database of places is 41 days old")],
        ),
        down_server(S1_NL, down("atlas.cern.ch", on=S1_NL), down("dev.eessi.io", on=S1_NL)),
        fleet="eessi",
    )


def columns(page: str) -> list[str]:
    """The lines of the last section, each without the spaces that align it."""
    return [re.sub(r" {2,}", " | ", line) for line in page.rsplit("\n\n", maxsplit=1)[-1].splitlines()]


def plain(*parts: ReplicaVerdict | ServerVerdict) -> list[str]:
    """The lines about repositories."""
    return columns(render(run(*parts)))


def each(*parts: ReplicaVerdict | ServerVerdict) -> list[str]:
    """The lines about repositories, with each replica by itself."""
    return columns(render(run(*parts), EACH))


def test_a_healthy_fleet_takes_one_line_for_each_repository() -> None:
    healthy = run(
        *(source("software.eessi.io"), source("dev.eessi.io", 1234)),
        *(fresh("software.eessi.io", S1, 5), fresh("dev.eessi.io", S1, 7, 1234)),
        *(fresh("software.eessi.io", S1_NL, 14), fresh("dev.eessi.io", S1_NL, 7, 1234)),
        fleet="eessi",
    )
    assert render(healthy) == dedent("""\
        ok           fleet     2 of 2 repositories served by all
                     run       eessi, 2026-11-22 12:00:00 UTC, took 1.5s
                     servers   3 of 3 up
                     replicas  6 ok

        ok           stratum0.tld     stratum0  replicas: 2 ok
        ok           stratum1-no.tld  stratum1  replicas: 2 ok
        ok           stratum1-nl.tld  stratum1  replicas: 2 ok

        ok           dev.eessi.io       by all 2  rev 1234, published 2h ago, snapshots 7m ago
        ok           software.eessi.io  by all 2  rev 6, published 2h ago, snapshots 5m to 14m ago
        """)


def test_what_is_wrong_is_told_once_for_each_cause() -> None:
    assert render(troubled()) == dedent("""\
        critical     fleet     1 of 3 repositories served by all, 1 by 1 of 2, 1 by 0 of 2
                     run       eessi, 2026-11-22 12:00:00 UTC, took 1.5s
                     servers   2 of 3 up
                     replicas  1 critical, 2 unknown, 5 ok

        critical     stratum1-no.tld  stratum1  replicas: 1 critical, 2 ok
        critical     stratum1-nl.tld  stratum1  not up; replicas: 2 unknown
        ok           stratum0.tld     stratum0  replicas: 3 ok

        critical     stratum1-nl.tld  server_down: stratum1-nl.tld does not answer
        critical     stratum1-no.tld  snapshot_old on atlas.cern.ch: the last snapshot ended 1d 3h ago
        warning      clients          redundancy on atlas.cern.ch: served as it should be by only 0 of 2 stratum 1s: not by stratum1-no.tld
        warning      stratum1-no.tld  geodb_old: its database of places is 41 days old
        warning      stratum1-no.tld  lagging on atlas.cern.ch: 3 revisions behind stratum0.tld
        unknown      clients          redundancy on dev.eessi.io: not known whether enough servers serve it: 1 of 2 stratum 1s surely, unknown of stratum1-nl.tld

        warning      atlas.cern.ch      by 0 of 2  rev 1234, published 2h ago; critical on stratum1-no.tld; unknown on stratum1-nl.tld
        unknown      dev.eessi.io       by 1 of 2  rev 6, published 2h ago, snapshot 5m ago; unknown on stratum1-nl.tld
        ok           software.eessi.io  by 1 of 1  rev 6, published 2h ago, snapshot 7m ago
        """)


def test_each_replica_can_be_seen_by_itself() -> None:
    assert render(troubled(), EACH).split("\n\n")[3] == dedent("""\
        warning      atlas.cern.ch      by 0 of 2        rev 1234 on stratum0.tld, published 2h ago
        critical     atlas.cern.ch      stratum1-no.tld  rev 1231, 3 behind, lag 1d 3h, published 2d 4h ago, snapshot 1d 3h ago, whitelist 12d 2h left, root catalog 56.0 KiB
        critical     atlas.cern.ch      stratum1-no.tld  snapshot_old: the last snapshot ended 1d 3h ago
        warning      atlas.cern.ch      stratum1-no.tld  lagging: 3 revisions behind stratum0.tld
        unknown      atlas.cern.ch      stratum1-nl.tld  not read: timeout, no answer
        ok           atlas.cern.ch      stratum0.tld     rev 1234, source, published 2h ago, whitelist 29d 23h left, root catalog 56.0 KiB
        unknown      dev.eessi.io       by 1 of 2        rev 6 on stratum0.tld, published 2h ago
        unknown      dev.eessi.io       stratum1-nl.tld  not read: timeout, no answer
        ok           dev.eessi.io       stratum0.tld     rev 6, source, published 2h ago, whitelist 29d 23h left, root catalog 56.0 KiB
        ok           dev.eessi.io       stratum1-no.tld  rev 6, published 2h ago, snapshot 5m ago, whitelist 29d 23h left, root catalog 56.0 KiB
        ok           software.eessi.io  by 1 of 1        rev 6 on stratum0.tld, published 2h ago
        ok           software.eessi.io  stratum0.tld     rev 6, source, published 2h ago, whitelist 29d 23h left, root catalog 56.0 KiB
        ok           software.eessi.io  stratum1-no.tld  rev 6, published 2h ago, snapshot 7m ago, whitelist 29d 23h left, root catalog 56.0 KiB
        """)


def test_for_a_terminal_the_rows_of_a_repository_leave_out_its_name() -> None:
    page = render(troubled(), View(each=True, width=200))
    assert page.split("\n\n")[3].splitlines()[:5] == [
        "warning      atlas.cern.ch      by 0 of 2        rev 1234 on stratum0.tld, published 2h ago",
        "  critical     stratum1-no.tld  rev 1231, 3 behind, lag 1d 3h, published 2d 4h ago, snapshot 1d 3h ago, whitelist 12d 2h left, root catalog 56.0 KiB",
        "    critical     snapshot_old: the last snapshot ended 1d 3h ago",
        "    warning      lagging: 3 revisions behind stratum0.tld",
        "  unknown      stratum1-nl.tld  not read: timeout, no answer",
    ]


def test_a_line_that_is_too_long_for_the_terminal_goes_on_below_its_text() -> None:
    page = render(troubled(), View(width=80))
    assert page.split("\n\n")[3] == dedent("""\
        warning      atlas.cern.ch      by 0 of 2  rev 1234, published 2h ago; critical
                                                   on stratum1-no.tld; unknown on
                                                   stratum1-nl.tld
        unknown      dev.eessi.io       by 1 of 2  rev 6, published 2h ago, snapshot 5m
                                                   ago; unknown on stratum1-nl.tld
        ok           software.eessi.io  by 1 of 1  rev 6, published 2h ago, snapshot 7m
                                                   ago
        """)


def test_on_a_narrow_terminal_the_text_stands_below_the_names() -> None:
    page = render(troubled(), View(width=40))
    assert page.split("\n\n")[2].splitlines()[:4] == [
        "critical     stratum1-nl.tld",
        "    server_down: stratum1-nl.tld does",
        "    not answer",
        "critical     stratum1-no.tld",
    ]


WIDE = server(Server("http://w", "\N{CJK UNIFIED IDEOGRAPH-5927}" * 30, Role.STRATUM1), findings=[finding("x" * 200)])


@pytest.mark.parametrize("width", [20, 33, 40, 66, 80, 132])
@pytest.mark.parametrize("each", [False, True])
def test_no_line_is_wider_than_the_terminal(width: int, *, each: bool) -> None:
    seen = replace(troubled(), servers=(*troubled().servers, WIDE))
    page = render(seen, View(each=each, width=width, colour=True))
    assert max(cell_len(line) for line in ESCAPE.sub("", page).splitlines()) <= width


def test_colours_repeat_the_words_and_a_pipe_has_none() -> None:
    page = render(troubled(), View(colour=True, width=200))
    coloured = re.findall(r"\x1b\[([0-9;]*3[0-9])m(\S+) *\x1b\[0m", page)
    assert set(coloured) == {*(("1;31", "critical"), ("1;33", "warning"), ("1;35", "unknown"), ("32", "ok"))}
    assert "\x1b" not in render(troubled())


@pytest.mark.parametrize("view", [View(), View(colour=True, width=90)])
def test_the_page_depends_on_no_environment(monkeypatch: pytest.MonkeyPatch, view: View) -> None:
    before = render(troubled(), view)
    strange = {"COLUMNS": "20", "LINES": "3", "NO_COLOR": "1", "FORCE_COLOR": "1", "TERM": "dumb"}
    strange |= {
        "COLORTERM": "truecolor",
        "JUPYTER_COLUMNS": "9",
        "TTY_COMPATIBLE": "1",
        "TTY_INTERACTIVE": "1",
    }
    for name, value in strange.items():
        monkeypatch.setenv(name, value)
    assert render(troubled(), view) == before


def test_the_worst_repository_comes_first_then_the_name_decides() -> None:
    healths = {
        "e.tld": Health.OK,
        "b.tld": Health.OK,
        "c.tld": Health.UNKNOWN,
        "a.tld": Health.WARNING,
        "d.tld": Health.CRITICAL,
    }
    parts = [replica(repo, health=health) for repo, health in healths.items()]
    lines = plain(*parts, replica("0.tld", pass_through=True))
    assert list(dict.fromkeys(line.split(" | ")[1] for line in lines)) == [
        *("d.tld", "c.tld", "a.tld", "b.tld", "e.tld", "0.tld")  # a.tld is warned of and served all the same
    ]


def test_the_worst_replica_stands_below_the_heading() -> None:
    lines = each(
        fresh("repo.tld", S0, 1),
        replica(on=S1, health=Health.WARNING),
        replica(on=S1_NL, health=Health.CRITICAL),
    )
    assert [line.split(" | ")[2] for line in lines] == [
        *("by 1 of 2", "stratum1-nl.tld", "stratum1-no.tld", "stratum0.tld")
    ]


def test_the_heading_tells_the_reference_even_if_a_replica_is_ahead() -> None:
    ahead = replica(on=S1, revision=8, health=Health.WARNING, revisions_behind=-2)
    heading = "ok | repo.tld | by 1 of 1 | rev 6 on stratum0.tld, published 2h ago"
    assert each(source("repo.tld"), ahead)[0] == heading


def test_a_fleet_without_servers_says_so() -> None:
    assert render(run()) == dedent("""\
        unknown      fleet     no repository known
                     run       cvmfs, 2026-11-22 12:00:00 UTC, took 1.5s
                     servers   none to ask
                     replicas  none known
        """)


def test_a_fleet_that_is_down_reads_well() -> None:
    gone = run(down_server(S1, down()), down_server(S1_NL, down(on=S1_NL)))
    assert render(gone) == dedent("""\
        critical     fleet     0 of 1 repository served by all, 1 by 0 of 2
                     run       cvmfs, 2026-11-22 12:00:00 UTC, took 1.5s
                     servers   0 of 2 up
                     replicas  2 unknown

        critical     stratum1-no.tld  stratum1  not up; replicas: 1 unknown
        critical     stratum1-nl.tld  stratum1  not up; replicas: 1 unknown

        critical     stratum1-no.tld  server_down: stratum1-no.tld does not answer
        critical     stratum1-nl.tld  server_down: stratum1-nl.tld does not answer
        unknown      clients          redundancy on repo.tld: not known whether enough servers serve it: 0 of 2 stratum 1s surely, unknown of stratum1-no.tld, stratum1-nl.tld

        unknown      repo.tld  by 0 of 2  no revision known; unknown on stratum1-no.tld, stratum1-nl.tld
        """)


def test_a_server_without_a_verdict_says_why() -> None:
    unasked = replace(server(S1, listing=Reading()), health=Health.UNKNOWN)
    text = render(run(unasked))
    assert "unknown      stratum1-no.tld  list not read: the run ended first\n" in text


def test_a_run_out_of_time_says_so_and_calls_no_server_down_for_it() -> None:
    unread: Reading[Manifest] = Reading()
    verdict = replica(manifest=unread, health=Health.UNKNOWN)
    unasked = replace(server(S1, verdict, listing=Reading()), health=Health.UNKNOWN)
    text = render(run(unasked, deadline_hit=True, duration=timedelta(seconds=75)))
    assert "warning      time      the run's time was up before everything was read\n" in text
    assert "unknown      stratum1-no.tld  not read on repo.tld: the run ended first\n" in text
    assert "took 75.0s\n" in text
    assert "server down" not in text


def test_the_time_is_utc() -> None:
    moved = run(started=NOW.astimezone(timezone(timedelta(hours=5, minutes=30))))
    assert "2026-11-22 12:00:00 UTC" in render(moved)


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        (replica(health=Health.UNKNOWN, status=missed(Result.TIMEOUT)), "status not read: timeout"),
        (
            replica(health=Health.UNKNOWN, whitelist=missed(Result.HTTP_ERROR)),
            "whitelist not read: http error",
        ),
        (replica(health=Health.UNKNOWN, manifest=missed(Result.TIMEOUT, "silent for 5 s")), "silent for 5 s"),
        (replica(health=Health.CRITICAL, manifest=missed(Result.NAME_MISMATCH)), "not read: name mismatch"),
        (replica(health=Health.WARNING, revisions_behind=-2), "rev 6, 2 ahead"),
        (replica(health=Health.CRITICAL, diverged=True), "diverged"),
        (replica(health=Health.CRITICAL, is_reference=True, lag=timedelta(0)), "rev 6, reference"),
        (replica(health=Health.CRITICAL, is_reference=True), "rev 6, nothing to compare with"),
        (replica(health=Health.CRITICAL, is_reference=True, on=S0), "rev 6, source"),
        (replica(health=Health.WARNING, alias="pub/repo"), "served as pub/repo"),
        (
            replica(health=Health.WARNING, snapshotting=ok(Snapshotting(NOW - timedelta(hours=26)))),
            "snapshot running for 1d 2h",
        ),
        (replica(health=Health.WARNING, snapshotting=ok(Snapshotting(None))), "snapshot running"),
        (
            replica(health=Health.CRITICAL, whitelist=ok(Whitelist(NOW + timedelta(minutes=30)))),
            "whitelist refused for 0s",
        ),
        (replica(health=Health.WARNING, manifest=manifest(6, -timedelta(hours=1))), "published 0s ago"),
    ],
)
def test_what_is_known_of_an_unwell_replica_is_said(verdict: ReplicaVerdict, said: str) -> None:
    assert f", {said}, " in f", {each(verdict)[1].split(' | ')[3]}, "


def test_what_is_not_known_is_not_mentioned() -> None:
    bare = replace(MANIFEST, published=None, root_size=None)
    verdict = replica(health=Health.WARNING, manifest=ok(bare), status=missed(), whitelist=missed())
    assert each(verdict)[1] == "warning | repo.tld | stratum1-no.tld | rev 6"


def test_a_small_lag_among_the_healthy_is_told() -> None:
    behind = replica(on=S1, revision=4, revisions_behind=2, lag=timedelta(minutes=7), status=missed())
    behind_nl = replica(on=S1_NL, revision=5, revisions_behind=1, lag=timedelta(minutes=3), status=missed())
    assert plain(source("repo.tld"), behind) == [
        "ok | repo.tld | by 1 of 1 | rev 6, published 2h ago, stratum1-no.tld 2 behind (lag 7m)"
    ]
    assert plain(source("repo.tld"), replica(on=S1, revision=5, revisions_behind=1, status=missed())) == [
        "ok | repo.tld | by 1 of 1 | rev 6, published 2h ago, stratum1-no.tld 1 behind"
    ]
    assert plain(source("repo.tld"), behind, behind_nl) == [
        "ok | repo.tld | by all 2 | rev 6, published 2h ago, 2 servers up to 2 behind (lag 7m)"
    ]


def test_pass_through_replicas_are_told_apart() -> None:
    passing = replica(on=S1_NL, pass_through=True, revision=5)
    assert plain(source("repo.tld"), passing)[0].endswith("; not judged on stratum1-nl.tld")
    assert plain(passing) == [
        "not judged | repo.tld | not judged | rev 5, published 2h ago; not judged on stratum1-nl.tld"
    ]


def test_a_long_list_of_silent_servers_is_cut() -> None:
    strata = [Server(f"http://s{number}.tld", f"s{number}.tld", Role.STRATUM1) for number in range(7)]
    text = render(run(source("repo.tld"), *(down_server(one, down(on=one)) for one in strata)))
    assert "; unknown on s0.tld, s1.tld, s2.tld, s3.tld and 3 more\n" in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *((0, "0s"), (59.9, "59s"), (60, "1m"), (3599, "59m"), (3600, "1h"), (11520, "3h 12m")),
        *((86400, "1d"), (187200, "2d 4h"), (-300, "5m"), (400 * 86400 + 3600, "400d 1h")),
    ],
)
def test_durations_have_two_units_at_most(seconds: float, text: str) -> None:
    assert in_words(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        *((0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (57344, "56.0 KiB"), (75834368, "72.3 MiB")),
        *((2**64 - 1, "15.9 EiB"), (2**2000, f"{2**1940}.0 EiB")),
    ],
)
def test_sizes_have_binary_units(octets: int, text: str) -> None:
    assert size(octets) == text


def test_markup_and_emoji_codes_are_only_text() -> None:
    sentence = "[bold red]not[/bold red] :warning: [link=http://tld]\\[x]"
    for view in (View(), View(colour=True, width=200)):
        assert sentence in render(run(replica(findings=[finding("x", problem=sentence)])), view)


@given(st.text(min_size=1), st.text(), st.text(), st.booleans(), st.booleans())
def test_no_text_steers_the_terminal_or_breaks_a_line(
    repo: str, host: str, said: str, colour: bool, each: bool
) -> None:
    hostile = Server("http://tld", host, Role.STRATUM1)
    verdict = replica(repo, on=hostile, alias=said, findings=[finding("x", problem=said)])
    where = server(hostile, verdict, findings=[finding("y", problem=said)])
    page = render(run(where, fleet=said), View(each=each, colour=colour))
    assert page.endswith("\n")
    assert len(page.splitlines()) == 11 + each
    assert all(character.isprintable() or character == "\n" for character in ESCAPE.sub("", page))


def test_escape_sequences_and_directions_are_replaced() -> None:
    hostile = "a\x1b[2Jb\x9bc\u202ed\ud800e\nf\tg\x7f"
    text = render(run(replica(findings=[finding("x", problem=hostile)])))
    assert "x on repo.tld: a?[2Jb?c?d?e f g?\n" in text


def test_endless_text_is_cut_and_moves_no_other_line() -> None:
    text = render(run(replica("r" * 5000), replica("b.tld", findings=[finding("x", problem="p" * 5000)])))
    assert max(map(len, text.splitlines())) < 800
    assert "r..." in text
    assert "p..." in text


def many(count: int, replicas: Callable[[Server, str], ReplicaVerdict]) -> list[ServerVerdict]:
    """So many stratum 1s with 125 repositories each."""
    strata = [Server(f"http://s{n}", f"cvmfs-s1-{n:02}.example.org", Role.STRATUM1) for n in range(count)]
    repos = [f"repository-{n:03}.example.org" for n in range(125)]
    return [server(one, *(replicas(one, repo) for repo in repos)) for one in strata]


def stale_in_part(on: Server, repo: str) -> ReplicaVerdict:
    """A healthy replica, but for 60 repositories of one server."""
    number = int(repo[11:14])
    if not on.name.startswith("cvmfs-s1-07") or number >= 60:
        return fresh(repo, on, 5 + number % 7)
    age = timedelta(hours=30, minutes=number)
    ages = [finding("snapshot_old", Health.CRITICAL, f"the last snapshot was {in_words(age)} ago")]
    return replica(repo, on=on, status=snapshot(age), findings=[*ages, finding("lagging"), finding("gc_old")], **LATE)


def test_fifteen_servers_with_125_repositories_and_one_stale_server_fit_one_screen() -> None:
    page = render(run(*many(15, stale_in_part)), View(width=80))
    assert len(page.splitlines()) <= 50
    assert page.startswith("critical     fleet     65 of 125 repositories served by all, 60 by 14 of 15\n")
    assert "critical     cvmfs-s1-07.example.org  stratum1  replicas: 60 critical, 65 ok\n" in page
    assert "critical cvmfs-s1-07.example.org snapshot_old on 60 repositories: " in " ".join(page.split())


def test_everything_broken_on_fifteen_servers_is_told_once() -> None:
    slugs = ("snapshot_old", "lagging", "gc_old", "whitelist", "signature", "diverged", "check_failed")
    ill = [finding(slug, Health.CRITICAL) for slug in slugs]
    page = render(run(*many(15, lambda on, repo: replica(repo, on=on, findings=ill))))
    first, *rest = page.split("\n\n")[2].splitlines()
    assert first.startswith("critical     clients     redundancy on 125 repositories: ")
    assert [" ".join(line.split()[:4]) for line in rest] == [
        f"critical 15 servers {slug}" for slug in FINDINGS if slug in slugs
    ]
    assert len(page.splitlines()) == 4 + 1 + 15 + 1 + 1 + len(slugs) + 1 + 1


def test_servers_that_have_the_same_stand_together_and_are_named() -> None:
    expired = [finding("whitelist", Health.CRITICAL, "it expired 2d ago")]
    page = render(run(*(replica(on=on, findings=expired) for on in (S1, S1_NL)), replica("b.tld", on=S1)))
    line = "critical     2 servers  whitelist on repo.tld: it expired 2d ago (stratum1-no.tld, stratum1-nl.tld)\n"
    assert line in page


def test_of_many_servers_those_that_are_well_share_a_line() -> None:
    page = render(run(*many(30, stale_in_part)))
    assert page.split("\n\n")[1] == dedent("""\
        critical     cvmfs-s1-07.example.org  stratum1  replicas: 60 critical, 65 ok
        ok           29 servers                         replicas: 3625 ok""")


def test_a_view_narrows_what_is_shown_and_not_what_is_said_of_the_fleet() -> None:
    page = render(troubled(), View(servers=("stratum1-no.tld",), only=("atlas*",)))
    assert page == dedent("""\
        critical     fleet     1 of 3 repositories served by all, 1 by 1 of 2, 1 by 0 of 2
                     run       eessi, 2026-11-22 12:00:00 UTC, took 1.5s
                     servers   2 of 3 up
                     replicas  1 critical, 2 unknown, 5 ok
                     shown     1 of 3 servers, 1 of 3 repositories

        critical     stratum1-no.tld  stratum1  replicas: 1 critical

        critical     stratum1-no.tld  snapshot_old on atlas.cern.ch: the last snapshot ended 1d 3h ago
        warning      clients          redundancy on atlas.cern.ch: served as it should be by only 0 of 2 stratum 1s: not by stratum1-no.tld
        warning      stratum1-no.tld  geodb_old: its database of places is 41 days old
        warning      stratum1-no.tld  lagging on atlas.cern.ch: 3 revisions behind stratum0.tld

        warning      atlas.cern.ch  by 0 of 2  rev 1231, published 2d 4h ago; critical on stratum1-no.tld
        """)


# --- the bar ------------------------------------------------------------------------------------------


def watched(servers: list[str], known: int, *, threads: int = 1) -> str:
    """What a terminal gets while so many repositories become known of each server, and are read."""
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100, _environ={"TERM": "xterm"})
    with progress(console) as moved:

        def visit(names: list[str]) -> None:
            for name in names:
                moved(name, 0, known)
                for _ in range(known):
                    moved(name, 1, 0)

        visits = [threading.Thread(target=visit, args=(servers[n::threads],)) for n in range(threads)]
        for one in visits:
            one.start()
        for one in visits:
            one.join()
    return screen.getvalue()


def test_progress_counts_the_repositories_of_all_threads() -> None:
    assert "120/120" in watched([f"s{number}.tld" for number in range(40)], 3, threads=40)


def test_progress_names_servers_as_text_only() -> None:
    assert "[red]s1?[2J.tld" in watched(["[red]s1\x1b[2J.tld"], 1)


def test_progress_leaves_nothing_behind() -> None:
    assert watched(["s1.tld"], 1).endswith("\x1b[1A\x1b[2K")


def test_progress_keeps_off_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=100, _environ={"TERM": "xterm"})
    with progress(console) as moved:
        moved("s1.tld", 1, 1)
        print("cvmfs_repo up=1i")  # noqa: T201
    assert capsys.readouterr().out == "cvmfs_repo up=1i\n"


def test_a_run_that_a_signal_ended_says_which_and_nothing_of_its_time() -> None:
    text = render(run(server(S1), interrupted="SIGTERM"))
    assert "warning      time      SIGTERM ended the run before everything was read\n" in text
    assert "time was up" not in text
