"""One finished run as a page for a person: what is wrong first, what is well in one line each.

For a pipe every line is complete in itself (how serious, which repository, which server, what), so that
`grep` finds all of a repository or of a server that is unwell. For a terminal the same rows are grouped and
coloured; the words carry the meaning, the colours repeat it.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from rich.console import Console
from rich.text import Text

from telegraf_cvmfs.emit.phrases import WORDS, counts, ended, facts, hosts, newest, rank, together, where
from telegraf_cvmfs.model import Finding, Health, ReplicaVerdict, Result, Run, ServerVerdict, worst
from telegraf_cvmfs.words.text import listed, tame

_COLOURS = {"ok": "green", "warning": "bold yellow", "critical": "bold red", "unknown": "bold magenta"}
_WORD_WIDTH = max(map(len, WORDS.values()))
_LONGEST_NAME = 60
_LONGEST_TEXT = 600
_WIDEST_COLUMN = 40


@dataclass(frozen=True)
class _Row:
    """One line: how serious, of what, and what it says; `depth` is how far a terminal indents it."""

    word: str
    names: tuple[str, ...]
    text: str
    depth: int = 0


_Group = tuple[Health | None, Sequence[ReplicaVerdict], str]


def render(run: Run, *, terminal: bool = False) -> str:
    """The page for one run, ending with a newline.

    Without `terminal` it is plain text that does not depend on any width; with it, lines carry ANSI colours
    and are left to the terminal to fold. Control characters that a server sent never pass.
    """
    sections = [_tamed(rows) for rows in (_summary(run), _servers(run), _repositories(run))]
    paper = io.StringIO()
    console = _console(paper, terminal=terminal)
    for number, section in enumerate(filter(None, sections)):
        if number:
            console.print()
        for line in _grouped(section) if terminal else _flat(section):
            console.print(line, soft_wrap=True)
    return paper.getvalue()


# --- the three sections -----------------------------------------------------------------------------


def _summary(run: Run) -> Iterator[_Row]:
    when = run.started.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    repos = [_worst(verdicts) for verdicts in _by_repository(run).values()]
    up = sum(server.stratum.up for server in run.servers)
    took = f"{run.duration.total_seconds():.1f}s"
    yield _Row(_overall(run), ("fleet",), f"{run.fleet.name}, {when}, took {took}")
    yield _Row("", ("servers",), f"{up} of {len(run.servers)} up" if run.servers else "none to ask")
    yield _Row("", ("repositories",), _tally(repos))
    yield _Row("", ("replicas",), _tally([verdict.health for verdict in run.replicas]))
    if run.deadline_hit:
        yield _Row("warning", ("time",), "the run's time was up before everything was read")


def _servers(run: Run) -> Iterator[_Row]:
    """The servers that have something wrong themselves, one row for each finding, worst server first."""
    for verdict in sorted(run.servers, key=_by_severity):
        server = verdict.stratum.server
        names = (server.label, server.role.value)
        for finding in verdict.findings:
            yield _Row(WORDS[finding.health], names, _sentence(finding))
        if not verdict.findings and verdict.health is not Health.OK:
            yield _Row(WORDS[verdict.health], names, f"list not read: {verdict.stratum.listing.why}")


def _repositories(run: Run) -> Iterator[_Row]:
    down = {server.stratum.server.label for server in run.servers if not server.stratum.up}
    for repo, verdicts in sorted(_by_repository(run).items(), key=lambda item: (-rank(_worst(item[1])), item[0])):
        yield from _repository(repo, verdicts, down, run.started)


def _repository(repo: str, verdicts: Sequence[ReplicaVerdict], down: set[str], now: datetime) -> Iterator[_Row]:
    """One line if all is well, else a heading and what is not well, worst first.

    The heading names the newest revision and who has it, so that the worst replica can stand right below.
    Replicas of a server that is down do not unfold their repository: the server is the news, told above.
    """
    ill = [verdict for verdict in verdicts if _is_ill(verdict, down)]
    folded = list(_folded(verdicts, down, now))
    word, names = WORDS[_worst(verdicts)], (repo, where(verdicts))
    if not ill:
        yield _Row(word, names, _in_one_line(folded))
        return
    health = counts(verdict.health for verdict in verdicts)
    yield _Row(word, names, f"{health}; {newest(verdicts, now, named=True)}")
    for verdict in sorted(ill, key=_by_severity):
        yield from _unfolded(repo, verdict, now)
    for kind, group, text in folded:
        yield _Row(WORDS[kind], (repo, where(group)), text, 1)


def _unfolded(repo: str, verdict: ReplicaVerdict, now: datetime) -> Iterator[_Row]:
    names = (repo, verdict.replica.server.label)
    yield _Row(WORDS[verdict.health], names, facts(verdict, now), 1)
    for finding in verdict.findings:
        yield _Row(WORDS[finding.health], names, _sentence(finding), 2)


def _folded(verdicts: Sequence[ReplicaVerdict], down: set[str], now: datetime) -> Iterator[_Group]:
    """What needs no line of its own: replicas that are well, that could not be read, that nobody judges."""
    well = [verdict for verdict in verdicts if verdict.health is Health.OK]
    if well:
        yield Health.OK, well, together(well, now)
    silent = [verdict for verdict in verdicts if _is_silent(verdict, down)]
    whys = [_why(verdict, down) for verdict in silent]
    for why in dict.fromkeys(whys):
        group = [verdict for verdict, its in zip(silent, whys, strict=True) if its == why]
        yield Health.UNKNOWN, group, f"not read: {why}"
    passing = [verdict for verdict in verdicts if verdict.health is None]
    if passing:
        yield None, passing, f"not judged, {newest(passing, now)}"


def _in_one_line(folded: Sequence[_Group]) -> str:
    """The groups after one another; who is meant is said where it is not everyone, nor all that are well."""
    if len(folded) == 1:
        return folded[0][2]
    return "; ".join(text if kind is Health.OK else f"{listed(hosts(group))} {text}" for kind, group, text in folded)


def _is_ill(verdict: ReplicaVerdict, down: set[str]) -> bool:
    return verdict.health not in (Health.OK, None) and not _is_silent(verdict, down)


def _is_silent(verdict: ReplicaVerdict, down: set[str]) -> bool:
    """Was it not read for a reason that is told above: its server is down, the run's time was up?"""
    told = verdict.replica.server.label in down or verdict.replica.manifest.result is Result.DEADLINE
    return verdict.health is Health.UNKNOWN and not verdict.replica.up and told


def _why(verdict: ReplicaVerdict, down: set[str]) -> str:
    result = verdict.replica.manifest.result
    # A server that was never asked is not up either, but nobody knows that it is down.
    if result is not Result.DEADLINE and verdict.replica.server.label in down:
        return "server down"
    return ended(result)


def _sentence(finding: Finding) -> str:
    return f"{finding.slug}: {finding.problem}"


def _tally(healths: Sequence[Health | None]) -> str:
    return f"{len(healths)}: {counts(healths)}" if healths else "none known"


def _overall(run: Run) -> str:
    """The fleet in one word; of a fleet without servers nothing is known."""
    if not run.servers:
        return WORDS[Health.UNKNOWN]
    return WORDS[worst([_worst(run.replicas) or Health.OK, *(server.health for server in run.servers)])]


def _worst(verdicts: Iterable[ReplicaVerdict]) -> Health | None:
    return max((verdict.health for verdict in verdicts), key=rank, default=None)


def _by_severity(verdict: ReplicaVerdict | ServerVerdict) -> int:
    return -rank(verdict.health)


def _by_repository(run: Run) -> dict[str, list[ReplicaVerdict]]:
    groups: dict[str, list[ReplicaVerdict]] = {}
    for verdict in run.replicas:
        groups.setdefault(verdict.replica.repo, []).append(verdict)
    return groups


# --- lines ------------------------------------------------------------------------------------------


def _tamed(rows: Iterable[_Row]) -> list[_Row]:
    """Text from servers and fleet files as the page shows it; all of it passes here."""
    return [
        replace(
            row,
            names=tuple(tame(name, _LONGEST_NAME) for name in row.names),
            text=tame(row.text, _LONGEST_TEXT),
        )
        for row in rows
    ]


def _flat(section: Sequence[_Row]) -> Iterator[Text]:
    """Every row with all its names, in columns."""
    widths = _widths(section)
    for row in section:
        yield _line(row, row.names, widths)


def _grouped(section: Sequence[_Row]) -> Iterator[Text]:
    """A row below its heading leaves out the names that stand above it."""
    widths = _widths(section)
    for row in section:
        yield _line(row, row.names[row.depth :], widths[row.depth :], indent=2 * row.depth)


def _line(row: _Row, names: Sequence[str], widths: Sequence[int], indent: int = 0) -> Text:
    line = Text(" " * indent)
    line.append(f"{row.word:<{_WORD_WIDTH}}", _COLOURS.get(row.word, ""))
    for name, width in zip(names, widths, strict=True):
        line.append(f"  {name:<{width}}", "bold" if name == row.names[0] and not row.depth else "")
    line.append(f"  {row.text}")
    line.rstrip()
    return line


def _widths(section: Sequence[_Row]) -> list[int]:
    """Of each column of names; one very long name does not push all others to the right."""
    columns = zip(*(row.names for row in section), strict=True)
    return [min(_WIDEST_COLUMN, max(map(len, column))) for column in columns]


def _console(paper: io.StringIO, *, terminal: bool) -> Console:
    """A printer on paper; every choice is made here, so that it asks neither environment nor screen."""
    return Console(
        file=paper,
        force_terminal=terminal,
        force_jupyter=False,
        force_interactive=False,
        color_system="standard" if terminal else None,
        no_color=not terminal,
        legacy_windows=False,
        width=80,
        height=25,
    )
