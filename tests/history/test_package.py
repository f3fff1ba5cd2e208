"""Packages: a stream of archives of a bounded size that say what they hold, and are read back or refused."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraf_cvmfs.history import collectors
from telegraf_cvmfs.history.collector import Collector, Gathered, collector
from telegraf_cvmfs.history.package import Package, PackageError, extract, members, verify
from telegraf_cvmfs.history.package.split import split
from telegraf_cvmfs.history.spool import write
from tests.builders.runs import NOW, example

HOUR = timedelta(hours=1)
OURS = ["config.json", "data_collection_status.csv", "manifest.json", "checksums.json"]


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where temporary files are made; whatever happens, none is left."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    folder = tmp_path / "spool"
    seen = example()
    for number in range(3):
        write(folder, replace(seen, started=NOW + number * HOUR))
    return folder


def gathered(body: str | bytes, name: str = "rows.csv") -> list[Path]:
    """A collector's temporary file."""
    path = Path(tempfile.mkdtemp(prefix="telegraf-cvmfs-")) / name
    path.write_bytes(body.encode() if isinstance(body, str) else body)
    return [path]


def of(function: Callable[[], Gathered], key: str = "rows", version: str = "1.0") -> Collector:
    @collector(version=version, key=key)
    def one() -> Gathered:
        return function()

    return one()


def kept(package: Package, folder: Path) -> list[Path]:
    """Its files, each copied while it is there."""
    folder.mkdir(exist_ok=True)
    found = []
    for tarball in package:
        found.append(folder / tarball.name)
        found[-1].write_bytes(tarball.path.read_bytes())
    return found


def members_of(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        return {one.name: _read(tar, one) for one in tar}


def _read(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    assert file is not None
    return file.read()


def status_of(found: Mapping[str, bytes]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(found["data_collection_status.csv"].decode())))


def all_of(spool: Path) -> list[Collector]:
    span: dict[str, Any] = {"source": spool, "since": NOW, "until": NOW + 2 * HOUR}
    names = ("config", "servers", "repositories", "replicas", "findings", "publications", "geoapi", "runs")
    return [getattr(collectors, name)(**span) for name in names]


# --- what is in each --------------------------------------------------------------------------------


def test_a_package_says_what_it_holds(spool: Path, tmp_path: Path) -> None:
    (path,) = kept(Package(all_of(spool)), tmp_path / "out")
    found = members_of(path)
    assert list(found)[:4] == OURS
    manifest = json.loads(found["manifest.json"])
    assert set(manifest) == set(found) - {"manifest.json"}
    assert set(manifest.values()) == {"1.0"}
    assert json.loads(found["config.json"])[example().fleet.name]["runs"] == 2
    rows = status_of(found)
    assert list(rows[0]) == ["collection_start_timestamp", "since", "until", "file_name", "status", "elapsed"]
    assert [row["file_name"] for row in rows] == list(found)[4:]
    until = "2026-11-22T14:00:00.123456Z"
    assert {row["status"] for row in rows} == {"ok"}
    assert {(row["since"], row["until"]) for row in rows} == {("2026-11-22T12:00:00.123456Z", until)}
    assert {row["collection_start_timestamp"] for row in rows} == {until}
    assert all(row["elapsed"].isdecimal() for row in rows)
    assert path.name == "cvmfs-2026-11-22-120000+0000-2026-11-22-140000+0000-000000.tar.gz"


def test_the_manifest_has_the_version_of_each_collector(tmp_path: Path) -> None:
    made = [of(lambda: gathered("a\n1\n", "x.csv"), "x", "1.7"), of(lambda: {"b": 2}, "y", "3")]
    (path,) = kept(Package(made), tmp_path / "out")
    manifest = json.loads(members_of(path)["manifest.json"])
    assert (manifest["x.csv"], manifest["y.json"]) == ("1.7", "3")


def test_the_same_history_is_the_same_bytes(spool: Path, tmp_path: Path) -> None:
    bodies = {kept(Package(all_of(spool)), tmp_path / str(number))[0].read_bytes() for number in range(2)}
    assert len(bodies) == 1
    with tarfile.open(fileobj=io.BytesIO(bodies.pop())) as tar:
        for one in tar:
            assert (one.mtime, one.uid, one.gid, one.uname, one.gname, one.mode) == (0, 0, 0, "", "", 0o644)


def test_where_there_is_nothing_there_is_no_package(spool: Path) -> None:
    assert list(Package([])) == []
    span: dict[str, Any] = {"source": spool, "until": NOW}
    assert list(Package([collectors.config(**span), collectors.servers(**span)])) == []
    assert list(Package([of(lambda: None), of(list, "other")])) == []


def test_an_empty_object_is_an_object(tmp_path: Path) -> None:
    (path,) = kept(Package([of(dict, "nothing")]), tmp_path / "out")
    assert members_of(path)["nothing.json"] == b"{}\n"


@pytest.mark.parametrize("size", [0, -1])
def test_a_size_that_is_none_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="max_size"):
        Package([], max_size=size)


def test_two_collectors_of_one_key_are_refused() -> None:
    with pytest.raises(ValueError, match="same key: rows, rows"):
        Package([of(list), of(list)])


# --- what fails -------------------------------------------------------------------------------------


def raises() -> Gathered:
    raise ConnectionError("https://name:secret@inside.example is not reached")


def test_a_collector_that_fails_is_a_row_and_the_others_go_on(tmp_path: Path) -> None:
    told: list[tuple[str, str]] = []
    package = Package(
        [of(lambda: gathered("a\n1\n", "first.csv"), "first"), of(raises, "bad"), of(lambda: {"b": 1}, "last")],
        failed=lambda key, error: told.append((key, str(error))),
    )
    (path,) = kept(package, tmp_path / "out")
    found = members_of(path)
    rows = [(row["file_name"], row["status"]) for row in status_of(found)]
    assert rows == [("first.csv", "ok"), ("bad", "failed"), ("last.json", "ok")]
    assert json.loads(found["failures.json"]) == {"bad": "ConnectionError"}
    assert told == [("bad", "https://name:secret@inside.example is not reached")]
    assert b"secret" not in gzip.decompress(path.read_bytes())
    assert verify(path)["failures.json"] == "1.0"


def test_what_failed_is_told_also_where_nothing_else_was_gathered(tmp_path: Path) -> None:
    (path,) = kept(Package([of(raises, "bad")]), tmp_path / "out")
    assert [row["status"] for row in status_of(members_of(path))] == ["failed"]


BAD_NAMES = ["../out.csv", "/etc/x.csv", "rows.txt", "config.json", "manifest.json", ".hidden.csv", "a b.csv"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_file_with_a_name_that_is_none_fails_its_collector_and_leaves_nothing(name: str, tmp_path: Path) -> None:
    def badly() -> Gathered:
        good = gathered("a\n1\n", "good.csv")
        bad = good[0].parent / Path(name).name
        bad.write_text("a\n")
        return [*good, bad if "/" not in name else bad.rename(bad.with_suffix(".txt"))]

    made = [of(badly, "bad"), of(lambda: gathered("a\n2\n", "good.csv"), "good")]
    (path,) = kept(Package(made), tmp_path / "out")
    found = members_of(path)
    assert [(row["file_name"], row["status"]) for row in status_of(found)] == [("bad", "failed"), ("good.csv", "ok")]
    assert found["good.csv"] == b"a\n2\n"


def test_a_file_that_was_gathered_twice_fails_the_second_collector(tmp_path: Path) -> None:
    made = [of(lambda: gathered("a\n1\n"), "one"), of(lambda: gathered("a\n2\n"), "two")]
    (path,) = kept(Package(made), tmp_path / "out")
    found = members_of(path)
    assert found["rows.csv"] == b"a\n1\n"
    assert [row["status"] for row in status_of(found)] == ["ok", "failed"]


def test_an_object_that_is_called_as_a_file_of_another_collector_or_of_ours_fails(tmp_path: Path) -> None:
    made = [of(lambda: gathered('{"first": 1}\n', "two.json"), "one"), of(lambda: {"second": 2}, "two")]
    (path,) = kept(Package([*made, of(lambda: {"third": 3}, "manifest")]), tmp_path / "out")
    found = members_of(path)
    assert json.loads(found["two.json"]) == {"first": 1}
    assert [row["status"] for row in status_of(found)] == ["ok", "failed", "failed"]
    assert "third" not in json.loads(found["manifest.json"])


def test_of_a_file_that_could_not_be_split_no_part_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(path: Path, most: int) -> list[Path]:
        split(path, most)
        raise OSError("no space left")

    monkeypatch.setattr("telegraf_cvmfs.history.package.package.split", broken)
    rows = "a\n" + "1\n" * 20
    made = [of(lambda: gathered(rows), "rows"), of(lambda: {"x": 1}, "other")]
    for tarball in Package(made, max_size=20):
        assert list(tarball.path.parent.glob("*_split*")) == []
        assert [row["status"] for row in status_of(members_of(tarball.path))] == ["failed", "ok"]


def several(count: int, body: str = "a\n1\n") -> list[Collector]:
    return [of(partial(gathered, body, f"f{number}.csv"), f"f{number}") for number in range(count)]


def test_whoever_does_not_take_all_leaves_nothing() -> None:
    made = several(3)
    stream = iter(Package(made, max_size=4))
    first = next(stream)
    assert first.path.exists()
    stream.close()  # type: ignore[attr-defined]
    assert not first.path.exists()


def test_the_file_before_is_gone_when_the_next_is_there() -> None:
    made = several(3)
    paths = list[Path]()
    for tarball in Package(made, max_size=4):
        assert [path.exists() for path in paths] == [False] * len(paths)
        paths.append(tarball.path)
    assert len(paths) == 3


def test_a_disk_that_is_full_is_an_error_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("telegraf_cvmfs.history.package.package.write", full)
    with pytest.raises(OSError, match="No space left"):
        list(Package([of(lambda: gathered("a\n1\n"))]))


# --- sizes ------------------------------------------------------------------------------------------


def test_a_large_file_is_split_with_its_header_repeated_and_spread_over_packages(tmp_path: Path) -> None:
    body = "name,text\n" + "".join(f"r{number},{number * 7}\n" for number in range(1000))
    paths = kept(Package([of(lambda: gathered(body))], max_size=2000), tmp_path / "out")
    assert len(paths) > 4
    rows = list[str]()
    for number, path in enumerate(paths):
        found = members_of(path)
        (part,) = set(found) - set(OURS)
        assert part == f"rows_split{number}.csv"
        assert path.name.endswith(f"-{number:06}.tar.gz")
        assert len(found[part]) <= 2000
        header, *more = found[part].decode().splitlines()
        assert header == "name,text"
        rows += more
        verify(path)
    assert rows == body.splitlines()[1:]
    table = extract(paths)["rows"]
    assert not isinstance(table, dict)
    assert table.fetchall() == [(f"r{number}", number * 7) for number in range(1000)]


def test_files_that_fit_together_are_together(tmp_path: Path) -> None:
    made = several(6, "a\n" + "1\n" * 20)
    paths = kept(Package(made, max_size=100), tmp_path / "out")
    assert [sorted(set(members_of(path)) - set(OURS)) for path in paths] == [
        ["f0.csv", "f1.csv"],
        ["f2.csv", "f3.csv"],
        ["f4.csv", "f5.csv"],
    ]


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=12)


@given(rows=st.lists(st.lists(CELLS, min_size=2, max_size=2), max_size=40), most=st.integers(1, 400))
def test_parts_end_where_records_do_and_nothing_is_lost(rows: list[list[str]], most: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        with path.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([["a", "b"], *rows])
        size = path.stat().st_size
        parts = split(path, most)
        assert (parts == [path]) is (size <= most)
        seen = list[list[str]]()
        for part in parts:
            with part.open(newline="") as file:
                header, *more = csv.reader(file)
            assert header == ["a", "b"]
            assert part.stat().st_size <= most or len(more) <= 1
            seen += more
        assert seen == rows
        assert sorted(Path(folder).iterdir()) == sorted(parts)


# --- verify and extract -----------------------------------------------------------------------------


@pytest.fixture
def package(spool: Path, tmp_path: Path) -> Path:
    (path,) = kept(Package(all_of(spool)), tmp_path / "out")
    return path


def rewritten(path: Path, change: Callable[[dict[str, bytes]], None], **kinds: bytes) -> Path:
    """The same package with something else in it; `kinds` are types of members that are no files."""
    found = members_of(path)
    change(found)
    with tarfile.open(path, "w:gz") as tar:
        for name, body in found.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(body)
            if name in kinds:
                entry.type, entry.linkname, entry.size = kinds[name], "/etc/passwd", 0
            tar.addfile(entry, io.BytesIO(body))
    return path


def test_a_whole_package_is_verified(package: Path) -> None:
    assert "servers.csv" in verify(package)
    assert verify(str(package)) == verify(package)


FAULTS: dict[str, tuple[Callable[[dict[str, bytes]], object], str]] = {
    "a changed file": (lambda found: found.update({"runs.csv": found["runs.csv"] + b"1"}), "runs.csv is not what was"),
    "a changed manifest": (
        lambda found: found.update({"manifest.json": found["manifest.json"] + b" "}),
        "manifest.json",
    ),
    "a missing file": (lambda found: found.pop("runs.csv"), "runs.csv is missing"),
    "a file more": (lambda found: found.update({"more.csv": b"a\n"}), "more.csv is in no manifest"),
    "no manifest": (lambda found: found.pop("manifest.json"), "there is no manifest.json"),
    "no checksums": (lambda found: found.pop("checksums.json"), "there is no checksums.json"),
    "no status": (lambda found: found.pop("data_collection_status.csv"), "there is no data_collection_status.csv"),
    "no config": (lambda found: found.pop("config.json"), "there is no config.json"),
    "a manifest that is none": (lambda found: found.update({"manifest.json": b"[1]"}), "manifest.json is no object"),
    "deep checksums": (lambda found: found.update({"checksums.json": b"[" * 99999}), "checksums.json is no JSON"),
}


@pytest.mark.parametrize("use", [verify, extract])
@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_not_what_was_packed_is_loud(use: Callable[[Path], object], fault: str, package: Path) -> None:
    change, said = FAULTS[fault]
    rewritten(package, lambda found: (change(found), None)[1])
    with pytest.raises(PackageError, match=said) as error:
        use(package)
    assert str(error.value).startswith(str(package))


OUTSIDE = ["../x.csv", "/var/x.csv", "a/b.csv", "x.txt", "..", ".csv", "x.csv\n", "a\\b.csv", "x.py", "ü.csv"]


@pytest.mark.parametrize("use", [verify, extract])
@pytest.mark.parametrize("name", OUTSIDE)
def test_a_member_that_would_lie_elsewhere_or_is_no_csv_or_json_is_refused(
    use: Callable[[Path], object], name: str, package: Path
) -> None:
    rewritten(package, lambda found: found.update({name: b"a\n"}))
    with pytest.raises(PackageError, match="no CSV or JSON file in no folder"):
        use(package)


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE], ids=str
)
def test_a_member_that_is_no_file_is_refused(kind: bytes, package: Path) -> None:
    rewritten(package, lambda _found: None, **{"runs.csv": kind})
    with pytest.raises(PackageError, match=r"'runs.csv' is no CSV or JSON file"):
        extract(package)


def test_a_member_that_is_there_twice_is_refused(package: Path) -> None:
    body = gzip.decompress(package.read_bytes())
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        runs = tar.getmember("runs.csv")
        piece = body[runs.offset : runs.offset_data + -(-runs.size // 512) * 512]
    package.write_bytes(gzip.compress(piece + body))
    with pytest.raises(PackageError, match="there twice"):
        extract(package)


def test_a_package_that_inflates_beyond_all_measure_is_refused_before_it_fills_the_disk(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(members, "LARGEST", 4096)
    with pytest.raises(PackageError, match="holds more than"):
        extract(package)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_package_that_is_cut_is_loud(share: float, package: Path) -> None:
    body = package.read_bytes()
    package.write_bytes(body[: int(len(body) * share)])
    for use in (verify, extract):
        with pytest.raises(PackageError, match="damaged"):
            use(package)


@given(data=st.data())
def test_a_byte_that_changed_is_loud_or_changes_nothing(data: st.DataObject) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (path,) = kept(Package([of(lambda: gathered("a,b\n1,2\n" * 50))], clock=lambda: NOW), folder / "out")
        body = bytearray(path.read_bytes())
        place = data.draw(st.integers(0, len(body) - 1))
        body[place] ^= 1 << data.draw(st.integers(0, 7))
        whole = members_of(path)
        path.write_bytes(body)
        try:
            verify(path)
        except PackageError:
            return
        assert members_of(path) == whole


@pytest.mark.parametrize(
    "body",
    [b"", b"no archive", gzip.compress(b""), gzip.compress(b"\0" * 1024)],
    ids=["empty", "no gzip", "nothing", "zeros"],
)
def test_what_is_no_package_is_refused(body: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.tar.gz"
    path.write_bytes(body)
    for use in (verify, extract):
        with pytest.raises(PackageError, match=str(path)):
            use(path)
    with pytest.raises(FileNotFoundError):
        verify(tmp_path / "nowhere.tar.gz")


def test_what_was_packed_is_a_table_again_with_its_types(package: Path) -> None:
    found = extract(package)
    servers = found["servers"]
    assert not isinstance(servers, dict)
    types = dict(zip(servers.columns, map(str, servers.types), strict=True))
    assert (types["server"], types["up"], types["response_time"]) == ("VARCHAR", "BIGINT", "DOUBLE")
    assert len(servers.fetchall()) == 2 * len(example().servers)
    assert isinstance(found["config"], dict)
    assert set(found) >= {"config", "servers", "repositories", "replicas", "runs", "findings"}


@pytest.mark.parametrize("only", [["servers", "runs"], ["servers.csv", "runs.csv"]])
def test_only_what_is_wanted_is_read(only: list[str], package: Path) -> None:
    assert set(extract(package, only=only)) == {"servers", "runs"}
    assert extract(package, only=[]) == {}


def test_a_table_outlives_its_package(package: Path) -> None:
    runs = extract(package, only=["runs"])["runs"]
    package.unlink()
    assert not isinstance(runs, dict)
    assert len(runs.fetchall()) == 2


def test_of_several_packages_one_that_is_damaged_is_no_table_with_holes(package: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.tar.gz"
    bad.write_bytes(package.read_bytes()[:-9])
    with pytest.raises(PackageError, match="bad"):
        extract([package, bad])


def test_a_value_that_is_not_of_its_columns_type_is_loud(tmp_path: Path) -> None:
    made = [of(lambda: gathered("time,up\n2026-11-22T12:00:00.0Z,1\n2026-11-22T13:00:00.0Z,many\n", "servers.csv"))]
    (path,) = kept(Package(made), tmp_path / "out")
    with pytest.raises(PackageError, match=r"servers: .*many"):
        extract(path)
