"""A CSV file that is too large, in parts that each begin with its header."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def split(path: Path, most: int) -> list[Path]:
    """The file itself if it has at most so many bytes, else its parts `<name>_split0.csv`, `_split1`, …, beside it.

    Parts end where records do. A record that is too large alone is a part alone: nothing is left out.
    """
    if path.stat().st_size <= most:
        return [path]
    with path.open("rb") as file:
        records = _records(file)
        header = next(records)
        parts = [_part(path, number, header, part) for number, part in enumerate(_parts(records, most - len(header)))]
    path.unlink()
    return parts


def _part(path: Path, number: int, header: bytes, records: list[bytes]) -> Path:
    part = path.with_name(f"{path.stem}_split{number}{path.suffix}")
    with part.open("wb") as file:
        file.write(header)
        file.writelines(records)
    return part


def _parts(records: Iterator[bytes], most: int) -> Iterator[list[bytes]]:
    part, size = list[bytes](), 0
    for record in records:
        if part and size + len(record) > most:
            yield part
            part, size = [], 0
        part.append(record)
        size += len(record)
    if part:
        yield part


def _records(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Lines, but for those within quotes."""
    record = b""
    for line in lines:
        record += line
        if record.count(b'"') % 2 == 0:
            yield record
            record = b""
    if record:
        yield record
