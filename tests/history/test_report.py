"""The monthly report: a month made by hand gives the numbers that were worked out on paper."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from telegraf_cvmfs.history import ReportAvailability
from telegraf_cvmfs.history.report.figures import Times, percentile
from telegraf_cvmfs.history.report.files import write as write_files
from telegraf_cvmfs.history.report.sheets import Sheet
from telegraf_cvmfs.history.rollup.words import words
from telegraf_cvmfs.history.spool import Kept, SpoolError, write
from telegraf_cvmfs.model import Health, Maintenance, Run, ServerVerdict
from tests.builders.runs import S0, S1, S1_NL, down, down_server, finding, replica, run, server
from tests.programs.command import run as command

MONTH = datetime(2026, 2, 1, tzinfo=UTC)
NEXT = datetime(2026, 3, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
EVERY = 6 * HOUR


def on(day: int, hour: int = 0) -> datetime:
    return datetime(2026, 2, day, hour, tzinfo=UTC)


def between(moment: datetime, since: datetime, until: datetime) -> bool:
    return since <= moment < until


def seen_at(moment: datetime) -> Run | None:
    """What the run saw that began then; none was made from the 20th, 0 h, to the 22nd, 0 h.

    The first server was down for 36 h from the 3rd, under maintenance on the 10th, unknown for 6 h on the 25th, and down
    again from the 28th, 18 h. Its replica lagged by 3 h on the 5th, and by 9 days on the 6th from 0 to 6 h.
    """
    if between(moment, on(20), on(22)):
        return None
    first = of_first(moment)
    if between(moment, on(10), on(11)):
        window = Maintenance(on(10), on(11), why="new disks")
        first = replace(
            first, maintenance=window, replicas=tuple(replace(one, maintenance=window) for one in first.replicas)
        )
    original = server(S0, replica(on=S0, is_reference=True))
    return run(original, first, server(S1_NL, replica(on=S1_NL, lag=timedelta(0))), started=moment)


def of_first(moment: datetime) -> ServerVerdict:
    if between(moment, on(3), on(4, 12)) or moment >= on(28, 18):
        return down_server(S1, down(on=S1))
    if between(moment, on(25), on(25, 6)):
        return replace(server(S1, replica(on=S1, health=Health.UNKNOWN)), health=Health.UNKNOWN)
    if between(moment, on(6), on(6, 6)):
        return server(S1, replica(on=S1, lag=9 * DAY, findings=[finding("lagging", Health.CRITICAL, "9 d behind")]))
    return server(S1, replica(on=S1, lag=3 * HOUR if between(moment, on(5), on(6)) else timedelta(0)))


@pytest.fixture(scope="module")
def spool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spool")
    for number in range(-4, 4 * 28 + 4):
        if (seen := seen_at(MONTH + number * EVERY)) is not None:
            write(folder, seen)
    return folder


@pytest.fixture(scope="module")
def report(spool: Path) -> ReportAvailability:
    return ReportAvailability(spool, month=on(14))


@pytest.fixture(scope="module")
def sheets(report: ReportAvailability) -> dict[str, Sheet]:
    return {sheet.name: sheet for sheet in report.sheets()}


def one(sheet: Sheet, **wanted: str) -> dict[str, Any]:
    (found,) = (record for record in sheet.records() if wanted.items() <= record.items())
    return found


HOURS = {"up": 558, "down": 42, "maintenance": 24, "unknown": 6 + 42}
"""Of the 672 in February: the last run before the gap holds for twice six hours, so 42 of 54 were not observed."""


def test_the_servers_have_the_figures_that_were_worked_out(sheets: dict[str, Sheet]) -> None:
    first = one(sheets["servers"], server=S1.name)
    assert {name: first[name] / 3600 for name in HOURS} == HOURS
    assert first["availability"] == pytest.approx(558 / (558 + 42 + 24), abs=1e-12)
    assert first["reliability"] == pytest.approx(558 / (558 + 42), abs=1e-12)
    assert (first["outages"], first["longest"] / 3600, first["mean_time_to_repair"] / 3600) == (2, 36, 21)
    other = one(sheets["servers"], server=S1_NL.name)
    assert (other["availability"], other["outages"], other["up"] / 3600) == (1, 0, 672 - 42)
    assert "longest" not in other


def test_the_repositories_have_the_figures_that_were_worked_out(sheets: dict[str, Sheet]) -> None:
    first = one(sheets["repositories"], server=S1.name)
    # 36 h and 6 h of the server's being down are unknown here, and 6 h far behind are down
    assert {name: first[name] / 3600 for name in HOURS} == {
        "up": 558 - 6, "down": 6, "maintenance": 24, "unknown": 48 + 42
    }  # fmt: skip
    assert (first["lag_p50"], first["lag_p95"], first["lag_max"]) == (0, 4 * 3600, 9 * 86400)
    served = one(sheets["served"], repo="repo.tld")
    assert (served["availability"], served["served_by_least"]) == (1, 1)


def test_the_incidents_are_those_that_happened(sheets: dict[str, Sheet]) -> None:
    found = [
        (each["kind"], each["begins"], each["ends"], each["finding"], each["problem"])
        for each in sheets["incidents"].records()
    ]
    assert found == [
        ("server", on(3), on(4, 12), "server_down", f"{S1.name} does not answer"),
        ("replica", on(6), on(6, 6), "lagging", "9 d behind"),
        ("server", on(28, 18), NEXT, "server_down", f"{S1.name} does not answer"),
    ]


def test_coverage_and_summary(sheets: dict[str, Sheet]) -> None:
    (covered,) = sheets["coverage"].records()
    assert (covered["interval"], covered["runs_expected"], covered["runs_made"]) == (6 * 3600, 112, 104)
    assert covered["observed"] == pytest.approx((672 - 42) / 672)
    assert (covered["requests"], covered["failures"]) == (104 * 12, 104)
    (summary,) = sheets["summary"].records()
    assert (summary["fleet"], summary["month"], summary["servers"], summary["repositories"]) == (
        "cvmfs",
        "2026-02",
        3,
        1,
    )
    assert summary["servers_availability"] == pytest.approx((558 / 624 + 1) / 2)
    assert (summary["repositories_availability"], summary["incidents"]) == (1, 3)


def test_every_term_of_the_figures_is_defined(sheets: dict[str, Sheet]) -> None:
    terms = " ".join(str(each["term"]) for each in sheets["definitions"].records())
    for term in (
        "availability",
        "reliability",
        "unknown",
        "maintenance",
        "outage",
        "mean time to repair",
        "lag",
        "observed",
    ):
        assert term in terms


# --- files ------------------------------------------------------------------------------------------


def test_the_workbook_has_values_and_no_formulas(report: ReportAvailability, tmp_path: Path) -> None:
    written, there = write_files(report, tmp_path, "cvmfs")
    assert (len(written), there) == (3 + 7, [])
    book = openpyxl.load_workbook(tmp_path / "cvmfs-availability-2026-02.xlsx")
    assert book.sheetnames == ["Summary", "Servers", "Served", "Repositories", "Incidents", "Coverage", "Definitions"]
    for page in book.worksheets:
        assert all(cell.data_type != "f" for row in page.iter_rows() for cell in row)
    head, *rows = book["Servers"].iter_rows()
    place = {cell.value: number for number, cell in enumerate(head)}
    (first,) = (row for row in rows if row[place["Server"]].value == S1.name)
    assert first[place["Availability"]].value == pytest.approx(558 / 624)
    assert first[place["Longest"]].value == 36 * HOUR
    assert first[place["Unknown"]].value == 48 * HOUR
    assert len(book["Servers"]._charts) == 1
    (begun, *_) = book["Incidents"].iter_rows(min_row=2, values_only=True)
    assert on(3).replace(tzinfo=None) in begun


def test_json_csv_and_markdown_say_the_same(
    report: ReportAvailability, sheets: dict[str, Sheet], tmp_path: Path
) -> None:
    write_files(report, tmp_path, "cvmfs")
    stem = tmp_path / "cvmfs-availability-2026-02"
    document = json.loads(stem.with_suffix(".json").read_text())
    assert (document["month"], document["since"], document["until"]) == (
        "2026-02",
        "2026-02-01T00:00:00Z",
        "2026-03-01T00:00:00Z",
    )
    assert document["incidents"][0]["begins"] == "2026-02-03T00:00:00Z"
    for name, sheet in sheets.items():
        assert len(document[name]) == len(sheet.rows)
        with Path(f"{stem}-{name}.csv").open(newline="") as file:
            assert len(list(csv.DictReader(file))) == len(sheet.rows)
    text = stem.with_suffix(".md").read_text()
    assert (
        f"| cvmfs | {S1.name} |  | stratum1 | 89.423% | 93.000% | 2 | 1d 12h | 21h | 23d 6h | 1d 18h | 1d | 2d |"
        in text
    )


def test_the_same_spool_gives_the_same_bytes(spool: Path, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        write_files(ReportAvailability(spool, month=MONTH), tmp_path / folder, "cvmfs")
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name


def test_text_that_a_server_chose_is_no_formula_and_no_markup(tmp_path: Path) -> None:
    problem = '=HYPERLINK("http://x","|<b>")'
    for number in range(3):
        write(
            tmp_path / "spool",
            run(server(S1, findings=[finding("server_down", Health.CRITICAL, problem)]), started=MONTH + number * HOUR),
        )
    write_files(ReportAvailability(tmp_path / "spool", month=MONTH), tmp_path, "cvmfs")
    book = openpyxl.load_workbook(tmp_path / "cvmfs-availability-2026-02.xlsx")
    cells = [cell for row in book["Incidents"].iter_rows() for cell in row if cell.value == problem]
    assert [cell.data_type for cell in cells] == ["s"]
    assert '"\\|&lt;b>"' in (tmp_path / "cvmfs-availability-2026-02.md").read_text()


# --- the pieces -------------------------------------------------------------------------------------


def kept(*hours: float, fleet: str = "cvmfs") -> list[Kept]:
    return [Kept(MONTH + hour * HOUR, fleet, Path("x")) for hour in hours]


def spans(found: list[Kept], until: float = 24) -> list[tuple[float, float]]:
    return [
        ((word.begins - MONTH) / HOUR, (word.ends - MONTH) / HOUR) for word in words(found, MONTH, MONTH + until * HOUR)
    ]


def test_a_word_holds_until_the_next_run_and_for_at_most_twice_the_median_of_its_day() -> None:
    assert spans(kept(0, 1, 2, 7, 8)) == [(0, 1), (1, 2), (2, 4), (7, 8), (8, 10)]
    assert spans(kept(-1, 1, 2, 3), 2.5) == [(0, 1), (1, 2), (2, 2.5)]
    assert spans(kept(1)) == [(1, 1)]
    assert spans(kept(-1)) == []
    assert spans(kept(0, 2, fleet="a") + kept(1, 2, fleet="b")) == [(0, 2), (2, 6), (1, 2), (2, 4)]
    assert spans(kept(20, 21, 22, 30), 48) == [(20, 21), (21, 22), (22, 24), (30, 32)]  # the last alone on its day


def test_what_was_not_observed_is_unknown_and_where_nothing_is_known_there_is_no_share() -> None:
    assert Times.of({"up": 60, "unknown": 10}, 100) == Times(up=60, unknown=40)
    assert (Times.of({}, 100).availability, Times.of({"maintenance": 100}, 100).reliability) == (None, None)
    assert Times.of({"maintenance": 100}, 100).availability == 0


@pytest.mark.parametrize(
    ("share", "buckets", "most", "lag"),
    [
        (0.5, {0: 50, 5: 50}, 5000, 0),
        (0.95, {0: 50, 5: 50}, 5000, 5000),
        (0.95, {0: 50, 5: 50}, 9000, 7200),
        (0.5, {99: 1}, 700_000, 700_000),
        (0.5, {}, None, None),
    ],
)
def test_a_percentile_is_the_end_of_its_bucket_and_no_more_than_the_most(
    share: float, buckets: dict[int, float], most: int | None, lag: int | None
) -> None:
    assert percentile(share, buckets, most) == lag


def test_a_month_without_a_zone_a_folder_that_is_none_and_a_damaged_file_are_errors(
    spool: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        ReportAvailability(spool, month=MONTH.replace(tzinfo=None))
    with pytest.raises(OSError, match="nowhere"):
        ReportAvailability(tmp_path / "nowhere")
    path = write(tmp_path, run(server(S1), started=MONTH))
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(SpoolError, match=path.name):
        ReportAvailability(tmp_path, month=MONTH)


def test_december_ends_with_the_year(tmp_path: Path) -> None:
    december = ReportAvailability(tmp_path, month=datetime(2026, 12, 31, 23, tzinfo=UTC))
    assert (december.since, december.until) == (datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
    assert december.fleets == []


# --- the command ------------------------------------------------------------------------------------


def test_the_command_writes_what_is_not_there(spool: Path, tmp_path: Path) -> None:
    asked = ("report", "--spool", spool, "--month", "2026-02", "--to", tmp_path / "out")
    done = command(*asked)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 10
    book = tmp_path / "out" / "cvmfs-availability-2026-02.xlsx"
    book.unlink()
    again = command(*asked)
    assert again.stdout.splitlines() == [str(book)]
    assert again.stderr == "W! report: 9 files of 2026-02 are there already (--force writes them anew)\n"
    assert len(command(*asked, "--force").stdout.splitlines()) == 10


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--month", "2026-13"), 2, "'2026-13' is no month such as 2026-10"),
        (("--month", "2020-01"), 2, "there is no run of 2020-01 in "),
        (("--spool", "/nowhere"), 2, "spool /nowhere: there is no such folder"),
        (("--to", "/dev/null/x"), 1, "report: /dev/null"),
    ],
)
def test_what_is_wrong_is_said(spool: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    done = command("report", "--spool", spool, "--month", "2026-02", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert done.stderr.startswith("E! ")
    assert len(done.stderr.splitlines()) == 1
