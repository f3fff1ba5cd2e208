"""Pages in a real Chromium and behind a real nginx: nobody is kept from them, and they say so when they are old."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from benchmarks.nginx import free_port
from telegraf_cvmfs.history.spool import write
from telegraf_cvmfs.statuspage.build import build
from tests import ROOT
from tests.builders.statuspage import NOW, SECRETS, lived, seen, settings
from tests.programs.axe import page, served, violations
from tests.programs.nginx import nginx_running

DARK = "--blink-settings=preferredColorScheme=0"
TELEPHONE = "--window-size=500,900"
KINDS = (
    "index.html",
    "servers/europe-1.html",
    "repositories/atlas.lab.example.html",
    "incidents.html",
    "definitions.html",
    "at/index.html",
    "at/2026-11-25.html",
    "at/20261125T1200Z/index.html",
)
WIDTHS = """
<script>document.title = "WIDTH " + document.documentElement.scrollWidth + " OF " + innerWidth;</script></body>
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    room = tmp_path_factory.mktemp("site")
    build(lived(room / "spool"), settings(room), room / "site", NOW + timedelta(minutes=1))
    return room / "site"


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_axe_finds_nothing_on_any_kind_of_page(
    chromium: Path, axe: Path, site: Path, tmp_path: Path, kind: str
) -> None:
    with served(site, axe) as url:
        assert violations(chromium, f"{url}/{kind}", tmp_path / "light") == []


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "option"), [(KINDS[0], DARK), (KINDS[1], DARK), (KINDS[1], TELEPHONE)])
def test_axe_finds_nothing_in_the_dark_and_on_a_telephone(
    chromium: Path, axe: Path, site: Path, tmp_path: Path, kind: str, option: str
) -> None:
    with served(site, axe) as url:
        assert violations(chromium, f"{url}/{kind}", tmp_path / "profile", option) == []


@pytest.mark.slow
def test_axe_finds_what_is_wrong(chromium: Path, axe: Path, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "bad.html").write_text(
        "<!DOCTYPE html><html><head><title></title></head><body><img src=x></body></html>"
    )
    with served(tmp_path / "site", axe) as url:
        found = {name for name, _ in violations(chromium, f"{url}/bad.html", tmp_path / "profile")}
    assert {"image-alt", "html-has-lang", "document-title"} <= found


@pytest.mark.slow
def test_an_old_page_says_so_and_a_new_one_its_age(chromium: Path, site: Path, tmp_path: Path) -> None:
    with served(site) as url:
        old = page(chromium, f"{url}/index.html", tmp_path / "one")
    assert re.search(r'id="stale" role="alert">STALE', old)
    assert re.search(r'id="age"> \(\d+ (?:h|d) ago\)', old)
    now = datetime.now(UTC)
    write(tmp_path / "spool", seen(now - timedelta(seconds=30)))
    build(tmp_path / "spool", settings(tmp_path), tmp_path / "site", now)
    with served(tmp_path / "site") as url:
        new = page(chromium, f"{url}/index.html", tmp_path / "two")
    assert re.search(r'id="stale" role="alert" hidden="">', new)
    assert re.search(r'id="age"> \(\d+ s ago\)', new)


@pytest.mark.slow
def test_125_repositories_make_no_page_wider_than_a_telephone(chromium: Path, tmp_path: Path) -> None:
    names = [f"soft-repository-{number:03}.with-a-long-name.lab.example" for number in range(125)]
    write(tmp_path / "spool", seen(NOW, repositories=names))
    build(tmp_path / "spool", settings(tmp_path), tmp_path / "site", NOW)
    for kind in ("index.html", "servers/europe-1.html", f"repositories/{names[0]}.html"):
        path = tmp_path / "site" / kind
        text = path.read_text()
        path.unlink()
        path.write_text(re.sub(r"<meta http-equiv[^>]*>", "", text).replace("</body>", WIDTHS))
    with served(tmp_path / "site") as url:
        for kind in ("index.html", "servers/europe-1.html", f"repositories/{names[0]}.html"):
            found = re.search(r"WIDTH (\d+) OF (\d+)", page(chromium, f"{url}/{kind}", tmp_path / "profile", TELEPHONE))
            assert found
            assert int(found[1]) <= int(found[2]), kind


# --- nginx ------------------------------------------------------------------------------------------


@pytest.fixture
def behind_nginx(nginx: Path, site: Path, tmp_path: Path) -> Iterator[str]:
    """The URL of the shipped configuration, but for its port, folder and name."""
    port = free_port()
    ours = (ROOT / "deploy" / "nginx" / "statuspage.conf").read_text()
    ours = ours.replace("listen 80;", f"listen 127.0.0.1:{port};").replace("    listen [::]:80;\n", "")
    (tmp_path / "site.conf").write_text(ours.replace("/var/lib/telegraf-cvmfs/example/statuspage/site", str(site)))
    with nginx_running(nginx, tmp_path, port):
        yield f"http://127.0.0.1:{port}"


def test_nginx_serves_it_as_shipped(behind_nginx: str, site: Path) -> None:
    first = requests.get(f"{behind_nginx}/", timeout=10)
    assert (first.status_code, first.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert first.headers["Content-Encoding"] == "gzip"
    policy = first.headers["Content-Security-Policy"]
    assert re.search(f'content="{re.escape(policy.split("; frame-ancestors")[0])}"', first.text)
    assert (first.headers["X-Content-Type-Options"], first.headers["Referrer-Policy"]) == ("nosniff", "no-referrer")
    assert first.headers["Cache-Control"] == "no-cache"
    again = requests.get(f"{behind_nginx}/", headers={"If-None-Match": first.headers["ETag"]}, timeout=10)
    assert (again.status_code, again.content) == (304, b"")
    (style,) = re.findall(r'href="(assets/style[^"]+)"', first.text)
    assert "immutable" in requests.get(f"{behind_nginx}/{style}", timeout=10).headers["Cache-Control"]
    for path, kind in (
        ("status.json", "application/json"),
        ("feed.atom", "application/atom+xml; charset=utf-8"),
        ("badges/fleet.svg", "image/svg+xml"),
        ("robots.txt", "text/plain; charset=utf-8"),
    ):
        answer = requests.get(f"{behind_nginx}/{path}", timeout=10)
        assert (answer.status_code, answer.headers["Content-Type"].split(";")[0]) == (200, kind.split(";")[0])
        whole = repr(answer.headers).encode() + answer.content
        assert [secret for secret in SECRETS if secret.encode() in whole] == []
    assert requests.get(f"{behind_nginx}/status.json", timeout=10).headers["Access-Control-Allow-Origin"] == "*"
    assert requests.get(f"{behind_nginx}/nothing", timeout=10).status_code == 404
    assert requests.get(f"{behind_nginx}/at/20261125T1200Z/", timeout=10).status_code == 200
    assert requests.post(f"{behind_nginx}/", timeout=10).status_code in (403, 405)
    for path in ("/../site.trees/1.json", "/%2e%2e/site.trees/1.json"):
        assert requests.get(f"{behind_nginx}{path}", timeout=10).status_code in (400, 404)
    build(site.parent / "spool", settings(site.parent), site, NOW + timedelta(minutes=7), force=True)
    assert (
        "12:07 UTC"
        in requests.get(f"{behind_nginx}/", headers={"If-None-Match": first.headers["ETag"]}, timeout=10).text
    )
