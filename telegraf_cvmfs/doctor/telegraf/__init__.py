"""What Telegraf's program, files and process say, and a trial of it, in sentences. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from telegraf_cvmfs.doctor.chain import Link, Step, Verdict
from telegraf_cvmfs.doctor.telegraf.files import ConfigFile, Input, has_outputs, remarks
from telegraf_cvmfs.words.duration import in_words
from telegraf_cvmfs.words.text import listed

OLDEST = (1, 39)
"""The first version that takes `commands` as lists."""

LINK = Link.TELEGRAF
"""Which link of the chain this is."""

_INSTALL = "install it (docs.influxdata.com/telegraf), or name its program: --telegraf FILE"
_COPY = (
    "copy telegraf/telegraf.d/cvmfs.conf to /etc/telegraf/telegraf.d, or name the right file: --telegraf-config FILE"
)
_START = "sudo systemctl start telegraf, then systemctl status telegraf (./stack up in Docker)"
_RESTART = "restart it, so that it reads them: sudo systemctl restart telegraf. If it is a person's, ask as that person"

ADVICE: tuple[tuple[str, str], ...] = (
    (r"required variable (\w+) is missing", r"set \1 where Telegraf's service reads it: /etc/default/telegraf"),
    (r"no such file or directory|executable file not found", "write the full path of the program into `commands`"),
    (r"permission denied", "let Telegraf's user run the program: not in anybody's home, mode 755"),
    (r"timed out|signal: ", "give it more time: timeout in [[inputs.exec]], longer than the program's --deadline"),
    (r"fleet file", "give Telegraf the fleet file that works: --config in `commands`"),
    (r"metric parse error|invalid character|parsing.*failed", 'write data_format = "influx" into [[inputs.exec]]'),
    (r"loading config|error parsing", "correct that file; `telegraf config check` tries it again"),
)
"""What to do about an error in Telegraf's log that has these words; the first that fits."""


@dataclass(frozen=True)
class Trial:
    """One run of our input by the real Telegraf.

    Args:
        points: how many points of ours it printed.
        complaints: errors (`E! …`) and warnings (`W! …`) in its log.
        code: its exit code, None if it was stopped because it took too long.
        user: the name of the user that it ran as.
    """

    points: int
    complaints: tuple[str, ...]
    code: int | None
    user: str


@dataclass(frozen=True)
class Installation:
    """Telegraf on this machine; `files` have their variables filled in.

    Args:
        program: its path; empty if it is not here.
        version: "1.39.3"; empty if it did not say.
        files: what it reads.
        pid: of the process that runs with these files; None if there is none.
        others: of processes that run with other files.
        user: the name of the user that it runs as, or would.
        obstacles: what keeps that user from our program or the fleet file.
        inputs: which of the files run our program, and how.
    """

    program: str
    version: str
    files: tuple[ConfigFile, ...]
    pid: int | None
    others: tuple[int, ...]
    user: str
    obstacles: tuple[str, ...]
    inputs: tuple[Input, ...]


def examine(
    found: Installation, trial: Trial | str, deadline: timedelta, fleet_file: str, start: str = ""
) -> Iterator[Step]:
    """The steps about Telegraf: each thing that has to be right, in the order in which it has to be.

    Args:
        found: what is on this machine.
        trial: what a trial gave, or why there was none.
        deadline: how long a run of our program may take.
        fleet_file: the one that was examined; empty for none.
        start: the command that starts it together with the other parts; empty where it is a service of its own.
    """
    yield from _program(found)
    if not found.inputs and not any(file.is_odd for file in found.files):
        yield _no_input(found)
        return
    for one in found.inputs:
        yield Step(LINK, Verdict.OK, f"{one.file} runs {one.program}, every {in_words(one.interval)}")
    yield from _settings(found, deadline)
    yield from _other_fleet(found, fleet_file)
    for obstacle in found.obstacles:
        yield Step(LINK, Verdict.WRONG, obstacle, _let_in(found))
    yield from _trial(found, trial)
    yield _process(found, start)


def _program(found: Installation) -> Iterator[Step]:
    if not found.program and found.pid is not None:
        what = f"a Telegraf runs (process {found.pid}), but where its program is cannot be told: it is not on the PATH"
        yield Step(LINK, Verdict.UNSURE, what, "name it: telegraf-cvmfs doctor --telegraf FILE")
        return
    if not found.program:
        yield Step(LINK, Verdict.WRONG, "Telegraf is not installed here: it is not on the PATH", _INSTALL)
        return
    version = tuple(int(part) for part in re.findall(r"\d+", found.version)[:2])
    if not version:
        what = f"{found.program} does not say which version it is"
        yield Step(LINK, Verdict.UNSURE, what, f"try it: {found.program} version")
    elif version < OLDEST and any(one.in_lists for one in found.inputs):
        what = f"Telegraf {found.version} does not take `commands` as lists, only 1.39 and later do"
        yield Step(LINK, Verdict.WRONG, what, 'write one string: commands = ["telegraf-cvmfs --config …"], or upgrade')
    else:
        yield Step(LINK, Verdict.OK, f"Telegraf {found.version} is installed: {found.program}")


def _no_input(found: Installation) -> Step:
    hidden = [file for file in found.files if file.problem and not file.missing]
    read = [file.path for file in found.files if not file.problem]
    if hidden:
        what = f"{hidden[0].path} cannot be read ({hidden[0].problem}): whether it runs this program is not known"
        return Step(LINK, Verdict.UNSURE, what, "ask again as root: sudo telegraf-cvmfs doctor")
    if not read:
        what = f"there is no configuration of Telegraf: no {listed([file.path for file in found.files])}"
        running = found.pid is not None or found.others
        advice = "if Telegraf runs in a container, ask in there (./stack doctor)" if running else _COPY
        return Step(LINK, Verdict.UNSURE if running else Verdict.WRONG, what, advice)
    what = f"no [[inputs.exec]] or [[inputs.execd]] runs telegraf-cvmfs in {listed(read)}"
    return Step(LINK, Verdict.WRONG, what, _COPY)


def _settings(found: Installation, deadline: timedelta) -> Iterator[Step]:
    """The steps about the files: what is wrong with our inputs, as `--check` says it too, and with the outputs."""
    for remark in (remark for file in found.files for remark in remarks(file, deadline)):
        if remark.verdict is not Verdict.OK:
            usual = f"correct that in {remark.file}" if remark.verdict is Verdict.WRONG else "telegraf config check"
            yield Step(LINK, remark.verdict, f"{remark.where} {remark.sentence}", remark.advice or usual)
    if not has_outputs(found.files):
        what = "its files name no output: nothing would be written anywhere"
        yield Step(LINK, Verdict.WRONG, what, "give it one of telegraf/outputs/*.conf as well")


def _other_fleet(found: Installation, fleet_file: str) -> Iterator[Step]:
    theirs = {one.fleet_file for one in found.inputs if one.fleet_file}
    if theirs and fleet_file and fleet_file not in theirs:
        other = min(theirs)
        what = f"Telegraf's command reads the fleet file {other}, not the one that was examined"
        yield Step(LINK, Verdict.UNSURE, what, f"telegraf-cvmfs doctor --config {other}")


def _let_in(found: Installation) -> str:
    program, file = found.inputs[0].program, found.inputs[0].fleet_file  # only those meet obstacles
    return f"try it as that user: sudo -u {found.user} {program} --check" + (f" --config {file}" if file else "")


def _trial(found: Installation, trial: Trial | str) -> Iterator[Step]:
    if isinstance(trial, str):
        yield Step(LINK, Verdict.NOT_ASKED, f"a trial of Telegraf: {trial}")
        return
    if trial.points:
        yield Step(LINK, Verdict.OK, f"a trial of Telegraf, as user {trial.user}, gives {trial.points} points")
        for warning in [line for line in trial.complaints if "memory" in line][:1]:
            yield Step(LINK, Verdict.UNSURE, f"it goes without a memory: {_short(warning[3:])}")
        return
    what, advice = _failure(trial)
    what = f"a trial of Telegraf, as user {trial.user}, {what}"
    if trial.code is None or trial.user == found.user:
        yield Step(LINK, Verdict.UNSURE if trial.code is None else Verdict.WRONG, what, advice)
    else:  # with other rights and variables than Telegraf's own
        yield Step(
            LINK,
            Verdict.UNSURE,
            what,
            f"ask again as root, so that user {found.user} tries it: sudo telegraf-cvmfs doctor",
        )


def _failure(trial: Trial) -> tuple[str, str]:
    """Why a trial gave no points, and what to do."""
    if trial.code is None:
        return "did not end in time", "give the doctor more time: --deadline 180"
    errors = [line[3:] for line in trial.complaints if line.startswith("E! ")]
    ours = [error for error in errors if re.match(r"\[inputs\.execd?\]|.*(config|telegraf)", error)] or errors
    if not ours:
        return "gives no points and no error", "run it yourself: telegraf --test --input-filter exec --debug"
    advice = next((match.expand(said) for words, said in ADVICE if (match := re.search(words, ours[0]))), "")
    return f"fails: {_short(ours[0])}", advice or "run it yourself: telegraf --test --input-filter exec"


def _process(found: Installation, start: str) -> Step:
    if found.pid is not None:
        return Step(LINK, Verdict.OK, f"it runs: process {found.pid}, user {found.user}")
    if found.others:
        what = f"no Telegraf runs with these files; one runs with others (process {found.others[0]})"
        return Step(LINK, Verdict.WRONG, what, start or _RESTART)
    return Step(LINK, Verdict.WRONG, "Telegraf is not running: there is no process of it here", start or _START)


def _short(error: str) -> str:
    """The beginning and the end of an error: Telegraf wraps what is wrong in all that it was doing."""
    error = re.sub(r"^\[inputs\.execd?\] (Error in plugin: )?", "", error)
    return error if len(error) <= _LONGEST else f"{error[: _LONGEST // 3]} … {error[-2 * _LONGEST // 3 :]}"


_LONGEST = 300
