"""A report as files: a workbook, JSON, a CSV file for each sheet, a page of Markdown; each whole or not at all."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import xlsxwriter
from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet

from telegraf_cvmfs.history.instants import iso
from telegraf_cvmfs.history.report.report import ReportAvailability
from telegraf_cvmfs.history.report.sheets import Sheet, Unit, Value
from telegraf_cvmfs.whole_file import write_whole
from telegraf_cvmfs.words.duration import in_words

_READABLE = 0o644
_DAY = 86400
_WIDEST = 60
_ROWS_ON_A_PAGE = 200
_FORMATS: Mapping[Unit, dict[str, Any]] = {
    Unit.TEXT: {},
    Unit.NUMBER: {"num_format": "0"},
    Unit.DECIMAL: {"num_format": "0.0"},
    Unit.SHARE: {"num_format": "0.000%"},
    Unit.SECONDS: {"num_format": "[h]:mm:ss"},
    Unit.MOMENT: {"num_format": "yyyy-mm-dd hh:mm:ss"},
}
_CHARTED = {"servers": ("server", "availability"), "served": ("repo", "availability")}


def write(
    report: ReportAvailability, folder: Path, label: str, *, force: bool = False
) -> tuple[list[Path], list[Path]]:
    """Write `<label>-availability-<month>` with every ending; returns what was written, and what was there already.

    Raises:
        OSError: a file cannot be written.
    """
    found, stem = report.sheets(), f"{label}-availability-{report.month}"
    ways: dict[str, Callable[[], bytes]] = {
        ".xlsx": lambda: workbook(found, report),
        ".json": lambda: document(found, report),
        ".md": lambda: page(found, report),
    }
    ways |= {f"-{sheet.name}.csv": lambda sheet=sheet: table(sheet) for sheet in found}  # type: ignore[misc]
    written, there = list[Path](), list[Path]()
    folder.mkdir(parents=True, exist_ok=True)
    for ending, made in ways.items():
        path = folder / f"{stem}{ending}"
        if path.exists() and not force:
            there.append(path)
            continue
        write_whole(path, made(), _READABLE)
        written.append(path)
    return written, there


def workbook(found: tuple[Sheet, ...], report: ReportAvailability) -> bytes:
    """An XLSX: a sheet for each, figures as values, and charts of availability."""
    text = io.BytesIO()
    settings = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "remove_timezone": True}
    with xlsxwriter.Workbook(text, settings) as book:
        book.set_properties({"title": f"Availability {report.month}", "created": report.until.replace(tzinfo=None)})
        for sheet in found:
            _fill(book, sheet)
    return text.getvalue()


def _fill(book: Workbook, sheet: Sheet) -> None:
    page, head = book.add_worksheet(sheet.title), book.add_format({"bold": True, "bottom": 1})
    page.freeze_panes(1, 0)
    for place, column in enumerate(sheet.columns):
        look = book.add_format(_FORMATS[column.unit])
        page.write_string(0, place, column.title, head)
        values = [row[place] for row in sheet.rows]
        for line, value in enumerate(values, 1):
            _put(page, (line, place), value, column.unit, look)
        shown = [len(value) for value in values if isinstance(value, str)] if column.unit is Unit.TEXT else [18]
        page.set_column(place, place, min(max([len(column.title), *shown]) + 2, _WIDEST))
    if sheet.rows:
        page.autofilter(0, 0, len(sheet.rows), len(sheet.columns) - 1)
    if sheet.rows and sheet.name in _CHARTED:
        _chart(book, page, sheet)


def _put(page: Worksheet, place: tuple[int, int], value: Value, unit: Unit, look: Any) -> None:  # noqa: ANN401
    if value is None or value == "":
        return
    if isinstance(value, str):
        page.write_string(*place, value, look)
    elif isinstance(value, datetime):
        page.write_datetime(*place, value, look)
    else:
        page.write_number(*place, value / _DAY if unit is Unit.SECONDS else value, look)


def _chart(book: Workbook, page: Worksheet, sheet: Sheet) -> None:
    names = [column.name for column in sheet.columns]
    label, value = (names.index(name) for name in _CHARTED[sheet.name])
    chart = book.add_chart({"type": "bar"})
    last = len(sheet.rows)
    chart.add_series({
        "name": sheet.columns[value].title,
        "categories": [sheet.title, 1, label, last, label],
        "values": [sheet.title, 1, value, last, value],
    })  # fmt: skip
    chart.set_x_axis({"min": 0, "max": 1, "num_format": "0%"})
    chart.set_y_axis({"reverse": True})
    chart.set_legend({"none": True})
    chart.set_size({"width": 640, "height": 120 + 18 * min(last, 60)})
    page.insert_chart(1, len(names) + 1, chart)


def document(found: tuple[Sheet, ...], report: ReportAvailability) -> bytes:
    """The same as JSON: times in seconds, shares of 1, moments in UTC."""
    head = {"month": report.month, "since": iso(report.since), "until": iso(report.until)}
    body = {sheet.name: [_plain(record) for record in sheet.records()] for sheet in found}
    return json.dumps(head | body, indent=2, ensure_ascii=False).encode() + b"\n"


def _plain(record: Mapping[str, Value]) -> dict[str, Value]:
    return {name: iso(value) if isinstance(value, datetime) else value for name, value in record.items()}


def table(sheet: Sheet) -> bytes:
    """A sheet as CSV, in the units of the JSON."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([column.name for column in sheet.columns])
    writer.writerows([iso(value) if isinstance(value, datetime) else value for value in row] for row in sheet.rows)
    return text.getvalue().encode()


def page(found: tuple[Sheet, ...], report: ReportAvailability) -> bytes:
    """A page of Markdown for people; long tables are cut, and say so."""
    parts = [f"# Availability {report.month}\n\nFrom {iso(report.since)} until {iso(report.until)}.\n"]
    for sheet in found:
        head = " | ".join(column.title for column in sheet.columns)
        lines = [f"| {head} |", "|" + "---|" * len(sheet.columns)]
        for row in sheet.rows[:_ROWS_ON_A_PAGE]:
            cells = (_shown(value, column.unit) for value, column in zip(row, sheet.columns, strict=True))
            lines.append(f"| {' | '.join(cells)} |")
        more = len(sheet.rows) - _ROWS_ON_A_PAGE
        lines += [f"\n{more} more are in the other files."] if more > 0 else []
        parts.append(f"## {sheet.title}\n\n" + ("\n".join(lines) if sheet.rows else "None.") + "\n")
    return "\n".join(parts).encode()


def _shown(value: Value, unit: Unit) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, str):
        return value.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
    if unit is Unit.SHARE:
        return f"{value:.3%}"
    if unit is Unit.SECONDS:
        return in_words(timedelta(seconds=value))
    return f"{value:.1f}" if unit is Unit.DECIMAL else str(value)
