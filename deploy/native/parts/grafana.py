"""A Grafana that is installed already, started as the compose file starts its own: provisioned, on loopback."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from deploy.native import logins
from deploy.native.folder import CLONE, Folder
from telegraf_cvmfs.model import FetchError
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.net.influxdb import Database
from telegraf_cvmfs.net.question import Question, Status
from telegraf_cvmfs.net.web import Web

_PATIENCE = 5.0  # seconds for one request
_PACKAGED = Path("/usr/share/grafana")
PROVISIONING = CLONE / "grafana" / "provisioning"
DASHBOARDS = CLONE / "grafana" / "dashboards"
OF_PROMETHEUS = CLONE / "prometheus" / "dashboards"
NO_DASHBOARDS = CLONE / "grafana" / "examples"
SETTINGS = {
    "GF_PATHS_PROVISIONING": str(PROVISIONING),
    "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH": str(DASHBOARDS / "home.json"),
    "GF_SERVER_HTTP_ADDR": "127.0.0.1",
    "GF_SECURITY_ADMIN_USER": logins.ADMIN,
    "GF_SECURITY_COOKIE_SECURE": "false",
    "GF_SECURITY_DISABLE_GRAVATAR": "true",
    "GF_AUTH_ANONYMOUS_ENABLED": "false",
    "GF_USERS_ALLOW_SIGN_UP": "false",
    "GF_USERS_ALLOW_ORG_CREATE": "false",
    "GF_ANALYTICS_REPORTING_ENABLED": "false",
    "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
    "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
    "GF_ANALYTICS_FEEDBACK_LINKS_ENABLED": "false",
    "GF_NEWS_NEWS_FEED_ENABLED": "false",
    "GF_SNAPSHOTS_EXTERNAL_ENABLED": "false",
    "GF_PLUGINS_PREINSTALL_DISABLED": "true",
    "GF_LOG_MODE": "console",
    "CVMFS_DASHBOARDS": str(DASHBOARDS),
}
"""Those that are the same everywhere: as in docker-compose.yml, and where the files lie that it mounts."""


def command(program: Path, settings_file: Path) -> list[str]:
    """How to start it: with our settings file, which is empty, so that no other one counts."""
    serve = [str(program)] if program.name == "grafana-server" else [str(program), "server"]
    home = next((each for each in (program.resolve().parents[1], _PACKAGED) if _is_home(each)), None)
    return [*serve, "--config", str(settings_file), *(["--homepath", str(home)] if home else [])]


def _is_home(folder: Path) -> bool:
    return (folder / "conf" / "defaults.ini").is_file()


def settings(folder: Folder, port: int, password: str, reader: Database, prometheus: str = "") -> dict[str, str]:
    """Grafana's settings by variables, and those that the provisioning files read; `prometheus` is its URL, if any."""
    folders = {name: str(folder.subfolder("grafana") / name) for name in ("data", "logs", "plugins")}
    return {
        **SETTINGS,
        **{f"GF_PATHS_{name.upper()}": path for name, path in folders.items()},
        "GF_SERVER_HTTP_PORT": str(port),
        "GF_SERVER_ROOT_URL": f"http://localhost:{port}/",
        "GF_SECURITY_ADMIN_PASSWORD": password,
        "CVMFS_DASHBOARDS_PROMETHEUS": str(OF_PROMETHEUS if prometheus else NO_DASHBOARDS),
        "PROMETHEUS_URL": prometheus,
        "INFLUXDB_URL": reader.url,
        "INFLUXDB_DATABASE": reader.name,
        "INFLUXDB_USERNAME": reader.user,
        "INFLUXDB_PASSWORD": reader.password,
    }


def of_the_user(environment: Mapping[str, str]) -> dict[str, str]:
    """Settings that the user has for Grafana; ours are on top of them."""
    return {name: value for name, value in environment.items() if name.startswith("GF_")}


def answers(url: str) -> bool:
    """Whether Grafana is up: its own health page says so."""
    try:
        return Web(Deadline(_PATIENCE), _PATIENCE).ask(Question(f"{url}/api/health")).status == Status.OK
    except FetchError:
        return False
