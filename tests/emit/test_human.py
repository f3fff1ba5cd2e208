from __future__ import annotations

import io
import re
import threading
from dataclasses import replace
from datetime import timedelta, timezone
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from telegraf_cvmfs.command.progress import progress
from telegraf_cvmfs.emit.human import render
from telegraf_cvmfs.emit.phrases import size
from telegraf_cvmfs.model import (
    Health,
    Manifest,
    Reading,
    ReplicaVerdict,
    Result,
    Role,
    Run,
    Server,
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


def plain(*parts: ReplicaVerdict) -> list[str]:
    """The lines about repositories, each without the spaces that align it."""
    return [re.sub(r" {2,}", " | ", line) for line in render(run(*parts)).split("\n\n")[-1].splitlines()]


def test_a_healthy_fleet_takes_one_line_for_each_repository() -> None:
    healthy = run(
        *(source("software.eessi.io"), source("dev.eessi.io", 1234)),
        *(fresh("software.eessi.io", S1, 5), fresh("dev.eessi.io", S1, 7, 1234)),
        *(fresh("software.eessi.io", S1_NL, 14), fresh("dev.eessi.io", S1_NL, 7, 1234)),
        fleet="eessi",
    )
    assert render(healthy) == dedent("""\
        ok          fleet         eessi, 2026-11-22 12:00:00 UTC, took 1.5s
                    servers       3 of 3 up
                    repositories  2: 2 ok
                    replicas      6: 6 ok

        ok          dev.eessi.io       3 servers  rev 1234, published 2h ago, snapshots 7m ago
        ok          software.eessi.io  3 servers  rev 6, published 2h ago, snapshots 5m to 14m ago
        """)


def test_for_a_pipe_each_line_names_its_repository_and_server() -> None:
    assert render(troubled()) == dedent("""\
        critical    fleet         eessi, 2026-11-22 12:00:00 UTC, took 1.5s
                    servers       2 of 3 up
                    repositories  3: 1 critical, 1 unknown, 1 ok
                    replicas      8: 1 critical, 2 unknown, 5 ok

        critical    stratum1-nl.tld  stratum1  server_down: stratum1-nl.tld does not answer
        warning     stratum1-no.tld  stratum1  geodb_old: its database of places is 41 days old

        critical    atlas.cern.ch      3 servers        1 critical, 1 unknown, 1 ok; rev 1234 on stratum0.tld, published 2h ago
        critical    atlas.cern.ch      stratum1-no.tld  rev 1231, 3 behind, lag 1d 3h, published 2d 4h ago, snapshot 1d 3h ago, whitelist 12d 2h left, root catalog 56.0 KiB
        critical    atlas.cern.ch      stratum1-no.tld  snapshot_old: the last snapshot ended 1d 3h ago
        warning     atlas.cern.ch      stratum1-no.tld  lagging: 3 revisions behind stratum0.tld
        ok          atlas.cern.ch      stratum0.tld     rev 1234, published 2h ago
        unknown     atlas.cern.ch      stratum1-nl.tld  not read: server down
        unknown     dev.eessi.io       3 servers        rev 6, published 2h ago, snapshot 5m ago; stratum1-nl.tld not read: server down
        ok          software.eessi.io  2 servers        rev 6, published 2h ago, snapshot 7m ago
        """)


def test_for_a_terminal_the_same_rows_are_grouped() -> None:
    page = ESCAPE.sub("", render(troubled(), terminal=True))
    assert page.split("\n\n")[2] == dedent("""\
        critical    atlas.cern.ch      3 servers        1 critical, 1 unknown, 1 ok; rev 1234 on stratum0.tld, published 2h ago
          critical    stratum1-no.tld  rev 1231, 3 behind, lag 1d 3h, published 2d 4h ago, snapshot 1d 3h ago, whitelist 12d 2h left, root catalog 56.0 KiB
            critical    snapshot_old: the last snapshot ended 1d 3h ago
            warning     lagging: 3 revisions behind stratum0.tld
          ok          stratum0.tld     rev 1234, published 2h ago
          unknown     stratum1-nl.tld  not read: server down
        unknown     dev.eessi.io       3 servers        rev 6, published 2h ago, snapshot 5m ago; stratum1-nl.tld not read: server down
        ok          software.eessi.io  2 servers        rev 6, published 2h ago, snapshot 7m ago
        """)


def test_colours_repeat_the_words_and_a_pipe_has_none() -> None:
    page = render(troubled(), terminal=True)
    coloured = re.findall(r"\x1b\[([0-9;]*3[0-9])m(\S+) *\x1b\[0m", page)
    assert set(coloured) == {*(("1;31", "critical"), ("1;33", "warning"), ("1;35", "unknown"), ("32", "ok"))}
    assert "\x1b" not in render(troubled())


@pytest.mark.parametrize("terminal", [False, True])
def test_the_page_depends_on_no_environment(monkeypatch: pytest.MonkeyPatch, *, terminal: bool) -> None:
    before = render(troubled(), terminal=terminal)
    strange = {"COLUMNS": "20", "LINES": "3", "NO_COLOR": "1", "FORCE_COLOR": "1", "TERM": "dumb"}
    strange |= {
        "COLORTERM": "truecolor",
        "JUPYTER_COLUMNS": "9",
        "TTY_COMPATIBLE": "1",
        "TTY_INTERACTIVE": "1",
    }
    for name, value in strange.items():
        monkeypatch.setenv(name, value)
    assert render(troubled(), terminal=terminal) == before


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
        *("d.tld", "a.tld", "c.tld", "b.tld", "e.tld", "0.tld")
    ]


def test_the_worst_replica_stands_below_the_heading() -> None:
    lines = plain(
        fresh("repo.tld", S0, 1),
        replica(on=S1, health=Health.WARNING),
        replica(on=S1_NL, health=Health.CRITICAL),
    )
    assert [line.split(" | ")[2] for line in lines] == [
        *("3 servers", "stratum1-nl.tld", "stratum1-no.tld", "stratum0.tld")
    ]


def test_the_heading_tells_the_reference_even_if_a_replica_is_ahead() -> None:
    ahead = replica(on=S1, revision=8, health=Health.WARNING, revisions_behind=-2)
    heading = "warning | repo.tld | 2 servers | 1 warning, 1 ok; rev 6 on stratum0.tld, published 2h ago"
    assert plain(source("repo.tld"), ahead)[0] == heading


def test_a_fleet_without_servers_says_so() -> None:
    assert render(run()) == dedent("""\
        unknown     fleet         cvmfs, 2026-11-22 12:00:00 UTC, took 1.5s
                    servers       none to ask
                    repositories  none known
                    replicas      none known
        """)


def test_a_fleet_that_is_down_reads_well() -> None:
    gone = run(down_server(S1, down()), down_server(S1_NL, down(on=S1_NL)))
    assert render(gone) == dedent("""\
        critical    fleet         cvmfs, 2026-11-22 12:00:00 UTC, took 1.5s
                    servers       0 of 2 up
                    repositories  1: 1 unknown
                    replicas      2: 2 unknown

        critical    stratum1-no.tld  stratum1  server_down: stratum1-no.tld does not answer
        critical    stratum1-nl.tld  stratum1  server_down: stratum1-nl.tld does not answer

        unknown     repo.tld  2 servers  not read: server down
        """)


def test_a_server_without_a_verdict_says_why() -> None:
    unasked = replace(server(S1, listing=Reading()), health=Health.UNKNOWN)
    text = render(run(unasked))
    assert "unknown     stratum1-no.tld  stratum1  list not read: the run's time was up\n" in text


def test_a_run_out_of_time_says_so_and_calls_no_server_down_for_it() -> None:
    unread: Reading[Manifest] = Reading()
    verdict = replica(manifest=unread, health=Health.UNKNOWN)
    unasked = replace(server(S1, verdict, listing=Reading()), health=Health.UNKNOWN)
    text = render(run(unasked, deadline_hit=True, duration=timedelta(seconds=75)))
    assert "warning     time          the run's time was up before everything was read\n" in text
    assert "unknown     repo.tld  stratum1-no.tld  not read: the run's time was up\n" in text
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
        (replica(health=Health.CRITICAL, is_reference=True), "rev 6, reference"),
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
    assert f", {said}, " in f", {plain(verdict)[1].split(' | ')[3]}, "


def test_what_is_not_known_is_not_mentioned() -> None:
    bare = replace(MANIFEST, published=None, root_size=None)
    verdict = replica(health=Health.WARNING, manifest=ok(bare), status=missed(), whitelist=missed())
    assert plain(verdict)[1] == "warning | repo.tld | stratum1-no.tld | rev 6"


def test_a_small_lag_among_the_healthy_is_told() -> None:
    behind = replica(on=S1, revision=4, revisions_behind=2, lag=timedelta(minutes=7), status=missed())
    behind_nl = replica(on=S1_NL, revision=5, revisions_behind=1, lag=timedelta(minutes=3), status=missed())
    assert plain(source("repo.tld"), behind) == [
        "ok | repo.tld | 2 servers | rev 6, published 2h ago, stratum1-no.tld 2 behind (lag 7m)"
    ]
    assert plain(source("repo.tld"), replica(on=S1, revision=5, revisions_behind=1, status=missed())) == [
        "ok | repo.tld | 2 servers | rev 6, published 2h ago, stratum1-no.tld 1 behind"
    ]
    assert plain(source("repo.tld"), behind, behind_nl) == [
        "ok | repo.tld | 3 servers | rev 6, published 2h ago, 2 servers up to 2 behind (lag 7m)"
    ]


def test_pass_through_replicas_are_told_apart() -> None:
    passing = replica(on=S1_NL, pass_through=True, revision=5)
    assert plain(source("repo.tld"), passing)[0].endswith("; stratum1-nl.tld not judged, rev 5, published 2h ago")
    assert plain(passing) == ["not judged | repo.tld | stratum1-nl.tld | not judged, rev 5, published 2h ago"]


def test_a_long_list_of_silent_servers_is_cut() -> None:
    strata = [Server(f"http://s{number}.tld", f"s{number}.tld", Role.STRATUM1) for number in range(7)]
    text = render(run(source("repo.tld"), *(down_server(one, down(on=one)) for one in strata)))
    assert "; s0.tld, s1.tld, s2.tld, s3.tld and 3 more not read: server down\n" in text


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
    for terminal in (False, True):
        assert sentence in render(run(replica(findings=[finding("x", problem=sentence)])), terminal=terminal)


@given(st.text(min_size=1), st.text(), st.text(), st.booleans())
def test_no_text_steers_the_terminal_or_breaks_a_line(repo: str, host: str, said: str, terminal: bool) -> None:
    hostile = Server("http://tld", host, Role.STRATUM1)
    verdict = replica(repo, on=hostile, alias=said, findings=[finding("x", problem=said)])
    where = server(hostile, verdict, findings=[finding("y", problem=said)])
    page = render(run(where, fleet=said), terminal=terminal)
    assert page.endswith("\n")
    assert len(page.splitlines()) == 10
    assert all(character.isprintable() or character == "\n" for character in ESCAPE.sub("", page))


def test_escape_sequences_and_directions_are_replaced() -> None:
    hostile = "a\x1b[2Jb\x9bc\u202ed\ud800e\nf\tg\x7f"
    text = render(run(replica(findings=[finding("x", problem=hostile)])))
    assert "x: a?[2Jb?c?d?e f g?\n" in text


def test_endless_text_is_cut_and_moves_no_other_line() -> None:
    text = render(run(replica("r" * 5000), replica("b.tld", findings=[finding("x", problem="p" * 5000)])))
    assert max(map(len, text.splitlines())) < 800
    assert "r..." in text
    assert "p..." in text


def test_a_big_fleet_with_a_server_down_stays_short() -> None:
    strata = [Server(f"http://s{number}.tld", f"s{number}.tld", Role.STRATUM1) for number in range(7)]
    repos = [f"r{number}.tld" for number in range(60)]
    big = run(
        *(server(one, *(fresh(repo, one, 5) for repo in repos)) for one in strata),
        down_server(S1_NL, *(down(repo, on=S1_NL) for repo in repos)),
    )
    assert len(render(big).splitlines()) == 4 + 1 + 1 + 1 + 60


def watched(total: int, servers: list[str], *, terminal: bool) -> str:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=terminal, width=100, _environ={"TERM": "xterm"})
    with progress(total, console) as tick:
        threads = [threading.Thread(target=tick, args=(name,)) for name in servers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return screen.getvalue()


def test_progress_counts_the_ticks_of_all_threads() -> None:
    assert "40/40" in watched(40, [f"s{number}.tld" for number in range(40)], terminal=True)


def test_progress_names_servers_as_text_only() -> None:
    shown = watched(1, ["[red]s1\x1b[2J.tld"], terminal=True)
    assert "[red]s1?[2J.tld" in shown


def test_progress_leaves_nothing_behind() -> None:
    shown = watched(1, ["s1.tld"], terminal=True)
    assert shown.endswith("\x1b[1A\x1b[2K")


def test_progress_keeps_off_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=100, _environ={"TERM": "xterm"})
    with progress(1, console) as tick:
        tick("s1.tld")
        print("cvmfs_repo up=1i")  # noqa: T201
    assert capsys.readouterr().out == "cvmfs_repo up=1i\n"
