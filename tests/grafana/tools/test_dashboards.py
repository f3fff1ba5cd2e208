from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tests.grafana.server as faults
from grafana.tools import dashboard, folder
from tests import ROOT
from tests.grafana.command import Tools, board, saved
from tests.grafana.server import grafana


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Tools]:
    with grafana() as server:
        yield Tools(server, monkeypatch, capsys)


# --- export -----------------------------------------------------------------------------------------


def test_an_export_is_sorted_keeps_the_uid_and_drops_what_is_grafanas_own(tools: Tools, tmp_path: Path) -> None:
    tools.server.add_dashboard(board("cvmfs-home", iteration=5, tags=["ö"]), "CVMFS")
    tools.server.add_dashboard(board("other", "Other folder"), "Elsewhere")
    done = tools.run("export", "--to", tmp_path, role="Viewer")
    assert done.code == 0
    assert done.out == f"written  {tmp_path / 'home.json'}  CVMFS\n"
    kept = board("cvmfs-home", tags=["ö"])
    text = (tmp_path / "home.json").read_text()
    assert text == json.dumps(kept, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    assert [path.name for path in tmp_path.iterdir()] == ["home.json"]
    assert (tmp_path / "home.json").stat().st_mode & 0o777 == 0o644


def written(folder: Path) -> dict[str, tuple[int, int]]:
    """Which file each name is, and when it was written."""
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.iterdir()}


def test_a_second_export_touches_nothing_and_an_edit_is_written(tools: Tools, tmp_path: Path) -> None:
    tools.server.add_dashboard(board(), "CVMFS")
    tools.server.add_dashboard(board("cvmfs-fleet"), "CVMFS")
    tools.run("export", "--to", tmp_path)
    before = written(tmp_path)
    assert tools.run("export", "--to", tmp_path).out.count("unchanged") == 2
    assert written(tmp_path) == before
    tools.server.dashboards["cvmfs-home"].dashboard.update(title="CVMFS now", version=2)
    done = tools.run("export", "--to", tmp_path)
    assert [line.split()[0] for line in done.out.splitlines()] == ["unchanged", "written"]
    assert json.loads((tmp_path / "home.json").read_text())["title"] == "CVMFS now"


def test_a_committed_dashboard_that_nobody_changed_stays_as_it_is(tools: Tools, tmp_path: Path) -> None:
    path = saved(tmp_path / "home.json", {"version": 0, "id": None, **board()})
    before = path.read_bytes()
    tools.server.add_dashboard(board(), "CVMFS")
    assert tools.run("export", "--to", tmp_path).out.startswith("unchanged")
    assert path.read_bytes() == before


def test_a_new_title_does_not_make_a_second_file(tools: Tools, tmp_path: Path) -> None:
    tools.server.add_dashboard(board("abc", "My own"), "CVMFS")
    tools.run("export", "--to", tmp_path)
    tools.server.dashboards["abc"].dashboard["title"] = "Renamed"
    tools.run("export", "--to", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["my-own.json"]


HOSTILE_TITLES = [
    "../../escape",
    "/etc/passwd",
    "..",
    ".",
    "a/b\\c",
    "\x1b[2J\x07",
    "\u202eevil",
    "\n",
    "a\0b",
    "x" * 5000,
    "ÄÖ",
]


@pytest.mark.parametrize("title", HOSTILE_TITLES, ids=ascii)
def test_a_hostile_title_neither_leaves_the_folder_nor_steers_the_terminal(
    tools: Tools, tmp_path: Path, title: str
) -> None:
    target = tmp_path / "deep" / "dashboards"
    target.mkdir(parents=True)
    tools.server.add_dashboard(board("abc", title), "CVMFS")
    done = tools.run("export", "--to", target)
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert all(path.parent == target and not path.name.startswith(".") for path in written)
    assert done.code == (0 if title.strip() else 1)
    assert len(written) == (1 if title.strip() else 0)


def test_two_dashboards_of_one_title_are_two_files_and_no_other_file_is_overwritten(
    tools: Tools, tmp_path: Path
) -> None:
    (tmp_path / "notes.json").write_text("{}")
    for uid, title in [("a", "Same"), ("b", "Same"), ("c", "Notes")]:
        tools.server.add_dashboard(board(uid, title), "CVMFS")
    tools.run("export", "--to", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "notes-c.json",
        "notes.json",
        "same-b.json",
        "same.json",
    ]
    assert (tmp_path / "notes.json").read_text() == "{}"


def test_single_dashboards_are_exported_by_uid_from_any_folder(tools: Tools, tmp_path: Path) -> None:
    for uid in ("a", "b", "c"):
        tools.server.add_dashboard(board(uid, f"Title {uid}"), "Elsewhere")
    assert tools.run("export", "--to", tmp_path, "--uid", "a", "--uid", "c").code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["title-a.json", "title-c.json"]
    done = tools.run("export", "--to", tmp_path, "--uid", "none")
    assert (done.code, "dashboard none" in done.err) == (1, True)
    assert tools.run("export", "--to", tmp_path, "--uid", "../x").code == 2


def test_one_that_fails_does_not_stop_the_others(tools: Tools, tmp_path: Path) -> None:
    for uid in ("cvmfs-a", "cvmfs-b", "cvmfs-c"):
        tools.server.add_dashboard(board(uid), "CVMFS")
    tools.server.broken["/api/dashboards/uid/cvmfs-b"] = faults.status(500)
    done = tools.run("export", "--to", tmp_path)
    assert done.code == 1
    assert "cvmfs-b" in done.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "c.json"]


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"dashboard": board()},
        {"dashboard": [], "meta": {}},
        {"dashboard": {"uid": "cvmfs-home"}, "meta": {}},
        {"dashboard": {"uid": "../../x", "title": "x"}, "meta": {}},
        {"dashboard": board("another"), "meta": {}},
        {"dashboard": board(title="\ud800"), "meta": {}},
    ],
    ids=str,
)
def test_an_answer_that_is_not_this_dashboard_writes_nothing(tools: Tools, tmp_path: Path, document: Any) -> None:
    tools.server.add_dashboard(board(), "CVMFS")
    tools.server.broken["/api/dashboards/uid"] = faults.answer(document)
    done = tools.run("export", "--to", tmp_path)
    assert (done.code, done.out) == (1, "")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "rows", [{}, [5], [{"uid": "../x", "title": "x"}], [{}] * 1000], ids=["object", "int", "path", "full"]
)
def test_a_list_of_dashboards_that_is_none_is_a_failure(tools: Tools, tmp_path: Path, rows: Any) -> None:
    tools.server.add_dashboard(board(), "CVMFS")
    tools.server.broken["/api/search"] = faults.answer(rows)
    assert tools.run("export", "--to", tmp_path).code == 1
    assert not list(tmp_path.iterdir())


def test_a_dashboard_of_the_v2_format_is_explained(tools: Tools, tmp_path: Path) -> None:
    tools.server.add_dashboard(board(), "CVMFS", api_version="v2beta1")
    done = tools.run("export", "--to", tmp_path)
    assert (done.code, "V2 format" in done.err) == (0, True)
    tools.server.broken["/api/dashboards/uid"] = faults.status(
        406, "dashboard api version not supported, use /apis/..."
    )
    done = tools.run("export", "--to", tmp_path)
    assert (done.code, "as Classic model" in done.err) == (1, True)


def test_a_list_on_several_pages_is_read_to_its_end(
    tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "_PAGE", 2)
    for number in range(5):
        tools.server.folders[f"other-{number}"] = f"Other {number}"
        tools.server.add_dashboard(board(f"cvmfs-{number}"), "CVMFS")
    tools.run("export", "--to", tmp_path)
    assert len(list(tmp_path.iterdir())) == 5


def test_folders_are_found_by_title_or_uid_and_two_of_a_title_are_not_guessed_at(tools: Tools, tmp_path: Path) -> None:
    tools.server.add_dashboard(board("a"), "Mine")
    tools.server.add_dashboard(board("rootless", "In the root"))
    assert "written" in tools.run("export", "--to", tmp_path, "--folder", "folder-1").out
    assert "In the root" in tools.run("export", "--to", tmp_path, "--folder", "General").out
    assert "no folder CVMFS" in tools.run("export", "--to", tmp_path).err
    tools.server.folders["second"] = "Mine"
    done = tools.run("export", "--to", tmp_path, "--folder", "Mine")
    assert (done.code, "folder-1, second" in done.err) == (1, True)
    assert "no dashboard in the folder" in tools.run("export", "--to", tmp_path, "--folder", "second").err


def test_a_target_that_is_no_folder_is_wrong_use(tools: Tools, tmp_path: Path) -> None:
    assert tools.run("export", "--to", tmp_path / "none").code == 2
    assert not tools.server.asked


# --- import -----------------------------------------------------------------------------------------


def test_an_import_makes_the_folder_and_the_dashboards(tools: Tools, tmp_path: Path) -> None:
    saved(tmp_path / "a.json", {"id": 99, "version": 7, **board("cvmfs-a")})
    saved(tmp_path / "b.json", board("cvmfs-b"))
    done = tools.run("import", tmp_path)
    assert [line.split()[0] for line in done.out.splitlines()] == ["created", "created"]
    assert list(tools.server.folders.values()) == ["CVMFS"]
    stored = tools.server.dashboards["cvmfs-a"]
    assert (stored.dashboard["version"], stored.folder) == (1, "folder-1")
    writes = tools.server.writes()
    assert {asked.headers["content-type"] for asked in writes} == {"application/json"}
    assert [asked.json().get("overwrite") for asked in writes] == [None, False, False]


def test_a_second_import_sends_nothing(tools: Tools, tmp_path: Path) -> None:
    path = saved(tmp_path / "a.json", board())
    tools.run("import", path)
    tools.server.asked.clear()
    assert tools.run("import", path).out.startswith("unchanged")
    assert not tools.server.writes()


def test_one_that_is_there_and_differs_is_kept_unless_it_may_be_overwritten(tools: Tools, tmp_path: Path) -> None:
    path = saved(tmp_path / "a.json", board(title="From the file"))
    tools.server.add_dashboard(board(title="From a browser"), "CVMFS")
    done = tools.run("import", path)
    assert (done.code, "--overwrite" in done.err) == (1, True)
    assert not tools.server.writes()
    assert tools.run("import", path, "--overwrite").out.startswith("replaced")
    assert tools.server.dashboards["cvmfs-home"].dashboard["title"] == "From the file"


def test_one_in_another_folder_is_not_moved_unless_it_may_be_overwritten(tools: Tools, tmp_path: Path) -> None:
    path = saved(tmp_path / "a.json", board())
    tools.server.add_dashboard(board(), "Elsewhere")
    assert tools.run("import", path).code == 1
    assert tools.run("import", path, "--overwrite").code == 0
    assert tools.server.folders[tools.server.dashboards["cvmfs-home"].folder] == "CVMFS"


def test_a_conflict_that_comes_in_between_is_explained(tools: Tools, tmp_path: Path) -> None:
    path = saved(tmp_path / "a.json", board())
    tools.server.add_dashboard(board(title="Somebody's"), "CVMFS")
    tools.server.broken["/api/dashboards/uid"] = faults.status(404)  # it is there by the time that ours is sent
    done = tools.run("import", path)
    assert done.code == 1
    assert "changed by someone else" in done.err
    assert "--overwrite" in done.err


@pytest.mark.parametrize(
    ("code", "said"), [(409, "newer one"), (422, "does not take"), (400, "400"), (500, "its own log")]
)
def test_what_grafana_does_not_save_is_said_with_its_reason(tools: Tools, tmp_path: Path, code: int, said: str) -> None:
    path = saved(tmp_path / "a.json", board())
    tools.server.broken["/api/dashboards/db"] = faults.status(code, "the reason\x1b[2J")
    done = tools.run("import", path)
    assert done.code == 1
    assert said in done.err
    assert "the reason?[2J" in done.err


def test_a_provisioned_dashboard_is_left_to_its_file(tools: Tools, tmp_path: Path) -> None:
    path = saved(tmp_path / "a.json", board(title="New"))
    tools.server.add_dashboard(board(), "CVMFS", provisioned=True)
    done = tools.run("import", path, "--overwrite")
    assert (done.code, "provisioning" in done.err) == (1, True)
    assert not tools.server.writes()


def test_a_folder_that_somebody_makes_at_the_same_time_is_used(tools: Tools, tmp_path: Path) -> None:
    path = saved(tmp_path / "a.json", board())
    answers = iter([[], [{"uid": "theirs", "title": "CVMFS"}]])

    def folders(handler: Any) -> None:
        conflict = handler.asked.method == "POST"
        handler.reply(412 if conflict else 200, {"message": "exists"} if conflict else next(answers))

    tools.server.folders["theirs"] = "CVMFS"
    tools.server.broken["/api/folders"] = folders
    assert tools.run("import", path).code == 0
    assert tools.server.dashboards["cvmfs-home"].folder == "theirs"


NOT_DASHBOARDS: list[tuple[bytes, str]] = [
    (json.dumps({"__inputs": [], **board()}).encode(), "sharing externally"),
    (json.dumps({"apiVersion": "dashboard.grafana.app/v2", "kind": "Dashboard", "spec": {}}).encode(), "Classic model"),
    (json.dumps({"dashboard": board(), "meta": {}}).encode(), "answer of the API"),
    (json.dumps({"title": "no uid"}).encode(), "no uid"),
    (json.dumps(board("x" * 41)).encode(), "no uid"),
    (json.dumps(board(title=" ")).encode(), "no title"),
    (b"[]", "JSON object"),
    (b"{", "not JSON"),
    (b'{"a": Infinity}', "not JSON"),
    (b"[" * 100_000, "not JSON"),
    (b"\xff", "not JSON"),
]


@pytest.mark.parametrize(("content", "said"), NOT_DASHBOARDS, ids=[said for _, said in NOT_DASHBOARDS])
def test_a_file_that_is_no_dashboard_is_named_before_anything_is_sent(
    tools: Tools, tmp_path: Path, content: bytes, said: str
) -> None:
    saved(tmp_path / "a.json", board())
    (tmp_path / "b.json").write_bytes(content)
    done = tools.run("import", tmp_path)
    assert done.code == 2
    assert f"{tmp_path / 'b.json'}: " in done.err
    assert said in done.err
    assert not tools.server.asked


def test_files_that_are_not_there_or_share_a_uid_are_wrong_use(tools: Tools, tmp_path: Path) -> None:
    assert "no *.json" in tools.run("import", tmp_path).err
    assert "No such file" in tools.run("import", tmp_path / "none.json").err
    first, second = saved(tmp_path / "a.json", board()), saved(tmp_path / "b.json", board(title="Other"))
    done = tools.run("import", first, second)
    assert (done.code, "same uid" in done.err) == (2, True)
    assert not tools.server.asked


def test_the_data_source_can_be_chosen(tools: Tools, tmp_path: Path) -> None:
    fixed, variable = {"type": "influxdb", "uid": "old"}, {"type": "influxdb", "uid": "${datasource}"}
    other = {"type": "prometheus", "uid": "prom"}
    chosen = {"type": "datasource", "query": "influxdb", "name": "datasource", "current": {}}
    panels = [{"id": 1, "datasource": fixed, "targets": [{"datasource": variable}, {"datasource": other}]}]
    path = saved(tmp_path / "a.json", board(panels=panels, templating={"list": [chosen]}))
    done = tools.run("import", path, "--datasource", "mine")
    assert (done.code, "no data source has the uid mine" in done.err) == (1, True)
    assert not tools.server.dashboards
    tools.server.datasources["mine"] = {"uid": "mine"}
    assert tools.run("import", path, "--datasource", "mine").code == 0
    stored = tools.server.dashboards["cvmfs-home"].dashboard
    assert stored["panels"][0]["datasource"] == {"type": "influxdb", "uid": "mine"}
    assert stored["panels"][0]["targets"] == [{"datasource": variable}, {"datasource": other}]
    assert stored["templating"]["list"][0]["current"]["value"] == "mine"
    tools.server.broken["/api/datasources"] = faults.status(403)
    assert tools.run("import", path, "--datasource", "mine").out.startswith("unchanged")
    assert tools.run("import", path, "--datasource", "../mine").code == 2


def test_export_import_export_is_a_fixed_point_of_the_committed_dashboards(tools: Tools, tmp_path: Path) -> None:
    committed = ROOT / "grafana" / "dashboards"
    assert tools.run("import", committed).code == 0
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    assert tools.run("export", "--to", first).code == 0
    with grafana() as empty:
        assert tools.run("import", first, "--url", empty.url).code == 0
        assert tools.run("export", "--to", second, "--url", empty.url).code == 0
    names = sorted(path.name for path in committed.glob("*.json"))
    assert sorted(path.name for path in first.iterdir()) == sorted(path.name for path in second.iterdir()) == names
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes()
        assert dashboard.normalised(json.loads((committed / name).read_bytes())) == json.loads(
            (first / name).read_bytes()
        )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text(), parts, max_size=3),
    max_leaves=10,
)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_a_dashboard_of_any_json_is_read_as_it_was_written(more: dict[str, Any]) -> None:
    kept = {key: value for key, value in more.items() if key not in {"__inputs", "apiVersion", "elements", "dashboard"}}
    text = dashboard.text({**kept, **board()})
    assert dashboard.text(dashboard.read(text.encode())) == text
    assert dashboard.read(text.encode()) == dashboard.normalised({**kept, **board()})


@given(st.text(min_size=1).filter(str.strip), st.from_regex(r"[A-Za-z0-9_-]{1,40}", fullmatch=True))
def test_no_title_and_no_uid_makes_a_name_that_leaves_the_folder(title: str, uid: str) -> None:
    name = dashboard.file_name(board(uid, title), set())
    assert Path(name).name == name
    assert name.isascii()
    assert len(name) <= 120
    assert dashboard.file_name(board(uid, title), {name}) != name
