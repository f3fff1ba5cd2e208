"""The file that keeps what the relay knows between restarts: the alerts, and the messages that were not taken yet.

JSON, written to a temporary name and renamed, mode 0600. It holds texts of alerts and no secret.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from grafana.relay.alert import Alert, clean, web_address
from grafana.relay.damping import MOST_ALERTS, Standing, State
from grafana.relay.message import Kind, Message, News
from grafana.relay.outbox import MOST_MESSAGES, Outbox, Parcel
from telegraf_cvmfs.whole_file import read_file, write_whole

VERSION = 1
LARGEST = 32 * 1024 * 1024
"""Bytes of a file that are read at most; full, it has eight million."""


class StoreError(Exception):
    """The file cannot be read or written, or is not ours; str() says which and why."""


@dataclass(frozen=True)
class Kept:
    """What is kept: the alerts, and an outbox for each receiver, by its name."""

    state: State = field(default_factory=dict)
    outboxes: Mapping[str, Outbox] = field(default_factory=dict)


def read(path: Path) -> Kept:
    """What was kept; nothing if there is no file yet.

    Raises:
        StoreError: the file is there and cannot be read.
        ValueError: it was not written by this program, or by another version of it.
    """
    try:
        body = read_file(path, LARGEST)
    except FileNotFoundError:
        return Kept()
    except OSError as error:
        raise StoreError(f"state file {path}: cannot be read ({error.strerror or error})") from error
    try:
        if len(body) > LARGEST:
            raise ValueError("too large")
        return _kept(json.loads(body))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"state file {path}: not what this program writes") from error


def write(path: Path, kept: Kept) -> None:
    """Keep it, whole or not at all.

    Raises:
        StoreError: it cannot be written.
    """
    document = {
        "version": VERSION,
        "alerts": [asdict(standing) for standing in kept.state.values()],
        "outboxes": {name: [asdict(parcel) for parcel in outbox] for name, outbox in kept.outboxes.items()},
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(path, json.dumps(document, separators=(",", ":")).encode())
    except OSError as error:
        raise StoreError(f"state file {path}: cannot be written ({error.strerror})") from error


Row = Mapping[str, Any]

# --- from JSON: the file may have been edited, so everything is read as if it came from outside -----------


def _kept(document: Row) -> Kept:
    if document["version"] != VERSION:
        raise ValueError("another version")
    standings = [_standing(row) for row in document["alerts"][:MOST_ALERTS]]
    outboxes = {str(name): _outbox(rows) for name, rows in document["outboxes"].items()}
    return Kept({standing.alert.fingerprint: standing for standing in standings}, outboxes)


def _standing(row: Row) -> Standing:
    if not row["changes"]:
        raise ValueError("an alert without a change")
    return Standing(
        alert=_alert(row["alert"]),
        firing=row["firing"] is True,
        since=_number(row["since"]),
        seen=_number(row["seen"]),
        confirmed=_number_or_none(row["confirmed"]),
        changes=tuple(_number(time) for time in row["changes"]),
        flapping=_number_or_none(row["flapping"]),
        told=None if row["told"] is None else Kind(row["told"]),
        told_at=_number(row["told_at"]),
    )


def _alert(row: Row) -> Alert:
    return Alert(
        fingerprint=clean(row["fingerprint"], 64),
        name=clean(row["name"]),
        severity=clean(row["severity"]),
        place=clean(row["place"]),
        summary=clean(row["summary"]),
        link=web_address(row["link"]),
        runbook=web_address(row["runbook"]),
        started=_number_or_none(row["started"]),
    )


def _outbox(rows: Sequence[Row]) -> Outbox:
    return tuple(
        Parcel(_message(row["message"]), int(row["attempts"]), _number(row["due"])) for row in rows[-MOST_MESSAGES:]
    )


def _message(row: Row) -> Message:
    return Message(
        identity=clean(row["identity"], 64),
        made=_number(row["made"]),
        counts=tuple((clean(label), int(count)) for label, count in row["counts"]),
        worst=tuple(News(_alert(news["alert"]), Kind(news["kind"]), news["again"] is True) for news in row["worst"]),
        still_open=int(row["still_open"]),
    )


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError("not a number")
    return float(value)


def _number_or_none(value: object) -> float | None:
    return None if value is None else _number(value)
