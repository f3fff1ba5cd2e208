"""Every reader of what a stranger serves or an operator writes, and what must hold whatever it is given."""

from __future__ import annotations

import contextlib
import json
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime, timedelta
from enum import Enum
from fnmatch import fnmatchcase
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import urlsplit

from telegraf_cvmfs.assess.replica import FIRST_SNAPSHOT_FACTOR
from telegraf_cvmfs.fleet import file as fleet_file
from telegraf_cvmfs.fleet import values
from telegraf_cvmfs.model import ConfigError, Fleet, Manifest, ParseError, Whitelist
from telegraf_cvmfs.wire import geoapi, letter, manifest, repositories, status, whitelist
from telegraf_cvmfs.words.duration import in_words

HERE = Path(__file__).parent
SERVED = HERE.parent / "builders" / "documents"
FINDS = HERE / "finds"
FLEET_FILE = HERE / "fleet.toml"  # is not there: only the keys beside it are read
LONGEST_SENTENCE = 8192  # a path of 4096 characters, in words, and the keys that are known
MOST_SECONDS = 3.0  # of the processor, for an input of some 32 kB; what is linear takes a hundredth of that


@dataclass(frozen=True)
class Reader:
    """What reads bytes or refuses them; by what name such documents are served; words that they are made of."""

    read: Callable[[bytes], object]
    document: str
    words: tuple[str, ...]
    refusals: tuple[type[Exception], ...] = (ParseError,)
    refusal_starts: str = ""

    def seeds(self, name: str) -> list[bytes]:
        """Documents that are read."""
        paths = [*sorted(SERVED.rglob(self.document)), *sorted((HERE / "seeds" / name).glob("*"))]
        return [path.read_bytes() for path in paths]


def check(reader: Reader, body: bytes) -> None:
    """Fails unless it is read, or refused with one printable sentence; what was read is sound."""
    found: object = None
    refused: Exception | None = None
    try:
        found = reader.read(body)
    except reader.refusals as why:
        refused = why
    assert [leaf for leaf in leaves(found) if not is_sound(leaf)] == []
    if refused is not None:
        assert type(refused) in reader.refusals
        assert is_sentence(str(refused)), refused
        assert str(refused).startswith(reader.refusal_starts), refused


def is_sentence(text: str) -> bool:
    """Does it fit on one line that people read?"""
    return text.isprintable() and 0 < len(text) <= LONGEST_SENTENCE


def check_in_time(reader: Reader, body: bytes) -> None:
    """The same, and fails if it takes long: for inputs that show what is not linear."""
    started = time.process_time()
    check(reader, body)
    took = time.process_time() - started
    assert took < MOST_SECONDS, f"{len(body)} bytes took {took:.1f} s"


def leaves(value: Any) -> Iterator[object]:
    """All values in a value that are made of no others."""
    if is_dataclass(value):
        for field in fields(value):
            yield from leaves(getattr(value, field.name))
    elif isinstance(value, Mapping):
        for item in value.items():
            yield from leaves(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from leaves(item)
    else:
        yield value


def is_sound(leaf: object) -> bool:
    """Texts can be printed, moments are UTC, numbers are numbers, and there is nothing else."""
    match leaf:
        case str():
            return leaf.isprintable()
        case datetime():
            return leaf.utcoffset() == timedelta(0)
        case float():
            return math.isfinite(leaf)
        case None | int() | bytes() | timedelta() | PurePath() | Enum():
            return True
        case _:
            return False


# --- what is done with each document, as far as no other is needed ----------------------------------


def _manifest(body: bytes) -> Manifest:
    found = manifest.parse_manifest(body)
    if found.letter:
        with contextlib.suppress(letter.UnsupportedHashError):
            assert letter.digest(found.letter.text, found.letter.digest)[40:] == found.letter.digest[40:]
    assert letter.object_path(found.root_catalog, "C").startswith("data/")
    return found


def _whitelist(body: bytes) -> Whitelist:
    found = whitelist.parse_whitelist(body)
    assert found.refused_from <= found.expires
    return found


def _listing(body: bytes) -> object:
    found = repositories.parse_listing(body)
    assert all(repositories.is_repository_name(entry.name) for entry in found.entries)
    assert all(entry.path.startswith("/") and "/../" not in f"{entry.path}/" for entry in found.entries)
    assert len({(entry.name, entry.alias) for entry in found.entries}) == len(found.entries)
    return found


def _meta(body: bytes) -> object:
    found = repositories.parse_meta(body)
    json.dumps(found.custom, ensure_ascii=False, allow_nan=False).encode()
    return found


def _fleet(body: bytes) -> Fleet:
    """Any text at all: bytes that are not UTF-8 become lone surrogates, which `parse` must bear too."""
    fleet = fleet_file.parse(body.decode("utf-8", errors="surrogateescape"), FLEET_FILE)
    _run_with(fleet)
    return fleet


def _run_with(fleet: Fleet) -> None:
    """What a run does with a fleet before it has seen any server."""
    assert fleet.deadline.total_seconds() < threading.TIMEOUT_MAX
    assert len({server.name for server in fleet.servers}) == len(fleet.servers)
    for server in fleet.servers:
        assert urlsplit(server.url).hostname
    for glob in (*fleet.only, *fleet.ignore_repos, *(rule.name for rule in fleet.rules)):
        fnmatchcase("main.genuine.example", glob)
    slowest = max((rule.snapshot_factor for rule in fleet.rules), default=1.0) * FIRST_SNAPSHOT_FACTOR
    limits = {id(server.limits): server.limits for server in fleet.servers}.values()
    for limit in {limit for table in limits for limit in table.values()}:
        spans = [span for span in (limit.warning, limit.critical) if isinstance(span, timedelta)]
        assert all(in_words(span * slowest) for span in spans)


def _settings(body: bytes) -> list[object]:
    """Every kind of value that a fleet file may hold, given the same one: a JSON value, or else the text."""
    text = body.decode("utf-8", errors="surrogateescape")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = text
    return [_converted(convert, value) for convert in _CONVERTERS]


def _converted(convert: Callable[[Any], Any], value: object) -> object:
    try:
        return convert(value)
    except ValueError as why:
        if type(why) is ValueError and is_sentence(str(why)):
            return str(why)
        raise


_CONVERTERS = {
    convert.__name__: convert  # those of the limits are two, again and again
    for keys in fleet_file.SECTIONS.values()
    for convert in keys.values()
    if convert is not values.table  # gives back what it got
}.values()

_DATES = (
    *("Sat Nov 21 12:00:01 UTC 2026", "2026-11-21T12:00:01Z", "+00:00", "CEST", "PM", "AM", "9999-12-31T23:59:59"),
    *("0001-01-01T00:00:00+14:00", "Mon", "Sun, ", "Feb ", "29 ", "24:00:00", "2026-W53-7", "20261121T120001,5-0330"),
)
_HASHES = ("21f45d5d2d1afefd28cd7f2a4bf2ab9fd2cb9cbc", "-rmd160", "-shake128", "d41d8cd98f00b204e9800998ecf8427e")
_JSON = ('{"', '": ', '", ', "[", "]", "{", "}", "[]", "null", "true", "1e999", "-0", "NaN", "\\ud800", "\\u0000")
_TOML = (
    *("[", "]", "[[", "]]", "{", "}", "=", ".", ",", "#", '"', "'", '"""', "'''", "\n", "\r\n", "\t", "a.", "0x", "_"),
    *("true", "inf", "nan", "1e9", "2026-11-21T12:00:01Z", "0001-01-01", "\\u0000", "\\U0010ffff", "[]", "{}"),
)

READERS: Mapping[str, Reader] = {
    "manifest": Reader(
        _manifest,
        ".cvmfspublished",
        (
            *(f"\n{key}" for key in "CBRDSGALNXHTMY"),
            *_HASHES,
            "\n--\n",
            "yes",
            "18446744073709551615",
            "\nT9223372036854775808\n",
            "\nS1 \n",
        ),
    ),
    "whitelist": Reader(
        _whitelist,
        ".cvmfswhitelist",
        (
            *_HASHES,
            "\n--\n",
            "20261121120001",
            "\nE99991231235959",
            "E20261321120001\n",
            "\nN",
            "\nVpkcs7",
            "\nWcachain",
            "AB:CD:",
            " # ",
        ),
    ),
    "status": Reader(
        status.parse_status,
        ".cvmfs_status.json",
        (*_JSON, *_DATES, "last_snapshot", "last_gc", "last_check", "check_status", "succeeded", "failed"),
    ),
    "last_snapshot": Reader(status.parse_last_snapshot, ".cvmfs_last_snapshot", _DATES),
    "snapshotting": Reader(status.parse_snapshotting, ".cvmfs_is_snapshotting", (*_DATES, "<html>")),
    "listing": Reader(
        _listing,
        "repositories.json",
        (
            *(*_JSON, *_DATES[:3], "schema", "repositories", "replicas", "name", "url", "alias", "pass-through"),
            *("last_geodb_update", "cvmfs_version", "os_id", "/cvmfs/", "/..", "a.example", "./", "/", "%2e"),
        ),
    ),
    "meta": Reader(_meta, "meta.json", (*_JSON, "administrator", "email", "organisation", "custom", '":{"', "\\n")),
    "geoapi": Reader(lambda body: geoapi.parse_order(body, 3), "geoapi", ("1", "2,", ", 3", "\n", " ", "000000001")),
    "fleet": Reader(
        _fleet,
        "fleet.toml",
        (
            *_TOML,
            *(f"\n[{name}]\n" for name in fleet_file.SECTIONS),
            *(f"\n[[{name}]]\n" for name in ("server", "repository")),
            *(f"\n{key} = " for keys in fleet_file.SECTIONS.values() for key in keys),
            *('"8h"', '"off"', '"1.5w"', '"stratum1"', '"sync"', '"s3"', '"http://a.example:8000"', '["key.pub"]'),
            *('"[::1]:80"', '["a.example", "*.b"]', '"environment"', '"999999999d"', '["[!a-z"]'),
        ),
        (ConfigError,),
        f"fleet file {FLEET_FILE}",
    ),
    "settings": Reader(
        _settings,
        "settings",
        (
            *_JSON,
            *("http://", "https://", "[::1]", ":80", "/cvmfs", "@", "%", "?", "#", "environment", "..", "stratum0"),
            *("8h", "1.5d", "99999999", "ms", "off", "s3", "auto", "a.example", "1e-320", "1e5"),
        ),
        (),
    ),
}
"""By name; the name is also that of the folders of its seeds and finds."""
