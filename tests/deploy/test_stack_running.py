"""./stack while the stack runs: looking at it, stopping it, deleting it; with a stand-in for `docker`."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests import ROOT
from tests.deploy.compose_clone import COMPOSE, LOOKING, NEED_DOCKER, PASSWORDS, Clone


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


# --- down, reset, status, logs -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "call"),
    [
        (["down"], "down"),
        (["status"], "ps --all"),
        (["logs"], "logs --follow --tail 200"),
        (["logs", "influxdb"], "logs --follow --tail 200 influxdb"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_looking_and_stopping_need_no_password(clone: Clone, arguments: list[str], call: str) -> None:
    done = clone.run(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert clone.calls == [*LOOKING, call]


VOLUMES = "volume ls --quiet --filter label=com.docker.compose.project=telegraf-cvmfs"
LISTING = ["config --volumes", VOLUMES, "volume ls --quiet"]


@pytest.mark.parametrize("typed", ["", "\n", "no\n", "y\n", "Yes\n", "yes!\n"])
def test_reset_deletes_nothing_unless_told_so_in_full(clone: Clone, typed: str) -> None:
    done = clone.run("reset", typed=typed)
    assert done.returncode == 1
    assert done.stderr == "stack: nothing was deleted\n"
    assert "\n  telegraf-cvmfs_grafana\n  telegraf-cvmfs_memory\n" in done.stdout
    assert clone.calls == [*LOOKING, *LISTING]


@pytest.mark.parametrize(("arguments", "typed"), [(["reset"], "yes\n"), (["reset", "--yes"], "")])
def test_reset_deletes_the_volumes_that_it_named(clone: Clone, arguments: list[str], typed: str) -> None:
    done = clone.run(*arguments, typed=typed)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\n  telegraf-cvmfs_grafana\n  telegraf-cvmfs_memory\n" in done.stdout
    assert clone.calls == [*LOOKING, *LISTING, "down --volumes"]


def test_reset_names_volumes_that_docker_made_without_compose_and_no_others(clone: Clone) -> None:
    done = clone.run(
        "reset", VOLUMES="telegraf-cvmfs_memory", UNLABELLED="telegraf-cvmfs_memory telegraf-cvmfs_grafana"
    )
    named = [line.strip() for line in done.stdout.splitlines() if line.startswith("  ")]
    assert named == ["telegraf-cvmfs_grafana", "telegraf-cvmfs_memory"]


def test_reset_says_when_there_is_nothing_to_delete(clone: Clone) -> None:
    assert "\n  (there are none)\n" in clone.run("reset", VOLUMES="").stdout


# --- doctor, native ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("service", "start"), [("telegraf", "./stack up"), ("telegraf-demo", "./stack up --demo")])
def test_the_doctor_asks_as_the_reader_from_where_telegraf_is(clone: Clone, service: str, start: str) -> None:
    clone.fill()
    assert clone.run("doctor", "--deadline", "30", RUNNING=service).returncode == 0
    asked = clone.calls[-1]
    variables = f"-e INFLUXDB_USERNAME=grafana -e GRAFANA_USER=admin -e TELEGRAF_CVMFS_START={start}"
    assert asked.startswith(f"exec -T {variables} {service} sh -c ")
    assert asked.endswith("doctor --deadline 30")
    assert (clone.folder / "stdin").read_text() == "readers-secret\npeoples-secret\n"


def test_a_service_is_found_among_many_that_run(clone: Clone) -> None:
    clone.fill()
    assert clone.run("doctor", RUNNING="telegraf " + "telegraf-demo " * 6000).returncode == 0
    assert " telegraf sh -c " in clone.calls[-1]


def test_the_doctors_words_in_the_container_hand_on_both_passwords(clone: Clone) -> None:
    script = re.search(r'"\$service" sh -c \'\n(.*?)\' doctor', (ROOT / "stack").read_text(), re.DOTALL)
    assert script
    clone.add("telegraf-cvmfs", '#!/bin/sh\nprintf "%s|%s|%s" "$INFLUXDB_PASSWORD" "$GRAFANA_PASSWORD" "$*"\n')
    done = subprocess.run(
        ["sh", "-c", script[1], "doctor", "--deadline", "3 0"],
        env={"PATH": str(clone.tools)}, input="a b\\c\n'd'$e\n", capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "a b\\c|'d'$e|doctor --deadline 3 0"


def test_the_doctor_needs_a_telegraf_that_runs(clone: Clone) -> None:
    clone.fill()
    done = clone.run("doctor", RUNNING="grafana")
    assert (done.returncode, done.stderr) == (1, "stack: no Telegraf runs; start one with ./stack up\n")


def test_native_makes_the_environment_and_hands_everything_on(clone: Clone) -> None:
    (clone.tools / "docker").unlink()
    clone.add("make", '#!/bin/sh\necho "make $*"\n')
    python = clone.folder / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "python $*"\n')
    python.chmod(0o755)
    done = clone.run("native", "up", "--config", "my fleet.toml", VENV="venv")
    assert (done.returncode, done.stderr) == (0, "make --silent --no-print-directory venv/.set-up\n")
    assert done.stdout == "python -m deploy.native up --config my fleet.toml\n"
    clone.add("make", "#!/bin/sh\nexit 2\n")
    assert "the virtual environment could not be made" in clone.run("native", VENV="venv").stderr


# --- always ------------------------------------------------------------------------------------------

EVERYTHING = [*NEED_DOCKER, ["logs", "demo"], ["reset"], ["init"], ["help"]]


@pytest.mark.parametrize("arguments", EVERYTHING, ids=" ".join)
def test_it_touches_its_own_project_only_and_shows_no_password(clone: Clone, arguments: list[str]) -> None:
    clone.fill()
    clone.add_fleet()
    done = clone.run(*arguments, typed="yes\n")
    notes = clone.folder / "calls"
    lines = notes.read_text().splitlines() if notes.exists() else []
    looks = {*LOOKING, *LISTING}
    assert [line for line in lines if not line.startswith(f"{COMPOSE} ") and line not in looks] == []
    assert not re.search(r"\b(prune|rmi|kill|system|--force)\b", "\n".join(lines))
    assert not [secret for secret in PASSWORDS.values() if secret in "\n".join([*lines, done.stdout, done.stderr])]
