"""The README and the reference: every part that the program can produce is what the program produces.

`UPDATE_README=1` writes those parts anew.
"""

from __future__ import annotations

import itertools
import os
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from commands import command, environment, run

from telegraf_cvmfs.command import options
from telegraf_cvmfs.demo import DemoFleet
from telegraf_cvmfs.fleet import public
from telegraf_cvmfs.fleet.file import SECTIONS, parse
from telegraf_cvmfs.model import FINDINGS, SERVER_FINDINGS, Result
from telegraf_cvmfs.points.schema import FIELDS, MEANING_OF_TAGS, TAGS
from telegraf_cvmfs.words.duration import in_words

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DOCUMENTS = [README, *sorted((ROOT / "docs").glob("*.md"))]
TYPES = {int: "integer", float: "float", str: "string"}

MEASUREMENTS = {
    "cvmfs_repo": "one for each repository on each server, also when the server is down",
    "cvmfs_server": "one for each server, also when it is down",
    "cvmfs_finding": "one for each server and for each judged repository on it (tag `repo`): how bad each finding is there",
    "cvmfs_publish": "one for each publication, from the reference, at the time it was published",
    "cvmfs_scrape": "one for each run",
}

MEANINGS = {
    "server_down": "its list and every manifest asked for failed",
    "list_unread": "it is up, but its list of repositories cannot be read: unknown",
    "geoapi_wrong": "its GeoAPI sorts servers wrongly",
    "geoapi_down": "its GeoAPI gives no usable answer",
    "geodb_old": "its database of places is older than that",
    "manifest": "warning: neither listed nor served; critical: listed and not served (unknown while its first snapshot runs), or not a valid manifest of this repository",
    "snapshot_old": "the last snapshot is older; 9 times that while the first one runs",
    "snapshot_stuck": "a snapshot has been running for longer, or was killed",
    "lagging": "it has been without something published for longer",
    "gc_old": "the last garbage collection is older, where there ever was one",
    "check_failed": "the last integrity check failed",
    "whitelist": "warning: less than that left; critical: clients refuse it",
    "signature": "clients refuse it: a signature, a hash, a name or a certificate is wrong",
    "root_catalog": "the root catalog is missing, empty or corrupt, so clients cannot mount it",
    "diverged": "the same revision with another root catalog",
    "ahead": "a newer revision than its stratum 0 has",
    "backwards": "an older revision than was seen there in the last day",
    "proxy_stale": "the configured proxy gives an older manifest for longer, or has kept it for longer",
    "members_differ": "the machines behind one name differ for longer",
}


def document_of(name: str) -> Path:
    """The one document that has markers of this name."""
    (document,) = [path for path in DOCUMENTS if f"<!-- begin {name} -->\n" in path.read_text()]
    return document


def part(name: str) -> str:
    """What stands between the markers of this name."""
    return document_of(name).read_text().split(f"<!-- begin {name} -->\n")[1].split(f"<!-- end {name} -->")[0]


def fenced(kind: str, text: str) -> str:
    return f"```{kind}\n{text}```\n"


# --- what is generated ------------------------------------------------------------------------------


def metrics() -> str:
    return "\n".join(line for measurement in FIELDS for line in _measurement(measurement)) + "\n"


def _measurement(name: str) -> Iterator[str]:
    yield f"- {name} ({MEASUREMENTS[name]})"
    yield "  - tags:"
    yield from (f"    - {tag} ({MEANING_OF_TAGS[tag]})" for tag in TAGS[name])
    yield "  - fields:"
    for (kind, unit, meaning), alike in itertools.groupby(
        FIELDS[name], lambda field: (field.type, field.unit, field.meaning)
    ):
        names = ", ".join(field.name for field in alike)
        yield f"    - {names} ({TYPES[kind]}{f', {unit}' if unit else ''}): {meaning}"


def results() -> str:
    return ", ".join(f"`{result.slug}` {result.code}" for result in Result) + ".\n"


def findings() -> str:
    rows = ["| finding | on | warning | critical | when |", "|---|---|---|---|---|"]
    for slug, limit in FINDINGS.items():
        on = "server" if slug in SERVER_FINDINGS else "repository"
        rows.append(f"| `{slug}` | {on} | {_limit(limit.warning)} | {_limit(limit.critical)} | {MEANINGS[slug]} |")
    return "\n".join(rows) + "\n"


def _limit(value: object) -> str:
    return in_words(value) if isinstance(value, timedelta) else "yes" if value else ""


def help_text() -> str:
    return fenced("text", run("--help", env={"COLUMNS": "110"}).stdout)


def sample_conf() -> str:
    return fenced("toml", (ROOT / "telegraf" / "sample.conf").read_text())


def example_influx() -> str:
    lines = run("--demo").stdout.splitlines()

    def first(measurement: str, *words: str) -> str:
        return next(line for line in lines if line.startswith(measurement) and all(word in line for word in words))

    shown = (
        first("cvmfs_server", "server=stratum1-lagging"),
        first("cvmfs_repo", "repo=software", "server=stratum1-lagging"),
        first("cvmfs_finding", "repo=software", "server=stratum1-lagging"),
        first("cvmfs_server", "server=stratum1-down"),
        first("cvmfs_repo", "repo=software", "server=stratum1-down"),
        first("cvmfs_publish"),
        first("cvmfs_scrape"),
    )
    return fenced("text", "…\n".join(f"{line}\n" for line in shown))


def example_human() -> str:
    return fenced("text", run("--demo", "--print-for-human").stdout)


GENERATED = {
    "sample.conf": sample_conf,
    "help": help_text,
    "metrics": metrics,
    "results": results,
    "findings": findings,
    "example.influx": example_influx,
    "example.human": example_human,
}

CHANGING: Mapping[str, str] = {
    r"\b\d{19}\b": "<ns>",
    r"\b[0-9a-f]{40}\b": "<hash>",
    r"127\.0\.0\.1:\d+": "127.0.0.1:<port>",
    r"\b1[78]\d{8}i\b": "<unix>i",
    r"(duration|response_time)=[0-9.e-]+": r"\1=<seconds>",
    r"bytes=\d+i": "bytes=<n>i",
    r"(_in|whitelist_expires|_age|_behind|lag)=\d+i": r"\1=<n>i",
    r"took [0-9.]+s": "took <seconds>",
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC": "<time> UTC",
    r"whitelist \d+d( \d+h)?": "whitelist <span>",
    r" {2,}": "  ",
}


def steady(text: str) -> str:
    """The text without what differs from one run of the demo to the next."""
    for pattern, replacement in CHANGING.items():
        text = re.sub(pattern, replacement, text)
    return text


@pytest.mark.parametrize("name", GENERATED)
def test_a_part_is_what_the_program_produces(name: str) -> None:
    produced = GENERATED[name]()
    if os.environ.get("UPDATE_README") == "1" and steady(part(name)) != steady(produced):
        marked = f"<!-- begin {name} -->\n{part(name)}<!-- end {name} -->"
        document = document_of(name)
        text = document.read_text().replace(marked, f"<!-- begin {name} -->\n{produced}<!-- end {name} -->")
        document.write_text(text)
    assert steady(part(name)) == steady(produced)


# --- what is written by hand ------------------------------------------------------------------------


def test_the_fleet_file_is_one_and_shows_every_key(tmp_path: Path) -> None:
    text = part("fleet.toml").removeprefix("```toml\n").removesuffix("```\n")
    fleet = parse(text, tmp_path / "fleet.toml")
    assert (fleet.name, [server.name for server in fleet.servers]) == (
        "eessi",
        ["aws-eu-west-s1-sync.eessi.science", "ral-uk"],
    )
    shown = set(re.findall(r"^([a-z_]+) =", text, re.MULTILINE))
    for section, keys in SECTIONS.items():
        assert f"[{section}]" in text
        assert section == "limits" or set(keys) <= shown


def test_the_library_example_runs() -> None:
    code = part("library").removeprefix("```python\n").removesuffix("```\n")
    with DemoFleet(now=datetime.now(UTC)) as demo:
        hosts = {name: url.removeprefix("http://") for name, url in demo.urls.items()}
        code = code.replace("https://stratum1-b.example.org:8443", hosts["stratum1-down"])
        code = code.replace("stratum1-a.example.org", hosts["stratum1-healthy"])
        code = code.replace("stratum0.example.org", hosts["stratum0"]).replace("example.org", "demo.example")
        done = subprocess.run(
            [command()[0], "-c", code], capture_output=True, text=True, env=environment(), timeout=60, check=False
        )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == f"{hosts['stratum0']} NOT_FOUND up"
    assert f"{hosts['stratum1-down']} NOT_YET_TESTED down" in lines
    assert any(line.startswith("  software.demo.example 416 2") for line in lines)
    assert lines[-1] == "6"


def test_make_has_the_targets_that_are_named() -> None:
    targets = set(re.findall(r"^make ([a-z]+)", README.read_text(), re.MULTILINE))
    assert targets == {"demo", "test"}
    for target in targets:
        subprocess.run(["make", "--dry-run", "--silent", target], cwd=ROOT, check=True, capture_output=True)


def test_every_finding_and_measurement_is_explained() -> None:
    assert list(MEANINGS) == list(FINDINGS)
    assert list(MEASUREMENTS) == list(FIELDS)


def test_every_command_line_is_one_that_the_program_understands() -> None:
    text = "\n".join(document.read_text() for document in DOCUMENTS)
    written = re.findall(r"^(?:/\S*)?telegraf-cvmfs (-[^\n]+)$", text, re.MULTILINE) + re.findall(
        r"`telegraf-cvmfs ([^`]+)`", text
    )
    assert len(written) > 5
    for line in written:
        if "--help" not in line:
            assert options.parse(shlex.split(line)).command


def test_the_public_fleet_of_the_quick_start_is_one() -> None:
    assert "eessi" in public.names()
