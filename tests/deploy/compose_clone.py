"""A clone of the project with a stand-in for `docker` that notes down what it is asked to do."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from tests import ROOT

TOOLS = ("bash", "cat", "dirname", "grep", "ln", "mktemp", "od", "rm", "sed", "tail", "tr", "env", "sh", "find", "sort")
COMPOSE = "compose --project-name telegraf-cvmfs --profile demo --profile prometheus"
DOCKER = r"""#!/usr/bin/env bash
printf '%s\n' "${*//$'\n'/ }" >>"$NOTES/calls"
[[ " $* " != *" exec "* ]] || cat >"$NOTES/stdin"
case "$*" in
  'compose version') [[ ${BROKEN:-} != compose ]] ;;
  info) [[ ${BROKEN:-} != engine ]] ;;
  *' ps --services --status running') printf '%s\n' ${RUNNING:-telegraf} ;;
  'volume ls --quiet') printf '%s\n' mine telegraf-cvmfs_mine other_memory ${UNLABELLED:-} ;;
  *' config --volumes') printf '%s\n' memory grafana influxdb-data ;;
  'volume ls '*) printf '%s\n' ${VOLUMES-telegraf-cvmfs_grafana telegraf-cvmfs_memory} ;;
  *) [[ " $* " != *" ${BROKEN:-nothing} "* ]] ;;
esac
"""
ASK = "ps --services --status running"
"""How it is asked which services run."""

LOOKING = ["compose version", "info"]
"""What every command asks first: whether there is a Docker."""

NEED_DOCKER = [["up"], ["up", "--demo"], ["down"], ["status"], ["logs"], ["reset", "--yes"], ["doctor"]]
PASSWORDS = {
    "INFLUXDB_ADMIN_PASSWORD": "admins-secret",
    "INFLUXDB_TELEGRAF_PASSWORD": "writers-secret",
    "INFLUXDB_GRAFANA_PASSWORD": "readers-secret",
    "GRAFANA_ADMIN_PASSWORD": "peoples-secret",
}

READ_BY_CONTAINERS = (
    "deploy/influxdb/logins.sh", "grafana/dashboards/home.json", "grafana/examples/mute-timings.yaml", "grafana/provisioning/alerting/rules.yaml",
    "prometheus/rules.yaml",
    "telegraf/telegraf.conf", "telegraf/telegraf.d/cvmfs.conf", "telegraf/outputs/health.conf",
)  # fmt: skip


@dataclass
class Clone:
    """A clone of the project with a `docker` that does nothing but write down what it is asked."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("stack", ".env.example", "docker-compose.yml", *READ_BY_CONTAINERS):
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, self.folder / name)
        for path in self.folder.rglob("*"):
            path.chmod(0o755)  # whatever the umask of this clone
        (self.folder / "telegraf" / "fleet").mkdir()
        self.tools = self.folder / "tools"
        self.tools.mkdir()
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found
            (self.tools / tool).symlink_to(found)
        self.add("docker", DOCKER)

    def add(self, program: str, text: str) -> None:
        (self.tools / program).write_text(text)
        (self.tools / program).chmod(0o755)

    def run(self, *arguments: str, typed: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        given = {"PATH": str(self.tools), "NOTES": str(self.folder)} | self.environment | environment
        for note in ("calls", "stdin"):
            (self.folder / note).unlink(missing_ok=True)
        command = [str(self.folder / "stack"), *arguments]
        return subprocess.run(
            command, env=given, input=typed, cwd="/", capture_output=True, text=True, check=False, timeout=60
        )

    @property
    def calls(self) -> list[str]:
        """What docker was asked, each call a line, without `compose` and the words that are always the same."""
        notes = self.folder / "calls"
        lines = notes.read_text().splitlines() if notes.exists() else []
        return [line.removeprefix(f"{COMPOSE} ").strip() for line in lines]

    @property
    def env(self) -> Path:
        return self.folder / ".env"

    def fill(self, **more: str) -> None:
        settings = PASSWORDS | more
        self.env.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))

    def add_fleet(self) -> None:
        (self.folder / "telegraf" / "fleet" / "fleet.toml").write_text("[fleet]\n")
