"""Hours, days and months of a spool: rolled up once, late runs put to them, and what may be thinned then."""

from __future__ import annotations

import multiprocessing
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from telegraf_cvmfs.emit.phrases import size
from telegraf_cvmfs.history import ReportAvailability, Rollups, SpoolError, TableReplicas, TableRuns
from telegraf_cvmfs.history.exclusive import lock
from telegraf_cvmfs.history.rollup.thin import thinned
from telegraf_cvmfs.history.spool import Kept, fleets, kept
from telegraf_cvmfs.model import Health, History, Keep
from tests.builders.history import Look, spool
from tests.programs.command import run as command

BEGINS = datetime(2026, 2, 26, 21, tzinfo=UTC)
MARCH = datetime(2026, 3, 1, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
FAILED: list[tuple[datetime, Exception]] = []


def life(since: datetime, until: datetime, every: timedelta = 20 * MINUTE) -> list[tuple[datetime, Look]]:
    """Down for 100 minutes from the 27th, 3 h; a lag in the night of the 28th; nothing from the 28th, 6 h, for 5 h."""
    found = list[tuple[datetime, Look]]()
    moment = since
    while moment < until:
        hours = (moment - datetime(2026, 2, 27, tzinfo=UTC)) / HOUR
        down = 3 <= hours < 3 + 100 / 60
        late = Health.CRITICAL if 24 <= hours < 25 else Health.OK
        if not 30 <= hours < 35:
            look = Look(
                6 + int(hours // 5), 4000 if late else 0, moment - timedelta(minutes=moment.hour), down, health=late
            )
            found.append((moment, look))
        moment += every
    return found


def told(hour: datetime, error: Exception) -> None:
    raise AssertionError(hour) from error


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return spool(tmp_path / "spool", life(BEGINS, MARCH + 2 * HOUR))


def sheets(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    report = ReportAvailability(folder, month=BEGINS)
    return {sheet.name: list(sheet.rows) for sheet in report.sheets()}


def counted(path: Path) -> int:
    return sum(
        row[TableReplicas().names.index("runs")] for row in TableReplicas().add_parquet(path).relation.fetchall()
    )


def test_a_report_of_rollups_is_that_of_the_runs_also_when_they_were_thinned(folder: Path) -> None:
    before, rollups = sheets(folder), Rollups(folder, "cvmfs")
    assert rollups.update(MARCH + 30 * MINUTE, told) == 48 + 3 - 4  # of five hours without a run, one has a word
    assert sheets(folder) == before
    assert rollups.update(MARCH + 40 * DAY, told) == 2 + 1
    assert {path.parent.name + "/" + path.name for path in rollups.root.glob("*/2026-*")} == {
        *(f"days/2026-{day}.parquet" for day in ("02-26", "02-27", "02-28", "03-01")),
        *(f"months/2026-{month}.parquet" for month in ("02", "03")),
    }
    assert rollups.files(datetime(2026, 2, 1, tzinfo=UTC), MARCH) == [rollups.month(datetime(2026, 2, 1, tzinfo=UTC))]
    assert rollups.files(BEGINS + HOUR, MARCH) == [
        rollups.hour(BEGINS + HOUR), rollups.hour(BEGINS + 2 * HOUR), rollups.day(BEGINS + 3 * HOUR),
        rollups.day(BEGINS + 27 * HOUR),
    ]  # fmt: skip
    assert sheets(folder) == before
    count = len(kept(folder))
    gone = rollups.thin(History().keep, MARCH + 4 * DAY)
    assert gone > count / 2
    assert len(kept(folder)) == count - gone
    assert sheets(folder) == before
    assert rollups.update(MARCH + 41 * DAY, told) == 0
    assert rollups.thin(History().keep, MARCH + 4 * DAY) == 0
    assert sheets(folder) == before


def test_what_saw_a_change_and_the_first_of_each_hour_are_left(folder: Path) -> None:
    rollups = Rollups(folder, "cvmfs")
    rollups.update(MARCH + 2 * HOUR + 10 * MINUTE, told)
    assert rollups.thin(History().keep, MARCH + 2 * HOUR) > 0
    left = {one.started for one in kept(folder)}
    every = [moment for moment, _ in life(BEGINS, MARCH + 2 * HOUR)]
    day = datetime(2026, 2, 27, tzinfo=UTC)
    assert {day + 3 * HOUR, day + 4 * HOUR + 40 * MINUTE, day + 24 * HOUR, day + 25 * HOUR} <= left  # where it changed
    for moment in every:
        old = moment < MARCH + 2 * HOUR - 2 * DAY
        changed = moment in (BEGINS, day + 3 * HOUR, day + 4 * HOUR + 40 * MINUTE)
        assert (moment in left) == (not old or moment.minute == 0 or changed), moment


def test_what_is_not_rolled_up_is_never_thinned(folder: Path) -> None:
    rollups = Rollups(folder, "cvmfs")
    assert rollups.thin(History().keep, MARCH + 500 * DAY) == 0
    rollups.update(BEGINS + 5 * HOUR + 10 * MINUTE, told)
    assert rollups.thin(History().keep, MARCH + 500 * DAY) == 5 * 3
    assert min(one.started for one in kept(folder)) == BEGINS + 5 * HOUR
    assert not (folder / "cvmfs" / "2026-02-26").exists()


def test_a_late_run_is_put_to_its_hour_and_to_what_was_made_of_it(folder: Path) -> None:
    rollups = Rollups(folder, "cvmfs")
    rollups.update(MARCH + 3 * HOUR, told)
    rollups.thin(History().keep, MARCH + 40 * DAY)
    day = datetime(2026, 2, 27, tzinfo=UTC)
    before, of_month = counted(rollups.hour(day)), counted(rollups.month(datetime(2026, 2, 1, tzinfo=UTC)))
    observed = sheets(folder)["coverage"][0][-1]
    spool(folder, [(day + 7 * MINUTE, Look(revision=7, snapshot=day))])
    assert rollups.update(MARCH + 3 * HOUR, told) == 1
    replicas = 3
    assert counted(rollups.hour(day)) == before + replicas
    assert counted(rollups.month(datetime(2026, 2, 1, tzinfo=UTC))) == of_month + replicas
    assert sheets(folder)["coverage"][0][-1] == observed  # that time had been told of
    spool(folder, [(day + 33 * HOUR, Look(revision=9, snapshot=day))])  # where nothing had been seen
    assert rollups.update(MARCH + 3 * HOUR, told) == 1
    later = sheets(folder)["coverage"][0][-1]
    assert isinstance(later, float)
    assert isinstance(observed, float)
    assert later > observed
    assert rollups.update(MARCH + 3 * HOUR, told) == 0


def test_the_bookmark_goes_on_only_past_what_succeeded(folder: Path) -> None:
    rollups, failed = Rollups(folder, "cvmfs"), dict[datetime, Exception]()
    damaged = next(one.path for one in kept(folder) if one.started == BEGINS + 4 * HOUR)
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:100])
    done = rollups.update(MARCH + 3 * HOUR, failed.__setitem__)
    assert rollups.bookmark == BEGINS + 4 * HOUR
    # its word reaches into no other hour; the others are rolled up, days and months wait
    assert list(failed) == [BEGINS + 4 * HOUR]
    assert isinstance(failed[BEGINS + 4 * HOUR], SpoolError)
    assert damaged.name in str(failed[BEGINS + 4 * HOUR])
    assert done > 40
    assert list(rollups.root.glob("months/*")) == []
    assert rollups.thin(History().keep, MARCH + 500 * DAY) == 4 * 3
    damaged.write_bytes(whole)
    assert rollups.update(MARCH + 3 * HOUR, failed.__setitem__) == 1
    assert rollups.bookmark == MARCH + 2 * HOUR
    assert len(list(rollups.root.glob("months/*"))) == 1


def test_a_damaged_bookmark_is_made_anew(folder: Path) -> None:
    rollups = Rollups(folder, "cvmfs")
    assert rollups.bookmark is None
    rollups.update(MARCH + 3 * HOUR, told)
    for text in ("", "{}", "[]", '{"until": "2026-03-01T00:00:00"}', '{"until": 5}'):
        (rollups.root / "bookmark.json").write_text(text)
        assert rollups.bookmark is None
    assert rollups.update(MARCH + 3 * HOUR, told) == 0
    assert rollups.bookmark == MARCH + 2 * HOUR


def _update_for_ever(folder: Path) -> None:
    for number in range(48 + 3):
        Rollups(folder, "cvmfs").update(BEGINS + (number + 2) * HOUR, told)


def test_a_program_that_is_killed_leaves_what_the_next_one_goes_on_with(folder: Path) -> None:
    before = sheets(folder)
    for number in range(5):
        process = multiprocessing.get_context("spawn").Process(target=_update_for_ever, args=(folder,))
        process.start()
        time.sleep(1.0 + 0.31 * number)
        process.kill()
        process.join()
        assert sheets(folder) == before
    rollups = Rollups(folder, "cvmfs")
    rollups.update(MARCH + 40 * DAY, told)
    assert rollups.files() == [rollups.month(datetime(2026, 2, 1, tzinfo=UTC)), rollups.month(MARCH)]
    assert sheets(folder) == before


def test_days_are_of_utc_and_an_hour_is_not_rolled_up_before_it_is_over(folder: Path) -> None:
    rollups = Rollups(folder, "cvmfs")
    assert rollups.update(BEGINS + HOUR + 4 * MINUTE, told) == 0
    assert rollups.update(BEGINS + HOUR + 5 * MINUTE, told) == 1
    rollups.update(BEGINS + 3 * HOUR + 10 * MINUTE, told)
    assert [path.name for path in rollups.root.glob("days/*")] == ["2026-02-26.parquet"]
    assert {oct(path.stat().st_mode & 0o007) for path in rollups.root.rglob("*") if path.is_dir()} == {"0o0"}
    assert fleets(folder) == ["cvmfs"]


# --- what is left -----------------------------------------------------------------------------------


def left(keep: str | None, now: datetime, *moments: datetime, changed: tuple[int, ...] = ()) -> list[int]:
    from telegraf_cvmfs.fleet.values import keep as read  # noqa: PLC0415

    rules: tuple[Keep, ...] = History().keep if keep is None else read(keep)
    runs = [Kept(moment, "cvmfs", Path(str(number))) for number, moment in enumerate(moments)]
    gone = set(thinned(runs, rules, now, lambda _run: True, lambda run: int(str(run.path)) in changed))
    return [number for number, run in enumerate(runs) if run not in gone]


def test_what_is_kept_for_how_long() -> None:
    hours = [MARCH + number * 30 * MINUTE for number in range(6)]
    assert left(None, MARCH + 2 * DAY, *hours) == [0, 1, 2, 3, 4, 5]
    assert left(None, MARCH + 3 * DAY, *hours) == [0, 2, 4]
    assert left(None, MARCH + 3 * DAY, *hours, changed=(3,)) == [0, 2, 3, 4]
    assert left(None, MARCH + 31 * DAY, *hours) == [0]
    assert left(None, MARCH + 31 * DAY, *hours, changed=(3, 5)) == [0, 3, 5]
    assert left(None, MARCH + 401 * DAY, *hours, changed=(3, 5)) == []
    assert left("2d all", MARCH + 2 * DAY + 40 * MINUTE, *hours) == [2, 3, 4, 5]


def test_of_a_year_there_is_left_what_was_said_and_no_more() -> None:
    """Runs five minutes apart, of which one in a thousand saw a change."""
    now = MARCH + timedelta(days=500)
    runs = [Kept(now - number * 5 * MINUTE, "cvmfs", Path(str(number))) for number in range(450 * 288)][::-1]
    gone = set(thinned(runs, History().keep, now, lambda _run: True, lambda run: int(str(run.path)) % 1000 == 7))
    stay = [run for run in runs if run not in gone]
    ages = [now - run.started for run in stay]
    changes = sum(int(str(run.path)) % 1000 == 7 for run in stay)
    assert max(ages) <= 400 * DAY
    assert sum(age <= 2 * DAY for age in ages) == 2 * 288 + 1
    assert sum(2 * DAY < age <= 30 * DAY for age in ages) - 28 * 24 in range(12)
    assert sum(age > 30 * DAY for age in ages) - 370 in range(110)
    assert changes == 400 * 288 // 1000 + 1
    assert len(stay) < 1800  # of 129,600: 200 MB of a fleet of 1,875 replicas


# --- the command ------------------------------------------------------------------------------------


def test_the_command_rolls_up_and_thins(folder: Path) -> None:
    done = command("history", "rollup", "--spool", folder, "--no-thin")
    assert (done.returncode, done.stderr) == (0, "")
    runs = size(sum(one.path.stat().st_size for one in kept(folder)))
    rollups = size(sum(path.stat().st_size for path in folder.rglob("*.parquet")))
    said = f"cvmfs: 50 hours rolled up, 0 runs thinned; 144 runs in {runs} and rollups in {rollups} are kept\n"
    assert done.stdout == said
    count = len(kept(folder))
    done = command("history", "rollup", "--spool", folder, "--keep", "4000d daily")
    assert done.returncode == 0
    assert done.stdout.startswith("cvmfs: 0 hours rolled up, ")
    assert 4 < len(kept(folder)) < count / 4


def test_the_fleet_file_says_what_is_kept(fleet_file: Path, folder: Path) -> None:
    fleet_file.write_text(fleet_file.read_text() + f'[history]\ndir = "{folder}"\nkeep = "1h all"\n')
    done = command("history", "rollup", "--config", fleet_file)
    assert (done.returncode, done.stderr) == (0, "")
    assert kept(folder) == []


def test_what_is_wrong_is_said(folder: Path) -> None:
    path = kept(folder)[0].path
    path.write_bytes(b"")
    done = command("history", "rollup", "--spool", folder)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("E! history rollup: 2026-02-26T21:00:00Z: ")
    assert path.name in line
    with lock(folder / "cvmfs" / "rollups" / "lock"):
        done = command("history", "rollup", "--spool", folder)
    assert (done.returncode, done.stderr) == (1, "E! history rollup: cvmfs: another program rolls up here\n")
    done = command("history", "rollup", "--spool", folder, "--keep", "often")
    assert done.returncode == 2
    assert "'often' is not what is kept for how long" in done.stderr


def test_a_rollup_that_is_none_is_named(folder: Path) -> None:
    rollups = Rollups(folder, "cvmfs")
    rollups.update(MARCH + 3 * HOUR, told)
    rollups.month(datetime(2026, 2, 1, tzinfo=UTC)).write_bytes(b"no parquet")
    with pytest.raises(SpoolError, match="2026-02.parquet"):
        sheets(folder)
    done = command("history", "rollup", "--spool", folder)
    assert done.returncode == 1
    assert "2026-02.parquet" in done.stderr
    rollups.month(datetime(2026, 2, 1, tzinfo=UTC)).unlink()
    assert command("history", "rollup", "--spool", folder).returncode == 0
    assert len(TableRuns().add_parquet(*rollups.files())) > 0
