from __future__ import annotations

import math
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from influxdb_client.client.write.point import Point as ClientPoint
from line_protocol_parser import parse_line  # type: ignore[import-untyped]

from telegraf_cvmfs.emit import FORMATS, emitter
from telegraf_cvmfs.emit.line_protocol import line, lines, render
from telegraf_cvmfs.model import Health
from telegraf_cvmfs.points.rows import EPOCH, Point, points
from telegraf_cvmfs.points.schema import FIELDS
from tests.builders import runs
from tests.programs.telegraf import Texts, parse

TIME = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)
NANOSECONDS = 1795348800123456000
ONE: dict[str, Any] = {"f": 1}
NONE: dict[str, Any] = {}

# Much of what hurts, so that hypothesis meets it often.
AWKWARD = "\\,= \"'#\n\r\t\0\x7f\x85\u2028\u2029\ud800\u3000é🙂ab"
anything = st.one_of(st.text(alphabet=AWKWARD, max_size=8), st.text(st.characters(), max_size=8))
case = pytest.param
int64 = st.integers(-(2**63), 2**63 - 1)
readable = st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False)  # the parser's own limit
moments = st.integers(-(10**15), 10**15).map(lambda since: EPOCH + timedelta(microseconds=since))


def point(fields: dict[str, Any] = ONE, tags: dict[str, Any] = NONE, name: str = "m", time: datetime = TIME) -> Point:
    return Point(name, tags, fields, time)


def written(**row: Any) -> str:
    """The line without its time, which is the same in all of them."""
    text = line(point(**row))
    assert text is not None
    assert text.endswith(f" {NANOSECONDS}")
    return text.removesuffix(f" {NANOSECONDS}")


def one_line(text: str) -> str:
    return re.sub("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]", " ", text)


def plain(text: str) -> str:
    """What is to be read back of a name, a key or a tag; empty if it is left out."""
    text = one_line(text).rstrip("\\").replace("\\", "_")
    return text if text.strip() else ""


def read(row: Point) -> dict[str, Any]:
    text = line(row)
    assert text is not None
    parsed: dict[str, Any] = parse_line(text)
    return parsed


def test_a_run_becomes_one_line_for_each_point() -> None:
    run = runs.example()
    text = render(run)
    assert text.endswith("\n")
    assert [parse_line(row)["measurement"] for row in text.splitlines()] == [row.measurement for row in points(run)]


def test_a_replica_is_written_with_sorted_tags_typed_fields_and_the_start_of_the_run() -> None:
    server = replace(runs.S1, name="stratum1.tld")
    late = runs.replica(
        on=server,
        findings=[runs.finding("lagging", Health.WARNING, 'behind "stratum0.tld"')],
        revisions_behind=-1,
    )
    row = next(row for row in render(runs.run(late)).splitlines() if row.startswith("cvmfs_repo,"))
    assert row.startswith("cvmfs_repo,fleet=cvmfs,repo=repo.tld,role=stratum1,server=stratum1.tld up=1i,")
    assert (
        ',health=1i,severity=2i,maintenance=0i,available=1i,finding="lagging",problem="behind \\"stratum0.tld\\"",revision=6i,revisions_behind=-1i,'
        in row
    )
    assert row.endswith(f" {NANOSECONDS}")


def test_the_types_in_a_run_are_those_of_the_table() -> None:
    for row in render(runs.example()).splitlines():
        parsed = parse_line(row)
        types = {field.name: field.type for field in FIELDS[parsed["measurement"]]}
        assert {name: type(value) for name, value in parsed["fields"].items()} == {
            name: types[name] for name in parsed["fields"]
        }


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        case({"tags": {"t": ""}}, "m f=1i", id="an empty tag is left out"),
        case({"tags": {"t": " \n"}}, "m f=1i", id="a blank tag is left out"),
        case({"tags": {"t": "\\"}}, "m f=1i", id="a tag of nothing but a backslash is left out"),
        case({"tags": {"": "x"}}, "m f=1i", id="a tag without a key is left out"),
        case({"tags": {"t": "a\\\\"}}, "m,t=a f=1i", id="backslashes at the end of a tag are stripped"),
        case({"tags": {"t": "a\\b"}}, "m,t=a_b f=1i", id="a backslash in a tag is replaced"),
        case({"tags": {"t": "a\tb\nc"}}, "m,t=a\\ b\\ c f=1i", id="a tab or newline in a tag is a space"),
        case({"tags": {"t": "a,b=c d"}}, "m,t=a\\,b\\=c\\ d f=1i", id="a tag is escaped"),
        case({"tags": {"t": '"a"'}}, 'm,t="a" f=1i', id="quotes in a tag stand for themselves"),
        case({"tags": {"k=1": "a"}}, "m,k\\=1=a f=1i", id="a tag's key is escaped"),
        case({"tags": {"b": "2", "a": "1"}}, "m,a=1,b=2 f=1i", id="tags are sorted"),
        case({"tags": {"a1": "2", "a": "1"}}, "m,a=1,a1=2 f=1i", id="tags are sorted by key"),
        case({"tags": {"k": "1", "k\\": "2"}}, "m,k=2 f=1i", id="no tag comes twice"),
        case({"fields": {"f": 1, "g": math.nan}}, "m f=1i", id="NaN is left out"),
        case({"fields": {"f": 1, "g": math.inf}}, "m f=1i", id="infinity is left out"),
        case({"fields": {"f": 1, "g": -math.inf}}, "m f=1i", id="minus infinity is left out"),
        case({"fields": {"f": 1, "g": None}}, "m f=1i", id="what is not known is left out"),
        case({"fields": {"f": 2**63 - 1}}, "m f=9223372036854775807i", id="the largest integer is kept"),
        case({"fields": {"f": -(2**63)}}, "m f=-9223372036854775808i", id="the smallest integer is kept"),
        case({"fields": {"f": 1, "g": 2**63}}, "m f=1i", id="a larger integer is left out"),
        case({"fields": {"f": 1, "g": -(2**63) - 1}}, "m f=1i", id="a smaller integer is left out"),
        case({"fields": {"f": 1000000}}, "m f=1000000i", id="an integer has neither zeros nor underscores"),
        case({"fields": {"f": Health.UNKNOWN}}, "m f=3i", id="an enumerated integer is its number"),
        case({"fields": {"f": True}}, "m f=1i", id="a boolean is an integer, as all others in the table"),
        case({"fields": {"f": 1.0}}, "m f=1.0", id="a whole float remains a float"),
        case({"fields": {"f": 1e-7}}, "m f=1e-07", id="a small float has an exponent"),
        case({"fields": {"f": "a\\b"}}, 'm f="a\\\\b"', id="a backslash in a string is doubled"),
        case({"fields": {"f": 'a"b'}}, 'm f="a\\"b"', id="a quote in a string is escaped"),
        case({"fields": {"f": "a\\"}}, 'm f="a\\\\"', id="a string may end in a backslash"),
        case({"fields": {"f": "a\r\nb"}}, 'm f="a  b"', id="a line break in a string is a space each"),
        case({"fields": {"f": "a, b=c"}}, 'm f="a, b=c"', id="nothing else in a string is escaped"),
        case({"fields": {"f": ""}}, 'm f=""', id="an empty string is a value"),
        case({"fields": {"f": 1, "": 2}}, "m f=1i", id="a field without a key is left out"),
        case({"fields": {"f\\": 1}}, "m f=1i", id="a backslash at the end of a key is stripped"),
        case({"fields": {"b": 1, "a": 2}}, "m b=1i,a=2i", id="fields keep their order"),
        case({"name": "#m"}, "m f=1i", id="no measurement makes its line a comment"),
        case({"name": "a,b c=d"}, "a\\,b\\ c=d f=1i", id="a measurement is escaped, but for equals signs"),
        case({"name": "m\\"}, "m f=1i", id="a backslash at the end of a measurement is stripped"),
    ],
)  # fmt: skip
def test_what_telegraf_or_influxdb_would_refuse_is_not_written(row: dict[str, Any], expected: str) -> None:
    assert written(**row) == expected


@pytest.mark.parametrize("fields", [{}, {"f": None}, {"f": math.nan, "g": 2**64}, {"": 1}, {"\n": 1}])
def test_a_point_without_a_field_has_no_line(fields: dict[str, Any]) -> None:
    assert line(point(fields)) is None
    assert list(lines([point(fields), point(), point(fields)])) == [f"m f=1i {NANOSECONDS}\n"]


@pytest.mark.parametrize("name", ["", "#", " \t", "\\"])
def test_a_point_without_a_measurement_has_no_line(name: str) -> None:
    assert line(point(name=name)) is None


def test_a_long_string_is_cut_to_what_influxdb_keeps_and_never_within_a_character() -> None:
    parsed = read(point({"f": "x" + "é" * 40_000}))
    assert parsed["fields"]["f"] == "x" + "é" * 32_767


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (TIME, NANOSECONDS),
        (TIME.astimezone(timezone(timedelta(hours=-7))), NANOSECONDS),
        (EPOCH, 0),
        (datetime(1969, 12, 31, 23, 59, 59, 999999, UTC), -1000),
        (datetime(2262, 4, 11, 23, 47, 16, 854775, UTC), 9223372036854775000),
    ],
)
def test_time_is_exact(time: datetime, expected: int) -> None:
    assert read(point(time=time))["time"] == expected


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(TypeError):
        line(point(time=TIME.replace(tzinfo=None)))


@given(moments)
def test_any_time_is_exact(time: datetime) -> None:
    assert EPOCH + timedelta(microseconds=read(point(time=time))["time"] // 1000) == time


writable_points = st.builds(
    lambda name, tags, fields: point(fields, tags, name),
    anything,
    st.dictionaries(anything, anything, max_size=4),
    st.dictionaries(anything, st.one_of(anything, int64, readable), min_size=1, max_size=4),
)


def expected(row: Point) -> dict[str, Any] | None:
    """What is to be read back of a point, its time aside; None if it has no line."""
    name = plain(row.measurement.lstrip("#"))
    tags = {plain(key): plain(value) for key, value in row.tags.items()}
    fields = {plain(key): one_line(value) if isinstance(value, str) else value for key, value in row.fields.items()}
    fields.pop("", None)
    tags = {key: value for key, value in tags.items() if key and value}
    return {"measurement": name, "tags": tags, "fields": fields} if name and fields else None


@given(writable_points)
def test_whatever_is_written_reads_back_the_same(row: Point) -> None:
    wanted = expected(row)
    if wanted is None:
        assert line(row) is None
    else:
        assert read(row) == wanted | {"time": NANOSECONDS}


def test_telegraf_reads_back_the_same_too(telegraf: Path) -> None:
    rows: list[Point] = []

    @settings(max_examples=500, database=None)
    @given(writable_points)
    def collect(row: Point) -> None:
        rows.append(row)

    collect()
    wanted = [known for row in rows if (known := expected(row)) is not None]
    metrics = [parse_line(metric) for metric in parse(telegraf, "".join(lines(rows)))]
    assert [{key: metric[key] for key in ("measurement", "tags", "fields")} for metric in metrics] == wanted


def test_telegraf_reads_a_whole_run(telegraf_parses: Texts) -> None:
    telegraf_parses.add(render(runs.example()))


@given(
    name=anything,
    tags=st.dictionaries(anything, anything, max_size=3),
    fields=st.dictionaries(anything, st.one_of(anything, st.integers(), st.floats()), max_size=3),
)
def test_every_line_is_one_line_of_printable_utf8(
    name: str, tags: dict[str, str], fields: dict[str, str | int | float]
) -> None:
    text = "".join(lines([point(fields, tags, name)]))
    assert text.encode().decode() == text
    assert text.splitlines() == ([text[:-1]] if text else [])
    assert re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", text) is None


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_is_never_taken_for_an_integer_and_loses_nothing(value: float) -> None:
    text = written(fields={"f": value}).removeprefix("m f=")
    assert re.search("[.e]", text)
    assert math.copysign(1, float(text)) == math.copysign(1, value)
    assert float(text) == value


# Where the reference writer and this one must say the same. Left out is what the reference gets wrong: it
# writes integers beyond int64, comments, line breaks in strings, and changes tags that end in a backslash.
ordinary = st.text(alphabet=",= \"'éab0🙂.-", min_size=1, max_size=8).filter(str.strip)


@given(
    name=ordinary,
    tags=st.dictionaries(ordinary, ordinary, max_size=3),
    fields=st.dictionaries(
        ordinary,
        st.one_of(st.text(alphabet=AWKWARD).map(one_line), int64, readable, st.just(math.nan), st.just(math.inf)),
        min_size=1,
        max_size=4,
    ),
    time=moments,
)
def test_it_agrees_with_the_reference_writer(
    name: str, tags: dict[str, str], fields: dict[str, Any], time: datetime
) -> None:
    reference = ClientPoint(name).time(time)  # type: ignore[no-untyped-call]
    for key, text in tags.items():
        reference.tag(key, text)
    for key, value in fields.items():
        reference.field(key, value)
    theirs, ours = reference.to_line_protocol(), line(point(fields, tags, name, time))
    assert (ours and parse_line(ours)) == (parse_line(theirs) if theirs else None)


def test_the_default_format_loads_no_other_and_nothing_heavy() -> None:
    heavy = ["json", "rich", "requests", "urllib3", "cryptography", "logging", "socket", "asyncio"]
    others = [f"telegraf_cvmfs.emit.{module}" for name, module in FORMATS.items() if name != "influx"]
    program = (
        "import sys; from telegraf_cvmfs.emit import emitter; emitter('influx');"
        f"print([name for name in {heavy + others!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_writes_whole_lines_of_every_run(name: str) -> None:
    for run in (runs.example(), runs.run(), runs.run(runs.down_server())):
        text = "".join(emitter(name)(run))
        assert text == "" or text.endswith("\n")


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(KeyError):
        emitter("xml")
