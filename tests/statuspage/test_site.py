"""A whole site: what is on its pages, and that nothing else is; trees that are swapped; kill -9."""

from __future__ import annotations

import html
import json
import multiprocessing
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest
import requests

from telegraf_cvmfs.history import Rollups
from telegraf_cvmfs.history.spool import kept, read, write
from telegraf_cvmfs.statuspage.build import Built, NothingKeptError, at, build
from telegraf_cvmfs.statuspage.leaks import leaks, texts
from telegraf_cvmfs.statuspage.settings import Settings, load
from telegraf_cvmfs.statuspage.site import State
from telegraf_cvmfs.statuspage.tree import KEPT, Tree
from tests import ROOT
from tests.builders.statuspage import NOW, SECRETS, SETTINGS, lived, seen, settings
from tests.programs.command import environment, without_pauses
from tests.programs.command import run as command

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
POLICY = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'"
OUTSIDE = re.compile(rb"(?:src|href)=\"(?:https?:)?//(?!status\.lab\.example)")


@pytest.fixture(scope="module")
def spool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lived(tmp_path_factory.mktemp("spool"))


@pytest.fixture(scope="module")
def allowed(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return settings(tmp_path_factory.mktemp("settings"))


@pytest.fixture(scope="module")
def out(spool: Path, allowed: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "site"
    build(spool, allowed, out, NOW + MINUTE)
    return out


def files(out: Path) -> dict[str, bytes]:
    folder = out.resolve()
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def pages(out: Path) -> Iterator[tuple[str, str]]:
    for name, content in files(out).items():
        if name.endswith(".html"):
            yield name, content.decode()


# --- what may not be told ---------------------------------------------------------------------------


def test_no_byte_of_any_file_or_name_has_a_secret(spool: Path, out: Path, allowed: Settings) -> None:
    found = files(out)
    assert len(found) > 60
    for name, content in found.items():
        whole = name.encode() + b"\n" + content
        assert [secret for secret in SECRETS if secret.encode() in whole] == [], name
    looked_for = texts((row for one in kept(spool) for row in read(one.path)), allowed)
    assert {
        "s1-a.internal.example",
        "192.0.2.77",
        "secret.lab.example",
        "2.13-canary",
        "canary-alias",
    } <= looked_for.secret
    assert list(leaks(out.resolve(), looked_for)) == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("about.txt", "served by S1-A.internal.example"),
        ("x.svg", "<text>10.11.12.13</text>"),
        ("[2001:db8::1].txt", ""),
        ("secret.lab.example.html", ""),
        ("why.html", html.escape('canary-problem <26 h> "behind"')),
    ],
)
def test_what_leaks_is_found(allowed: Settings, tmp_path: Path, name: str, content: str) -> None:
    rows = [row for run in [seen(NOW)] for row in read(write(tmp_path / "spool", run))]
    looked_for = texts([*rows, {"problem": 'canary-problem <26 h> "behind"'}], allowed)
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "fine.html").write_text("atlas.lab.example on Europe 1, version 1.2.3")
    (tmp_path / "site" / name).write_text(content)
    assert {path.name for path, _ in leaks(tmp_path / "site", looked_for)} == {name}


# --- what is told -----------------------------------------------------------------------------------


def test_every_page_is_there_and_every_link_leads_to_one(out: Path) -> None:
    found = files(out)
    wanted = {
        *(
            "index.html",
            "incidents.html",
            "definitions.html",
            "status.json",
            "status.schema.json",
            "feed.atom",
            "robots.txt",
        ),
        *(
            "servers/europe-1.html",
            "repositories/atlas.lab.example.html",
            "badges/fleet.svg",
            "badges/servers/europe-1.svg",
        ),
        *(
            "badges/repositories/atlas.lab.example.svg",
            "at/index.html",
            "at/2026-11-25.html",
            "at/20261125T1200Z/index.html",
        ),
    }
    assert wanted <= set(found)
    for name, text in pages(out):
        for link in re.findall(r'(?:href|src)="([^"#]+)', text):
            target = os.path.normpath(Path(name).parent / unquote(html.unescape(link)))
            assert target in found, (name, link)


class Checked(HTMLParser):
    """No script or style but from files, and every element closed."""

    void: ClassVar = {"meta", "link", "img", "br"}

    def __init__(self) -> None:
        super().__init__()
        self.open = list[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag != "style"
        assert not [name for name, _ in attrs if name == "style" or name.startswith("on")]
        assert tag != "script" or any(name == "src" for name, _ in attrs)
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.void:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_pages_are_whole_have_a_strict_policy_and_ask_nobody_else(out: Path) -> None:
    for name, text in pages(out):
        checked = Checked()
        checked.feed(text)
        assert checked.open == [], name
        assert f'http-equiv="Content-Security-Policy" content="{POLICY}"' in text
        assert OUTSIDE.search(text.encode()) is None
    for name, content in files(out).items():
        if name.endswith((".svg", ".atom")):
            ET.fromstring(content)  # noqa: S314  # our own
        assert name.endswith((".json", ".atom", ".svg")) or b"http://" not in content, name


def test_the_index_says_who_serves_what_and_when_it_was_looked(out: Path) -> None:
    text = (out / "index.html").read_text()
    assert "All repositories are served; 2 by fewer servers than they should be." in text
    assert 'datetime="2026-11-25T12:00:00Z" data-stale="600"' in text
    assert 'page made <time datetime="2026-11-25T12:01:00Z">2026-11-25 12:01 UTC</time>' in text
    assert "stale if older than 10m" in text
    assert "1 of 2" in text
    assert "Planned: America" in text
    assert "New disks on Friday." in text
    assert "The lab&#39;s CernVM-FS" in text


def test_the_pages_have_what_was_worked_out(out: Path) -> None:
    status = json.loads((out / "status.json").read_bytes())
    (america,) = (one for one in status["servers"] if one["name"] == "America")
    # Four hours of 72 and the two that the last word holds: 97 % from three days ago on, in each of the 30 and 90 days.
    assert america["past"]["last_30"] == america["past"]["whole"] == pytest.approx((72 + 1 / 60 - 4) / (72 + 1 / 60))
    assert (america["past"]["outages"], america["past"]["longest"], america["past"]["mean_time_to_repair"]) == (
        1,
        4 * 3600,
        4 * 3600,
    )
    days = {one["day"]: (one["state"], one["availability"]) for one in america["past"]["days"]}
    assert len(days) == 90
    assert days["2026-11-23"] == ("critical", pytest.approx(20 / 24))
    assert days["2026-11-24"] == ("ok", 1)
    assert days["2026-11-20"] == ("unknown", None)
    assert [(one.get("server"), one["repositories"], one.get("ends")) for one in status["incidents"]] == [
        ("Europe 1", ["atlas.lab.example", "software.lab.example"], None),
        ("America", [], "2026-11-23T16:00:00Z"),
    ]
    (atlas,) = (one for one in status["repositories"] if one["name"] == "atlas.lab.example")
    (first,) = (one for one in atlas["replicas"] if one["server"] == "Europe 1")
    assert first["rhythm"] == {
        "lag_p50": 0, "lag_p95": 0, "lag_max": 26 * 3600, "revisions_a_week": 0, "snapshot_interval": 3600
    }  # fmt: skip
    page = (out / "servers" / "america.html").read_text()
    assert "2026-11-23: failing, 83.33 %" in page


def test_the_document_is_what_its_schema_says(out: Path) -> None:
    done = subprocess.run(
        ["check-jsonschema", "--schemafile", out / "status.schema.json", out / "status.json"],
        capture_output=True, text=True, check=False, env={**os.environ, "PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_old_runs_lead_to_one_another_and_are_thinned(out: Path) -> None:
    stamps = sorted(path.name for path in (out / "at").iterdir() if path.is_dir())
    hourly = [stamp for stamp in stamps if stamp > "20261123T1200Z"]
    assert len(hourly) == 2 * 24
    assert stamps[0] == "20261122T1200Z"
    assert len(stamps) - len(hourly) == 2
    following = stamps[0]
    for stamp in stamps[1:]:
        text = (out / "at" / following / "index.html").read_text()
        assert f'rel="next" href="../{stamp}/index.html"' in text
        following = stamp
    down = (out / "at" / "20261123T1300Z" / "index.html").read_text()
    assert "America</h3>" in down
    assert "does not answer" in down
    assert "an old run" in down
    assert "<script" not in down


def test_the_feed_has_incidents_with_names_that_stay(out: Path) -> None:
    names = {"a": "http://www.w3.org/2005/Atom"}
    feed = ET.fromstring((out / "feed.atom").read_bytes())  # noqa: S314  # our own
    entries = feed.findall("a:entry", names)
    assert [entry.findtext("a:title", namespaces=names) for entry in entries] == [
        "Europe 1: behind what was published (goes on)", "America: does not answer (over)"
    ]  # fmt: skip
    assert (
        entries[1].findtext("a:id", namespaces=names)
        == "https://status.lab.example/incidents.html#20261123T120000Z-america"
    )
    assert 'id="20261123T120000Z-america"' in (out / "incidents.html").read_text()


def test_text_of_the_operator_is_escaped_and_own_files_are_shown(spool: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "logo.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    (own / "own.css").write_text("h1 { color: red }")
    (own / "about.html").write_text('<p>Run by <a href="https://lab.example">the lab</a>.</p>')
    text = SETTINGS.replace("New disks on Friday.", "<script>x</script>").replace("[page]", '[page]\nfolder = "own"')
    build(spool, settings(tmp_path, text), tmp_path / "site", NOW)
    page = (tmp_path / "site" / "index.html").read_text()
    assert "&lt;script&gt;x" in page
    assert '<a href="https://lab.example">the lab</a>' in page
    for name in ("logo", "own"):
        (found,) = (tmp_path / "site" / "assets").glob(f"{name}.*")
        assert f'="assets/{found.name}"' in page


def test_a_site_of_rollups_is_that_of_the_runs(spool: Path, allowed: Settings, out: Path, tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    subprocess.run(["cp", "-r", spool, folder], check=True)
    rollups = Rollups(folder, "lab")
    rollups.update(NOW + 10 * MINUTE, lambda hour, error: pytest.fail(f"{hour}: {error}"))
    build(folder, allowed, tmp_path / "site", NOW + MINUTE)
    again = files(tmp_path / "site")
    assert again.keys() == files(out).keys()
    assert [name for name, content in files(out).items() if again[name] != content] == []


# --- trees ------------------------------------------------------------------------------------------


def numbers(out: Path) -> list[str]:
    return sorted(path.name for path in Tree(out).trees.iterdir())


def test_a_build_swaps_a_link_and_what_did_not_change_is_the_same_file(
    spool: Path, allowed: Settings, tmp_path: Path
) -> None:
    out = tmp_path / "site"
    assert build(spool, allowed, out, NOW).tree is not None
    assert out.is_symlink()
    assert not out.readlink().is_absolute()
    first = out.resolve()
    assert build(spool, allowed, out, NOW + MINUTE) == Built(None, None)
    assert out.resolve() == first
    folder = tmp_path / "spool"
    subprocess.run(["cp", "-r", spool, folder], check=True)
    write(folder, seen(NOW + HOUR))
    assert build(folder, allowed, out, NOW + HOUR).tree == out.parent / "site.trees" / "2"
    for name in ("definitions.html",):
        assert (first / name).stat().st_ino != (out / name).stat().st_ino  # it tells when it was made
    for name in ("at/20261124T1200Z/index.html", "robots.txt", "badges/servers/source.svg"):
        assert (first / name).stat().st_ino == (out / name).stat().st_ino, name
    assert (first / "index.html").is_file()  # for who is reading
    for number in range(3):
        build(folder, allowed, out, NOW + HOUR, force=True)
        assert out.resolve().name == str(3 + number)
    assert numbers(out) == sorted(f"{number}{ending}" for number in (3, 4, 5) for ending in ("", ".json"))
    assert KEPT == 3


def test_what_changes_all_pages_makes_all_of_them_anew(spool: Path, allowed: Settings, tmp_path: Path) -> None:
    out = tmp_path / "site"
    build(spool, allowed, out, NOW)
    text = SETTINGS.replace('"Europe 1"', '"Europe 7"')
    assert build(spool, settings(tmp_path, text), out, NOW).tree is not None
    assert not [name for name, content in files(out).items() if b"Europe 1" in content]


def test_what_is_no_link_is_left_alone(spool: Path, allowed: Settings, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    with pytest.raises(OSError, match="it is there, and no link"):
        build(spool, allowed, tmp_path / "site", NOW)
    with pytest.raises(NothingKeptError, match="there is no run of fleet lab"):
        build(tmp_path, allowed, tmp_path / "other", NOW)


def _write_for_ever(out: Path, content: dict[str, bytes]) -> None:
    for number in range(1_000_000):
        text = str(number).encode()
        changed = {name: text + b"\n" + one if name.endswith(".html") else one for name, one in content.items()}
        Tree(out).write(changed, set(), {"number": number})


@pytest.mark.soak
@pytest.mark.slow
def test_who_reads_while_writers_are_killed_sees_one_whole_tree(out: Path, tmp_path: Path) -> None:
    content, here, context = files(out), tmp_path / "site", multiprocessing.get_context("fork")
    Tree(here).write(content, set(), {})
    first = here.resolve().name
    for number in range(200 if "TELEGRAF_CVMFS_SOAK" in os.environ else 20):
        process = context.Process(target=_write_for_ever, args=(here, content), daemon=True)
        process.start()
        time.sleep(0.1 + 0.031 * (number % 11))
        process.kill()
        process.join()
        found = files(here)
        assert set(found) == set(content)
        assert len({one.split(b"\n")[0] for name, one in found.items() if name.endswith(".html")}) == 1
    assert int(here.resolve().name) > int(first) + 20
    Tree(here).write(content, set(), {})
    assert len(numbers(here)) == 2 * KEPT


# --- the command ------------------------------------------------------------------------------------


@pytest.fixture
def told(spool: Path, tmp_path: Path) -> tuple[str | Path, ...]:
    settings(tmp_path)
    return ("--settings", tmp_path / "statuspage.toml", "--spool", spool, "--out", tmp_path / "site")


def test_the_command_builds_and_checks(told: tuple[str | Path, ...], tmp_path: Path) -> None:
    done = command("statuspage", "build", *told)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{tmp_path / 'site'}: 1\n", "")
    assert command("statuspage", "build", *told).stdout == f"{tmp_path / 'site'}: nothing changed\n"
    done = command("statuspage", "check", *told)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(rf"{tmp_path / 'site'}: \d+ texts looked for, 0 found\n", done.stdout)
    (tmp_path / "secrets").write_text("Europe\n\n")
    done = command("statuspage", "check", *told, "--secrets", tmp_path / "secrets")
    assert done.returncode == 1
    assert "E! statuspage check: index.html: has 'europe'" in done.stderr


def test_serve_shows_it_until_it_is_interrupted(out: Path) -> None:
    asked = ["statuspage", "serve", "--out", str(out), "--listen", "127.0.0.1:0"]
    with subprocess.Popen(without_pauses(*asked), stdout=subprocess.PIPE, env=environment(), text=True) as process:
        assert process.stdout
        url = process.stdout.readline().strip()
        assert "<h1" in requests.get(url, timeout=10).text
        assert requests.get(f"{url}status.json", timeout=10).json()["schema"] == 1
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(20) == 0
        finally:
            process.kill()


def test_a_build_that_goes_on_for_ever_sees_new_runs_and_ends_when_it_is_told(
    told: tuple[str | Path, ...], tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    (tmp_path / "statuspage.toml").write_text(SETTINGS.replace("[page]", '[page]\nbuild = "1s"\nsooner = "1s"'))
    asked = without_pauses("statuspage", "build", *told, "--spool", spool, "--forever")
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(asked, **pipes, env=environment(), text=True) as process:
        try:
            assert process.stdout
            assert process.stderr
            assert "there is no run of fleet lab" in process.stderr.readline()
            time.sleep(2.5)  # and once alone
            write(spool, seen(NOW))
            assert process.stdout.readline().endswith(": 1\n")
            write(spool, seen(NOW + MINUTE))
            while (line := process.stdout.readline()).endswith("nothing changed\n"):
                pass
            assert line.endswith(": 2\n")
            process.terminate()
            assert process.wait(20) == 0
            assert process.stderr.read() == ""
        finally:
            process.kill()


def test_an_old_run_is_told(told: tuple[str | Path, ...]) -> None:
    done = command("statuspage", "at", "2026-11-23T13:59:59+00:00", *told)
    document: dict[str, Any] = json.loads(done.stdout)
    assert document["scraped"] == "2026-11-23T13:00:00Z"
    assert {one["name"]: one["state"] for one in document["servers"]}["America"] == "critical"


def test_the_moment_of_an_old_run(spool: Path, allowed: Settings) -> None:
    assert at(spool, allowed, NOW).scraped == NOW
    assert at(spool, allowed, NOW).state is State.WARNING
    with pytest.raises(NothingKeptError, match="by 2020"):
        at(spool, allowed, NOW.replace(year=2020))


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("build",), 2, "statuspage build: --settings FILE says what may be told"),
        (("serve",), 2, "statuspage serve: --out DIR says where the pages are"),
        (("serve", "--out", "x", "--listen", "127.0.0.1:x"), 2, "statuspage serve: --listen 127.0.0.1:x: "),
        (
            ("build", "--settings", "/nowhere.toml"),
            2,
            "status page's settings /nowhere.toml: No such file or directory",
        ),
    ],
)
def test_options_that_do_not_fit_are_refused(arguments: tuple[str, ...], code: int, said: str) -> None:
    done = command("statuspage", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(f"E! {said}")
    assert len(done.stderr.splitlines()) == 1


def test_what_is_wrong_is_said(told: tuple[str | Path, ...], tmp_path: Path) -> None:
    done = command("statuspage", "at", "yesterday", *told)
    assert done.returncode == 2
    assert "TIME with its offset is wanted" in done.stderr
    done = command("statuspage", "check", *told)
    assert (done.returncode, done.stderr) == (1, f"E! statuspage check: {tmp_path / 'site'}: there is no such folder\n")
    (tmp_path / "site").mkdir()
    done = command("statuspage", "build", *told)
    assert done.returncode == 1
    assert "no link to a tree of pages" in done.stderr


def test_the_example_tells_nothing_of_addresses() -> None:
    found = load(ROOT / "telegraf" / "statuspage.example.toml")
    assert found.servers == {"s1-a.example.org": "Europe 1", "s1-b.example.org": "America 1"}
    assert not {"version", "why"} & set(found.fields)
