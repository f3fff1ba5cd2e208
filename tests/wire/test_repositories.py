from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telegraf_cvmfs.model import Entry, Listing, Meta, ParseError
from telegraf_cvmfs.wire.repositories import MOST_ENTRIES, is_repository_name, parse_listing, parse_meta
from tests.builders.documents import JSON_BOMB, STRATA, WEB_PAGE, as_json, damaged, served, survives

GENUINE = served("genuine/stratum1a/repositories.json")
META = served("genuine/stratum1a/meta.json")
NAME = "main.genuine.example"


def listing(*replicas: object, **others: object) -> Listing:
    return parse_listing(as_json({"schema": 1, "replicas": list(replicas)} | others))


def only(entry: object) -> Entry:
    (found,) = listing(entry).entries
    return found


def test_a_genuine_list_of_a_stratum_1_is_read() -> None:
    assert parse_listing(GENUINE) == Listing(
        entries=(Entry(NAME, f"/cvmfs/{NAME}", replica=True),),
        last_geodb_update=datetime(2026, 11, 22, 15, 21, 35, tzinfo=UTC),
        cvmfs_version="2.12.0-1",
        os_id="debian",
        os_version_id="12",
        os_pretty_name="Debian GNU/Linux 12 (bookworm)",
        schema=1,
    )


def test_a_genuine_list_of_a_stratum_0_is_read() -> None:
    found = parse_listing(served("genuine/stratum0/repositories.json"))
    assert found.entries == (Entry(NAME, f"/cvmfs/{NAME}", replica=False),)
    assert found.last_geodb_update is None


def test_a_genuine_list_without_versions_is_read() -> None:
    found = parse_listing(served("genuine/stratum1b/repositories.json"))
    assert found == Listing((Entry(NAME, f"/cvmfs/{NAME}", replica=True),), schema=1)


def test_a_list_may_have_both_kinds_of_repositories() -> None:
    found = listing({"name": "a.example"}, repositories=[{"name": "b.example"}])
    assert {(entry.name, entry.replica) for entry in found.entries} == {("a.example", True), ("b.example", False)}


@pytest.mark.parametrize("key", ["repositories", "replicas"])
def test_either_list_alone_may_be_there_and_be_empty(key: str) -> None:
    assert parse_listing(as_json({key: []})) == Listing(())
    assert parse_listing(as_json({"repositories": None, "replicas": None} | {key: []})) == Listing(())


@pytest.mark.parametrize("schema", [2, 0, None, "1", True, 1.5, [1]], ids=repr)
def test_another_schema_is_tolerated(schema: object) -> None:
    found = listing({"name": "a.example"}, schema=schema)
    assert [entry.name for entry in found.entries] == ["a.example"]
    assert found.schema == (schema if type(schema) is int else None)
    assert [key for key, _ in found.unreadable] == ([] if schema is None or type(schema) is int else ["schema"])


def test_the_path_is_the_url_and_not_made_from_the_name() -> None:
    entry = only({"name": "a.example", "alias": "b", "url": "/cvmfs/b"})
    assert entry == Entry("a.example", "/cvmfs/b", replica=True, alias="b")


def test_a_path_outside_of_cvmfs_has_its_last_part_as_alias() -> None:
    assert only({"name": "boss.cern.ch", "url": "/opt/boss"}).alias == "boss"
    assert only({"name": "a.example", "url": "/opt/a.example"}).alias == "a.example"


def test_without_a_url_the_directory_is_the_alias_or_the_name() -> None:
    assert only({"name": "a.example"}).path == "/cvmfs/a.example"
    assert only({"name": "a.example", "alias": "b"}) == Entry("a.example", "/cvmfs/b", replica=True, alias="b")


@pytest.mark.parametrize("alias", ["a.example", "", "../x", "a b", None, 5, ["b"], "x" * 300], ids=repr)
def test_an_alias_that_says_nothing_is_none(alias: object) -> None:
    assert only({"name": "a.example", "alias": alias, "url": "/cvmfs/a.example"}).alias is None


def test_a_final_slash_of_a_path_does_not_matter() -> None:
    assert only({"name": "a.example", "url": "/cvmfs/a.example/"}) == only({"name": "a.example"})


@pytest.mark.parametrize(("value", "meant"), [(True, True), (False, False), (None, False)])
def test_pass_through_is_true_or_false(value: object, meant: bool) -> None:
    assert only({"name": "a.example", "pass-through": value}).pass_through is meant


@pytest.mark.parametrize(
    ("value", "named"), [("yes", "'yes'"), (1, "'1'"), (0, "'0'"), ([], "a list"), ({}, "an object")]
)
def test_a_pass_through_that_is_not_understood_is_named(value: object, named: str) -> None:
    found = listing({"name": "a.example", "pass-through": value})
    assert found.unreadable == (("pass-through", f"of a.example, pass-through is not understood: {named}"),)


def test_what_may_not_be_held_at_all_is_not_judged() -> None:
    assert only({"name": "a.example", "pass-through": "yes"}).pass_through


@pytest.mark.parametrize("alias", ["../x", "a b", 5, ["b"], "x" * 300], ids=repr)
def test_an_alias_that_is_not_understood_is_named_and_without_a_url_nothing_can_be_asked_for(alias: object) -> None:
    assert [key for key, _ in listing({"name": "a.example", "alias": alias, "url": "/x/b"}).unreadable] == ["alias"]
    found = listing({"name": "a.example", "alias": alias})
    assert (found.entries, len(found.rejected), found.unreadable) == ((), 1, ())


@pytest.mark.parametrize("alias", ["a.example", "", None])
def test_an_alias_that_says_nothing_is_understood(alias: object) -> None:
    assert listing({"name": "a.example", "alias": alias}).unreadable == ()


KEYS = ("schema", "last_geodb_update", "cvmfs_version", "os_id", "os_version_id", "os_pretty_name")


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("value", [1.5, True, ["x"], {}, "[" * 3], ids=repr)
def test_each_key_that_is_there_and_not_understood_is_named(key: str, value: object) -> None:
    labels = isinstance(value, str) and key not in ("schema", "last_geodb_update")
    assert [name for name, _ in listing(**{key: value}).unreadable] == ([] if labels else [key])


@pytest.mark.parametrize("key", [*KEYS, "one_that_is_yet_to_come"])
def test_what_is_not_there_and_keys_that_are_not_known_are_no_fault(key: str) -> None:
    assert listing(**{key: None}).unreadable == ()
    assert listing(one_that_is_yet_to_come={"a": [1]}).unreadable == ()


def test_what_is_said_of_a_value_is_short_and_on_one_line() -> None:
    ((_, clause),) = listing(last_geodb_update="\x1b[31m\n\ud800" * 999).unreadable
    assert len(clause) < 400
    assert clause.isprintable()
    assert clause.isascii()


def test_of_a_repository_in_both_lists_the_replica_stays() -> None:
    found = listing({"name": "a.example"}, repositories=[{"name": "a.example"}])
    assert found.entries == (Entry("a.example", "/cvmfs/a.example", replica=True),)


def test_of_two_equal_entries_in_one_list_the_first_stays() -> None:
    first, second = {"name": "a.example", "pass-through": True}, {"name": "a.example"}
    assert [entry.pass_through for entry in listing(first, second).entries] == [True]
    assert [entry.pass_through for entry in listing(repositories=[first, second]).entries] == [True]


def test_the_same_repository_twice_is_one_and_under_an_alias_another() -> None:
    found = listing({"name": "a.example"}, {"name": "a.example"}, {"name": "a.example", "url": "/cvmfs/b"})
    assert [(entry.name, entry.alias) for entry in found.entries] == [("a.example", None), ("a.example", "b")]


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        ".hidden",
        "-rf",
        "../../x?y=1",
        "a/../b",
        "a..b",
        "a/b",
        "a b",
        "a\n",
        "a\x00",
        "a,b=c",
        "a%2e",
        "a\\b",
        "\u0430tlas.cern.ch",
        "\ud800",
        "a" * 254,
        "a" * 100_000,
        None,
        5,
        ["a.example"],
        {"a": 1},
    ],
    ids=lambda name: ascii(name)[:20],
)
def test_an_entry_with_a_hostile_name_is_rejected_with_a_sentence_and_the_others_stay(name: object) -> None:
    found = listing({"name": name}, {"name": "good.example"})
    assert [entry.name for entry in found.entries] == ["good.example"]
    (sentence,) = found.rejected
    assert sentence.startswith("replicas: an entry")
    assert sentence.isprintable()
    assert sentence.isascii()
    assert len(sentence) < 200


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/",
        "cvmfs/a.example",
        "http://other.example/cvmfs/a.example",
        "//other.example/cvmfs/a.example",
        "/cvmfs//a.example",
        "/cvmfs/../etc/passwd",
        "/cvmfs/./a.example",
        "/cvmfs/.",
        "/cvmfs/a.example?x=1",
        "/cvmfs/a.example#x",
        "/cvmfs/%2e%2e/x",
        "/cvmfs/a example",
        "/cvmfs/a.example\n",
        "/cvmfs/\u00e9",
        "/cvmfs/\ud800",
        "/cvmfs/" + "a" * 2000,
        "/a" * 100_000,
        5,
        ["/cvmfs/a.example"],
        {"a": {"b": 1}},
    ],
    ids=lambda url: ascii(url)[:30],
)
def test_an_entry_with_a_hostile_path_is_rejected_with_a_sentence_and_the_others_stay(url: object) -> None:
    found = listing({"name": "a.example", "url": url}, {"name": "good.example"})
    assert [entry.name for entry in found.entries] == ["good.example"]
    (sentence,) = found.rejected
    assert sentence.startswith("replicas: an entry's url is not")
    assert sentence.isprintable()
    assert len(sentence) < 200


def test_a_path_has_at_most_1024_characters() -> None:
    path = "/" + "a" * 1023
    assert only({"name": "a.example", "url": path}).path == path
    assert listing({"name": "a.example", "url": path + "a"}).entries == ()


@pytest.mark.parametrize("entry", [None, "a.example", 5, [], [{"name": "a.example"}]], ids=repr)
def test_an_entry_that_is_no_object_is_rejected(entry: object) -> None:
    assert listing(entry) == Listing((), schema=1, rejected=("replicas: an entry is not an object",))


@pytest.mark.parametrize("name", ["a", "A0", "atlas.cern.ch", "a_b-c.example", "0.example", "a." * 126 + "b"])
def test_a_usual_name_is_one(name: str) -> None:
    assert is_repository_name(name)


@pytest.mark.parametrize("key", ["cvmfs_version", "os_id", "os_version_id", "os_pretty_name"])
def test_a_version_is_text_for_people_or_nothing(key: str) -> None:
    def version(value: object) -> Any:
        return getattr(listing(**{key: value}), key)

    assert version(" caf\u00e9 9 ") == "caf\u00e9 9"
    assert version("a\nb\x1b[31m\ud800\u202e") == "a?b?[31m??"
    assert len(version("x" * 9999)) == 200
    nothing: list[object] = [None, "", "  ", 5, ["x"], {}]
    assert [version(value) for value in nothing] == [None] * 6


@pytest.mark.parametrize("value", [None, "", "None", "soon", 5, []], ids=repr)
def test_a_date_of_the_geo_database_that_cannot_be_read_is_none(value: object) -> None:
    assert listing(last_geodb_update=value).last_geodb_update is None


def test_at_most_two_thousand_entries_are_taken() -> None:
    entries = [{"name": f"r{number}.example"} for number in range(MOST_ENTRIES)]
    assert len(listing(*entries).entries) == MOST_ENTRIES
    with pytest.raises(ParseError, match=r"^repositories\.json: more than 2000 entries$"):
        listing(*entries, repositories=[{"name": "one.more"}])


@pytest.mark.parametrize("document", [{}, {"schema": 1}, {"repositories": None}, {"error": "not found"}], ids=str)
def test_json_without_a_list_is_not_a_list_of_repositories(document: object) -> None:
    with pytest.raises(ParseError, match=r"^repositories\.json: not a list of repositories$"):
        parse_listing(as_json(document))


@pytest.mark.parametrize("value", [{"a": []}, "x", 5, True], ids=str)
def test_a_list_that_is_no_list_is_an_error(value: object) -> None:
    with pytest.raises(ParseError, match=r"^repositories\.json: replicas is not a list$"):
        parse_listing(as_json({"repositories": [], "replicas": value}))


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"{", b"NaN", WEB_PAGE, JSON_BOMB, b"[" * 100_000, b'{"a":' * 100_000, b"9" * 5000],
    ids=lambda body: repr(body[:20]),
)
def test_what_is_no_json_object_is_an_error(body: bytes) -> None:
    with pytest.raises(ParseError, match=r"^repositories\.json: not "):
        parse_listing(body)
    with pytest.raises(ParseError, match=r"^meta\.json: not "):
        parse_meta(body)


def test_the_place_of_a_slip_in_a_file_written_by_hand_is_named() -> None:
    with pytest.raises(ParseError, match=r"^meta\.json: not JSON, line 2 column 10$"):
        parse_meta(b'{\n"email": admin@x.example}')


@pytest.mark.parametrize(("stratum", "short"), list(zip(STRATA, ("s0", "s1a", "s1b"), strict=True)))
def test_genuine_meta_information_is_read(stratum: str, short: str) -> None:
    assert parse_meta(served(f"genuine/{stratum}/meta.json")) == Meta(
        administrator="Ad Ministrator",
        email="admin@genuine.example",
        organisation=f"Genuine Test Lab {short}",
        custom={"_comment": "Put arbitrary structured data here"},
    )


def test_meta_information_may_be_missing_or_of_other_types() -> None:
    assert parse_meta(b"{}") == Meta()
    assert parse_meta(as_json({"administrator": ["a"], "email": None, "organisation": 5})) == Meta(
        unreadable=(
            ("administrator", "administrator is not understood: a list"),
            ("organisation", "organisation is not understood: '5'"),
        )
    )


def test_custom_information_can_always_be_written_as_json_and_utf_8() -> None:
    body = b'{"custom": {"a\\ud800": ["\\u0007", 1e999, -1e999, 0.5, true, null, "ok"]}}'
    custom = parse_meta(body).custom
    assert custom == {"a?": ["?", None, None, 0.5, True, None, "ok"]}
    assert json.dumps(custom, allow_nan=False, ensure_ascii=False).encode()


@pytest.mark.parametrize("one", ["[{}]", '{{"a":{}}}'])
def test_custom_information_that_is_nested_without_end_is_dropped_and_the_rest_kept(one: str) -> None:
    nested = "1"
    for _ in range(400):
        nested = one.format(nested)
    assert parse_meta(f'{{"email": "a@b", "custom": {nested}}}'.encode()) == Meta(
        email="a@b", unreadable=(("custom", "custom is not understood: nested too deeply"),)
    )


ENTRIES = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "name": st.text() | st.from_regex(r"[a-z]{1,3}\.example", fullmatch=True),
            "alias": st.text() | st.none() | st.integers(),
            "url": st.text("/.a", max_size=9) | st.text() | st.none() | st.lists(st.text()),
            "pass-through": st.booleans() | st.none(),
        },
    )
)


@given(ENTRIES, ENTRIES)
def test_whatever_is_listed_has_one_key_a_safe_path_and_is_taken_or_rejected(here: Any, there: Any) -> None:
    found = listing(*here, repositories=there)
    assert len(found.entries) + len(found.rejected) <= len(here) + len(there)
    assert len({(entry.name, entry.alias) for entry in found.entries}) == len(found.entries)
    for entry in found.entries:
        assert is_repository_name(entry.name)
        assert entry.alias is None or entry.alias
        assert entry.path.startswith("/")
        assert not {"..", "//", "?", "#", "%", " "} & {
            entry.path[at : at + size] for at in range(999) for size in (1, 2)
        }
    assert all(sentence.isprintable() for sentence in found.rejected)


@settings(deadline=None, max_examples=300)
@given(damaged(GENUINE) | damaged(META) | st.binary())
def test_no_damage_does_anything_but_a_parse_error(body: bytes) -> None:
    survives(parse_listing, body)
    survives(parse_meta, body)


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_no_json_does_anything_but_a_parse_error(value: object) -> None:
    survives(parse_listing, as_json({"replicas": value, "repositories": [value]}))
    survives(parse_meta, as_json({"custom": value, "email": value}))
