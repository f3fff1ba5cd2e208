"""A few seconds of hostile input for every reader, and all that once broke one; `make fuzz` gives more."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telegraf_cvmfs.fleet.file import load, parse
from telegraf_cvmfs.model import ConfigError
from tests.builders.documents import damaged
from tests.fuzz.mutations import PUMPED, WIDTHS, pumped
from tests.fuzz.readers import FINDS, FLEET_FILE, READERS, Reader, check, check_in_time

MOST_BYTES = 2000 * PUMPED

every_reader = pytest.mark.parametrize("name", READERS)


@st.composite
def documents(draw: st.DrawFn, name: str) -> bytes:
    """A seed with a piece replaced or a word put in, or words one after the other with noise between them."""
    words = st.sampled_from([word.encode() for word in READERS[name].words])
    seed = draw(st.sampled_from(READERS[name].seeds(name)))
    start = draw(st.integers(0, len(seed)))
    with_word = words.map(lambda word: seed[:start] + word + seed[start:])
    joined = st.lists(words | st.binary(max_size=3), max_size=30).map(b"".join)
    return draw(with_word | damaged(seed) | joined)


@every_reader
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whatever_a_reader_is_given_it_reads_or_refuses_in_one_sentence(name: str, data: st.DataObject) -> None:
    check(READERS[name], data.draw(documents(name)))


@every_reader
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_piece_repeated_to_32_kilobytes_costs_neither_time_nor_the_stack(name: str, data: st.DataObject) -> None:
    document = data.draw(documents(name))
    start = data.draw(st.integers(0, len(document)))
    check_in_time(READERS[name], pumped(document, start, data.draw(st.sampled_from(WIDTHS))))


@every_reader
def test_each_kind_of_character_of_the_seeds_may_be_repeated_to_32_kilobytes(name: str) -> None:
    for seed in READERS[name].seeds(name):
        for start in {seed.rindex(byte) for byte in set(seed)}:
            check_in_time(READERS[name], pumped(seed, start, 1))


@every_reader
def test_a_word_repeated_to_32_kilobytes_costs_little_time_and_memory(name: str) -> None:
    for word in READERS[name].words:
        assert memory_for(READERS[name], pumped(word.encode(), 0, len(word.encode()))) < MOST_BYTES, word


def memory_for(reader: Reader, body: bytes) -> int:
    """The most bytes that were in use at once."""
    tracemalloc.start()
    try:
        check_in_time(reader, body)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@every_reader
def test_the_seeds_are_documents_that_are_read(name: str) -> None:
    seeds = READERS[name].seeds(name)
    assert seeds
    for seed in seeds:
        READERS[name].read(seed)


@pytest.mark.parametrize("find", sorted(FINDS.glob("*/*")), ids=lambda find: f"{find.parent.name}/{find.name}")
def test_what_once_broke_a_reader_breaks_it_no_more(find: Path) -> None:
    check_in_time(READERS[find.parent.name], find.read_bytes())


# --- finds that are not bytes -----------------------------------------------------------------------


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text, FLEET_FILE)
    return str(caught.value)


@pytest.mark.parametrize("character", ["\u0085", "\u2028", "\u2029"], ids=ascii)
def test_a_character_that_only_python_takes_for_a_line_break_does_not_move_the_line(character: str) -> None:
    assert ", line 3: [fleet] names: unknown key" in refusal(f"[fleet]\n# {character}\nnames = 'x'\n")


@pytest.mark.parametrize(
    "url", ["http://[", "http://[::1", "http://[a]", "[::1]]", "[::1]a:80", "[::1][::2]", "@a", ":@a"]
)
def test_a_server_that_cannot_be_taken_apart_is_refused_as_any_other(url: str) -> None:
    assert "expected a server such as" in refusal(f"[[server]]\nurl = '{url}'\nrole = 'sync'\n")


def test_a_fleet_file_without_end_is_refused() -> None:
    with pytest.raises(ConfigError, match="fleet file /dev/zero: it is a device, and no file"):
        load(Path("/dev/zero"))


def test_a_key_file_without_end_is_refused() -> None:
    assert refusal("[fleet]\nkeys = ['/dev/zero']\n").endswith("/dev/zero: it is a device, and no file")


def test_a_key_may_have_50_parts_and_no_more() -> None:
    assert "unknown section" in refusal(".".join("a" * 50) + " = 1")
    assert "line 2: not TOML that can be read: a key of more than 50 parts" in refusal(
        "\n" + ".".join("a" * 51) + " = 1"
    )


def test_a_list_of_many_dotted_names_is_no_deep_key() -> None:
    names = [f"a{number}.b.example.org" for number in range(100)]
    assert parse(f"# {'. ' * 100}\n[fleet]\nrepos = {names}\n", FLEET_FILE).repos == tuple(names)


@pytest.mark.slow
def test_many_servers_do_not_take_quadratic_time() -> None:
    text = "".join(f"[[server]]\nurl = 'a{number}'\nrole = 'sync'\n" for number in range(20_000))
    started = time.process_time()
    assert len(parse(text, FLEET_FILE).servers) == 20_000
    assert time.process_time() - started < 8
