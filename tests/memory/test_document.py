"""The document of a memory: whatever happens to its bytes, nothing but what was written is believed."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraf_cvmfs.memory.document import document, parse
from telegraf_cvmfs.memory.file import read, write
from telegraf_cvmfs.memory.state import State
from telegraf_cvmfs.memory.value import Memory, Publication, Remembered
from telegraf_cvmfs.model import Entry, Key, Partial, Signature, Trust

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HASH = "519e3e797e3351ae5cefc7c0c964441457484d78"
MEMORY = Memory(
    {
        "stratum1.example.org": (
            Remembered(Entry("repo.tld", "/cvmfs/repo.tld", replica=True), NOW, 7, HASH, NOW, NOW, 512, HASH),
            Remembered(Entry("b.tld", "/opt/b", replica=False, alias="b", pass_through=True), NOW - timedelta(days=1)),
            *(
                Remembered(
                    Entry(f"{value}.tld".lower(), f"/cvmfs/{value}.tld".lower(), replica=True),
                    NOW,
                    partial=Partial(value, NOW),
                )
                for value in (True, False, None)
            ),
        )
    },
    {"repo.tld": (Publication(6, NOW - timedelta(hours=9), "a" * 6), Publication(7, NOW, "b" * 6))},
    {HASH: b"a certificate"},
    {"c" * 32: Trust(Signature.OK, "", Key("", "AA:BB"), certificate_read=True, fingerprint="CC", proof="c" * 32)},
    {"stratum1.example.org": NOW},
)
BODY = b"".join(document(MEMORY))
OLDER = re.sub(rb',"checksum":"[0-9a-f]{64}"}', b"}", BODY)


def test_what_was_written_is_what_is_read() -> None:
    assert parse(BODY) == parse(BODY + b"\n") == MEMORY


def test_a_file_of_an_older_version_has_no_checksum_and_is_read_and_gets_one(tmp_path: Path) -> None:
    path = tmp_path / "memory.json"
    path.write_bytes(OLDER)
    assert len(OLDER) < len(BODY)
    assert read(path) == MEMORY
    write(path, read(path))
    assert path.read_bytes() == BODY


def test_no_byte_can_be_another_unseen() -> None:
    for at in range(len(BODY)):
        for changed in (BODY[at] ^ 1, (at * 37 + 11) % 256, ord("0") + at % 10):
            if changed != BODY[at]:
                with pytest.raises(ValueError):  # noqa: PT011  # json has words of its own
                    parse(BODY[:at] + bytes([changed]) + BODY[at + 1 :])


@given(st.lists(st.tuples(st.integers(0, len(BODY)), st.integers(0, 9), st.binary(max_size=9)), min_size=1, max_size=9))
def test_whatever_is_changed_taken_out_or_put_in_is_not_believed(changes: list[tuple[int, int, bytes]]) -> None:
    damaged = BODY
    for at, gone, new in changes:
        damaged = damaged[:at] + new + damaged[at + gone :]
    if damaged.strip() == BODY:
        return
    with pytest.raises(ValueError):  # noqa: PT011  # as above
        parse(damaged)


@pytest.mark.parametrize("at", [BODY.index(b'"checksum"') + 3, BODY.index(b'"repo.tld"') + 3, len(BODY) - 9, 0])
def test_a_damaged_file_is_set_aside_said_once_and_begun_anew(tmp_path: Path, at: int) -> None:
    path = tmp_path / "memory.json"
    path.write_bytes(BODY[:at] + b"8" + BODY[at + 1 :])
    said: list[str] = []
    assert State(path, said.append).memory == Memory()
    assert (len(said), path.exists(), path.with_name("memory.json.bad").exists()) == (1, False, True)
