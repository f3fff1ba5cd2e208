"""`python -m docs.tables [--check]`: write the tables and examples of the documents, or say which documents differ.

They stand between `<!-- begin NAME -->` and `<!-- end NAME -->`; `DOCUMENTS` says where and what.
"""

from __future__ import annotations

import argparse
import itertools
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import cache, partial
from pathlib import Path

from telegraf_cvmfs.model import FINDINGS, Coded, Result, RootCatalogState, Signature
from telegraf_cvmfs.points.schema import FIELDS, MEANING_OF_MEASUREMENTS, MEANING_OF_TAGS, TAGS
from telegraf_cvmfs.words.duration import in_words

ROOT = Path(__file__).resolve().parents[1]

Make = Callable[[], str]
"""Makes what stands between two markers."""

_TYPES = {int: "integer", float: "float", str: "string"}


class MissingError(Exception):
    """A part cannot be written; str() says what is missing."""


# --- from the program's own tables ------------------------------------------------------------------


def measurements() -> str:
    """The measurements, one row each."""
    rows = (f"| `{name}` | {what} |" for name, what in MEANING_OF_MEASUREMENTS.items())
    return _lines("| measurement | points |", "|---|---|", *rows)


def metrics() -> str:
    """Every measurement with its tags and fields, as Telegraf's plugins list them."""
    return _lines(*(line for name in FIELDS for line in _measurement(name)))


def _measurement(name: str) -> Iterator[str]:
    yield f"- {name} ({MEANING_OF_MEASUREMENTS[name]})"
    yield "  - tags:"
    yield from (f"    - {tag} ({MEANING_OF_TAGS[tag]})" for tag in TAGS[name])
    yield "  - fields:"
    for (kind, unit, meaning), alike in itertools.groupby(
        FIELDS[name], lambda field: (field.type, field.unit, field.meaning)
    ):
        names = ", ".join(field.name for field in alike)
        yield f"    - {names} ({_TYPES[kind]}{f', {unit}' if unit else ''}): {meaning}"


def codes(words: Iterable[Coded]) -> str:
    """Words that are written, each with the number that stands for it."""
    return _lines(", ".join(f"`{word.slug}` {word.code}" for word in words) + ".")


def findings() -> str:
    """Every finding with its default limits, each with a link to its page beside this one."""
    return _lines("| finding | on | warning | critical | when |", "|---|---|---|---|---|", *map(_finding, FINDINGS))


def _finding(slug: str) -> str:
    one = FINDINGS[slug]
    limits = f"{_limit(one.limit.warning)} | {_limit(one.limit.critical)}"
    return f"| [{slug}]({slug}.md) | {one.about.value} | {limits} | {one.meaning} |"


def _limit(value: object) -> str:
    return in_words(value) if isinstance(value, timedelta) else "yes" if value else ""


def alert_rules() -> str:
    """The rules of Grafana, from their generator, which alone needs PyYAML."""
    try:
        from grafana.generator import rules  # noqa: PLC0415
    except ModuleNotFoundError as why:
        raise MissingError(f"{why.name} is not installed: call `make docs-tables`") from why
    return rules.table()


def _lines(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)


# --- from files, and from what the program prints ---------------------------------------------------


def sample_conf() -> str:
    """Telegraf's settings."""
    return _fenced("toml", (ROOT / "telegraf" / "sample.conf").read_text(encoding="utf-8"))


def help_text() -> str:
    """What the command says about itself."""
    return _fenced("text", _printed("--help"))


def line_protocol(*shown: str) -> str:
    """Of the demo fleet's points the first that begins with each of these."""
    points = _printed("--demo").splitlines()
    found = [next(point for point in points if point.startswith(start)) for start in shown]
    return _fenced("text", "…\n".join(f"{point}\n" for point in found))


def page() -> str:
    """The demo fleet's page for a person."""
    return _fenced("text", _printed("--demo", "--print-for-human"))


def head_of_page() -> str:
    """The same page up to its second cause about repositories."""
    lines = _printed("--demo", "--print-for-human").splitlines()
    return _fenced("text", _lines(*itertools.takewhile(lambda line: " lagging on " not in line, lines), "…"))


@cache
def _printed(*arguments: str) -> str:
    """What the program prints where the environment says nothing, into 110 columns."""
    with tempfile.TemporaryDirectory() as home:
        return subprocess.run(  # noqa: S603
            [sys.executable, "-m", "telegraf_cvmfs", *arguments],
            cwd=ROOT,
            env={"COLUMNS": "110", "HOME": home, "PYTHONUTF8": "1"},
            capture_output=True,
            encoding="utf-8",
            check=True,
            timeout=60,
        ).stdout


def _fenced(kind: str, text: str) -> str:
    return f"```{kind}\n{text}```\n"


# --- where they stand -------------------------------------------------------------------------------

_LAGGING = "role=stratum1,server=stratum1-lagging"
_DOWN = "role=stratum1,server=stratum1-down"
_SOFTWARE = "fleet=demo,repo=software.demo.example"

DOCUMENTS: Mapping[str, Mapping[str, Make]] = {
    "README.md": {
        "measurements": measurements,
        "example.influx.short": partial(
            line_protocol, f"cvmfs_server,fleet=demo,{_LAGGING}", f"cvmfs_repo,{_SOFTWARE},{_LAGGING}"
        ),
        "example.human.short": head_of_page,
    },
    "docs/telegraf.md": {"sample.conf": sample_conf},
    "docs/command-line.md": {"help": help_text, "example.human": page},
    "docs/metrics.md": {
        "metrics": metrics,
        "results": partial(codes, Result),
        "example.influx": partial(
            line_protocol,
            *(f"cvmfs_server,fleet=demo,{_LAGGING}", f"cvmfs_repo,{_SOFTWARE},{_LAGGING}"),
            *(f"cvmfs_finding,{_SOFTWARE},{_LAGGING}", f"cvmfs_server,fleet=demo,{_DOWN}"),
            *(f"cvmfs_repo,{_SOFTWARE},{_DOWN}", "cvmfs_publish", "cvmfs_scrape"),
        ),
    },
    "docs/trust.md": {"signatures": partial(codes, Signature), "root_catalogs": partial(codes, RootCatalogState)},
    "docs/findings/README.md": {"findings": findings},
    "docs/alerts.md": {"rules": alert_rules},
}
"""Document -> name of a part -> what makes it. Names of examples begin so."""

_CHANGING: Mapping[str, str] = {
    r"\b\d{19}\b": "<ns>",
    r"\b[0-9a-f]{40}\b": "<hash>",
    r"127\.0\.0\.1:\d+": "127.0.0.1:<port>",
    r"\b1[78]\d{8}i\b": "<unix>i",
    r"(duration|response_time)=[0-9.e-]+": r"\1=<seconds>",
    r"bytes=\d+i": "bytes=<n>i",
    r"(_in|whitelist_expires|_age|_behind|lag)=\d+i": r"\1=<n>i",
    r"took [0-9.]+s": "took <seconds>",
    r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)? UTC": "<time> UTC",
    r"whitelist \d+d( \d+h)?": "whitelist <span>",
    r" {2,}": "  ",
}


def steady(name: str, text: str) -> str:
    """The text of this part; of an example without what differs from one run of the demo to the next."""
    if name.startswith("example"):
        for pattern, replacement in _CHANGING.items():
            text = re.sub(pattern, replacement, text)
    return text


def part(document: str, name: str) -> str:
    """What stands between the markers of this name.

    Raises:
        MissingError: there are no such markers.
    """
    _, begin, rest = (ROOT / document).read_text(encoding="utf-8").partition(_begin(name))
    found, end, _ = rest.partition(_end(name))
    if not begin or not end:
        raise MissingError(f"{document} has no `<!-- begin {name} -->` with an end")
    return found


def renewed(document: str) -> str:
    """The document with its parts as the program makes them; an example stays that differs by nothing but the time.

    Raises:
        MissingError: it has no markers of a part, or what makes a part is not installed.
    """
    text = (ROOT / document).read_text(encoding="utf-8")
    for name, make in DOCUMENTS[document].items():
        old, new = part(document, name), make()
        if steady(name, old) != steady(name, new):
            text = text.replace(f"{_begin(name)}{old}{_end(name)}", f"{_begin(name)}{new}{_end(name)}")
    return text


def _begin(name: str) -> str:
    return f"<!-- begin {name} -->\n"


def _end(name: str) -> str:
    return f"<!-- end {name} -->\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """0: written, or as they should be; 1: with --check, some differ; 2: a part cannot be made or has no place."""
    parser = argparse.ArgumentParser(prog="python -m docs.tables", description=__doc__)
    check = "write nothing, exit 1 if a document is not as it would be"
    parser.add_argument("--check", action="store_true", help=check)
    options = parser.parse_args(arguments)
    try:
        texts = {document: renewed(document) for document in DOCUMENTS}
    except MissingError as why:
        sys.stderr.write(f"{why}\n")
        return 2
    differing = [document for document in DOCUMENTS if (ROOT / document).read_text(encoding="utf-8") != texts[document]]
    for document in differing:
        if options.check:
            sys.stderr.write(f"{document} differs from what the program says: call `make docs-tables`\n")
        else:
            (ROOT / document).write_text(texts[document], encoding="utf-8")
    return 1 if options.check and differing else 0


if __name__ == "__main__":
    sys.exit(main())
