"""The files of the stack as they are read by Docker, and what must hold for them; each rule yields what breaks it."""

from __future__ import annotations

import fnmatch
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from tests import ROOT

SECRET = re.compile(r"(PASSWORD|TOKEN|SECRET|KEY)$")
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?P<how>:[-?])?(?P<rest>(?:[^{}$]|\$\{[^{}]*\})*)\}")
EXACT = re.compile(r"[a-z0-9./-]+:v?\d+\.\d+\.\d+$")
SECRETS_OF = {
    "telegraf": {"INFLUXDB_TELEGRAF_PASSWORD"},
    "telegraf-demo": {"INFLUXDB_TELEGRAF_PASSWORD"},
    "influxdb": {"INFLUXDB_ADMIN_PASSWORD", "INFLUXDB_TELEGRAF_PASSWORD", "INFLUXDB_GRAFANA_PASSWORD"},
    "grafana": {"INFLUXDB_GRAFANA_PASSWORD", "GRAFANA_ADMIN_PASSWORD"},
    **{name: set[str]() for name in ("demo", "exporter", "exporter-demo", "prometheus")},
}

TELEGRAF_ANSWERS = ["CMD", "curl", "--fail", "--silent", "--output", "/dev/null", "http://127.0.0.1:8080/"]
EXPORTER_ANSWERS = [*TELEGRAF_ANSWERS[:-1], "http://127.0.0.1:9877/-/ready"]
HEALTH = "http://127.0.0.1:3000/api/health"
CHECKS: Mapping[str, list[str]] = {
    "telegraf": TELEGRAF_ANSWERS,
    "telegraf-demo": TELEGRAF_ANSWERS,
    "influxdb": ["CMD", "influx", "ping", "--host", "http://127.0.0.1:8086"],
    "grafana": ["CMD-SHELL", f"wget -q -O /dev/null {HEALTH} || curl -fsS -o /dev/null {HEALTH}"],
    "demo": ["CMD", "test", "-s", "/var/lib/telegraf-cvmfs-demo/fleet.toml"],
    "exporter": EXPORTER_ANSWERS,
    "exporter-demo": EXPORTER_ANSWERS,
    "prometheus": ["CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:9090/-/ready"],
}


@dataclass(frozen=True)
class Variable:
    """One `${NAME…}` in a text: its name, `:-`, `:?` or nothing, and what follows that."""

    name: str
    how: str
    rest: str


@dataclass(frozen=True)
class Stack:
    """The texts of docker-compose.yml, telegraf/Dockerfile, .env.example and .dockerignore."""

    compose: str
    dockerfile: str
    example: str
    dockerignore: str

    @cached_property
    def document(self) -> dict[str, Any]:
        loaded: dict[str, Any] = yaml.safe_load(self.compose)
        return loaded

    @cached_property
    def services(self) -> Mapping[str, dict[str, Any]]:
        services: dict[str, dict[str, Any]] = self.document["services"]
        return services

    @cached_property
    def settings(self) -> dict[str, str]:
        lines = [line for line in self.example.splitlines() if line and not line.startswith("#")]
        return {name: value for name, _, value in (line.partition("=") for line in lines)}

    @property
    def secrets(self) -> list[str]:
        return [name for name in self.settings if SECRET.search(name)]

    @cached_property
    def stages(self) -> dict[str, str]:
        """The Dockerfile's stages with their images."""
        return {name: image for image, name in re.findall(r"^FROM (\S+) AS (\S+)$", self.dockerfile, re.MULTILINE)}


def shipped() -> Stack:
    files = ("docker-compose.yml", "telegraf/Dockerfile", ".env.example", ".dockerignore")
    return Stack(*((ROOT / name).read_text() for name in files))


def variables(value: object) -> Iterator[Variable]:
    """All of them in a text, or anywhere in what YAML made of one; those in a default too."""
    text = value if isinstance(value, str) else json.dumps(value)
    for found in VARIABLE.finditer(text):
        yield Variable(found["name"], found["how"] or "", found["rest"])
        yield from variables(found["rest"])


def _default(text: str) -> str:
    """The text as it is without any variable."""
    return VARIABLE.sub(lambda found: found["rest"] if found["how"] == ":-" else "", text)


# --- rules -------------------------------------------------------------------------------------------


def images_are_pinned(stack: Stack) -> Iterator[str]:
    for name, service in stack.services.items():
        if "build" not in service and not EXACT.match(service["image"]):
            yield f"{name}: {service['image']} is not one exact version"
    for name, image in stack.stages.items():
        if image not in stack.stages and not EXACT.match(image):
            yield f"stage {name}: {image} is not one exact version"


def ports_are_on_loopback(stack: Stack) -> Iterator[str]:
    for name, service in stack.services.items():
        for port in service.get("ports", []):
            if not re.match(r"127\.0\.0\.1:\$\{\w+_PORT:-\d+\}:\d+$", str(port)):
                yield f"{name}: port {port} is not on 127.0.0.1, or not by a variable"
        if service.get("network_mode", "service:").partition(":")[0] != "service":
            yield f"{name}: network {service['network_mode']}"


def variables_are_those_of_the_example(stack: Stack) -> Iterator[str]:
    used = {variable.name for variable in variables(stack.compose)}
    yield from (f"{name} is used and not in .env.example" for name in sorted(used - stack.settings.keys()))
    yield from (f"{name} is in .env.example and not used" for name in sorted(stack.settings.keys() - used))


def secrets_have_no_default(stack: Stack) -> Iterator[str]:
    for variable in variables(stack.compose):
        secret = SECRET.search(variable.name)
        if secret and (variable.how != ":?" or "./stack init" not in variable.rest):
            yield f"{variable.name} is not asked for with a sentence"
        if not secret and variable.how != ":-":
            yield f"{variable.name} has no default"
    yield from (f"{name} has a value" for name, value in stack.settings.items() if SECRET.search(name) and value)


def secrets_are_never_written_down(stack: Stack) -> Iterator[str]:
    for name, service in stack.services.items():
        for key, value in service.get("environment", {}).items():
            if SECRET.search(key) and _default(str(value)):
                yield f"{name}: {key} is written down"
        if "env_file" in service:
            yield f"{name}: env_file gives it every setting"


def each_gets_its_own_secrets(stack: Stack) -> Iterator[str]:
    for name, service in stack.services.items():
        got = {variable.name for variable in variables(service) if SECRET.search(variable.name)}
        if got != SECRETS_OF.get(name):
            yield f"{name}: gets {', '.join(sorted(got)) or 'no secret'}"


def services_are_watched_and_confined(stack: Stack) -> Iterator[str]:
    for name, service in stack.services.items():
        if not service.get("healthcheck", {}).get("test"):
            yield f"{name}: no health check"
        elif service["healthcheck"]["test"] != CHECKS.get(name):
            yield f"{name}: its health check asks for something else"
        if service.get("restart") != "unless-stopped":
            yield f"{name}: is not restarted"
        if not {"max-size", "max-file"} <= service.get("logging", {}).get("options", {}).keys():
            yield f"{name}: its log has no end"
        if service.get("cap_drop") != ["ALL"] or "cap_add" in service or "privileged" in service:
            yield f"{name}: has capabilities"
        if "no-new-privileges:true" not in service.get("security_opt", []):
            yield f"{name}: may gain rights"
        if "docker.sock" in json.dumps(service):
            yield f"{name}: may speak with Docker"
        if "build" in service and not service.get("read_only"):
            yield f"{name}: may change its own program"


def what_is_mounted_exists(stack: Stack) -> Iterator[str]:
    declared, used = set(stack.document["volumes"]), set[str]()
    for name, service in stack.services.items():
        for mount in map(_mount, service.get("volumes", [])):
            if mount["type"] == "volume":
                used.add(mount["source"])
                continue
            if not (ROOT / _default(mount["source"])).is_dir():
                yield f"{name}: there is no {mount['source']}"
            if not mount.get("read_only") or mount["bind"].get("create_host_path") is not False:
                yield f"{name}: {mount['source']} can be written or is made if missing"
    yield from (f"volume {name} is not declared" for name in sorted(used - declared))
    yield from (f"volume {name} is not used" for name in sorted(declared - used))


def _mount(volume: str | dict[str, Any]) -> dict[str, Any]:
    if isinstance(volume, dict):
        return volume
    source, _, target = volume.partition(":")
    return {"type": "volume" if source.isidentifier() or "-" in source else "bind", "source": source, "target": target}


def services_wait_for_what_is_there(stack: Stack) -> Iterator[str]:
    for name, service in stack.services.items():
        beside = service.get("network_mode", "").removeprefix("service:")
        for other in {*service.get("depends_on", {}), beside} - {""}:
            if other not in stack.services:
                yield f"{name}: there is no service {other}"
            elif set(stack.services[other].get("profiles", [])) - set(service.get("profiles", [])):
                yield f"{name}: {other} runs in another profile only"
        for other, how in service.get("depends_on", {}).items():
            if how.get("condition") != "service_healthy":
                yield f"{name}: does not wait until {other} is well"


def the_image_can_be_built(stack: Stack) -> Iterator[str]:
    for name, service in stack.services.items():
        build = service.get("build")
        if build and (build["target"] not in stack.stages or not (ROOT / build["dockerfile"]).is_file()):
            yield f"{name}: there is no stage {build['target']} in {build['dockerfile']}"
    for stage, sources in re.findall(r"^COPY (?:--from=(\S+) )?(.+) \S+$", stack.dockerfile, re.MULTILINE):
        if stage and stage not in stack.stages:
            yield f"COPY: there is no stage {stage}"
        for source in () if stage else sources.split():
            if not (ROOT / source).exists() or is_ignored(stack, source):
                yield f"COPY: {source} is not there or in .dockerignore"
    if re.findall(r"^USER (\S+)$", stack.dockerfile, re.MULTILINE)[-1:] in ([], ["root"], ["0"]):
        yield "the image runs as root"


def is_ignored(stack: Stack, path: str) -> bool:
    """By .dockerignore, where the last pattern that fits the path or a folder above it counts."""
    names = [path, *(str(parent) for parent in Path(path).parents)][:-1] or [path]
    ignored = False
    for line in stack.dockerignore.splitlines():
        pattern = line.removeprefix("!").removeprefix("**/")
        if line and not line.startswith("#") and any(_fits(name, pattern, "**/" in line) for name in names):
            ignored = not line.startswith("!")
    return ignored


def _fits(name: str, pattern: str, anywhere: bool) -> bool:
    if pattern == "*":
        return True
    return fnmatch.fnmatch(Path(name).name if anywhere else name, pattern)


def scripts_can_be_run(_stack: Stack) -> Iterator[str]:
    """InfluxDB's image leaves out, without a word, what is not executable or does not end in sh."""
    for script in (ROOT / "stack", *(ROOT / "deploy" / "influxdb").iterdir()):
        if not os.access(script, os.X_OK) or not (script.name == "stack" or script.name.endswith("sh")):
            yield f"{script.name} is not executable"


RULES: tuple[Callable[[Stack], Iterator[str]], ...] = (
    images_are_pinned,
    ports_are_on_loopback,
    variables_are_those_of_the_example,
    secrets_have_no_default,
    secrets_are_never_written_down,
    each_gets_its_own_secrets,
    services_are_watched_and_confined,
    what_is_mounted_exists,
    services_wait_for_what_is_there,
    the_image_can_be_built,
    scripts_can_be_run,
)
