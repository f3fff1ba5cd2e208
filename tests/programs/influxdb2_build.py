"""A real InfluxDB 2, the version of docker-compose.yml, and its command line `influx`, built from their sources.

They come from the Go module proxy, and what they need of Rust from crates.io. The pages for browsers are not in it.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from deploy.native.programs import Missing, installed, run

VERSION = "2.9.1"
SERVER = "github.com/influxdata/influxdb/v2"
INFLUX = "github.com/influxdata/influx-cli/v2/cmd/influx"

MODULE = f"""module programs

go 1.25.10

require {SERVER} v{VERSION}

replace github.com/nats-io/nats-streaming-server v0.11.2 => github.com/influxdata/nats-streaming-server v0.11.3-0.20201112040610-c277f7560803

replace google.golang.org/protobuf v1.30.0 => google.golang.org/protobuf v1.33.0
"""
"""Its own go.mod replaces modules, which `go install` obeys only in the module that it is run in."""


def influxd2() -> Path:
    """The server; `influx` lies beside it."""
    return installed(f"influxdb-{VERSION}", "influxd", _build)


def _build(room: Path) -> None:
    """Minutes. The server's Go needs a library of Flux, which InfluxDB's own `pkg-config` builds with cargo."""
    for tool in ("go", "cargo"):  # the second would be missed only late, by somebody who does not say so
        if shutil.which(tool) is None:
            raise Missing(f"InfluxDB {VERSION} is built from its sources, and {tool} is not on the PATH")
    with tempfile.TemporaryDirectory(dir=room.parent) as scratch:
        module = Path(scratch)
        (module / "go.mod").write_text(MODULE)
        settings = _lenient() | {"GOBIN": scratch, "GOFLAGS": "-mod=mod", "CGO_ENABLED": "1"}
        run(["go", "install", "github.com/influxdata/pkg-config"], settings, module)
        settings |= {"GOBIN": str(room), "PKG_CONFIG": str(module / "pkg-config")}
        server = f"{SERVER}/cmd/influxd"
        version = f"{server}=-s -w -X main.version=v{VERSION}"
        built = ["-tags", "sqlite_foreign_keys,sqlite_json", "-ldflags", version]
        run(["go", "install", *built, server, INFLUX], settings, module)


def _lenient() -> dict[str, str]:
    """Flux names an old compiler, which rustup would fetch, and takes the warnings of newer ones for errors."""
    settings = {"RUSTFLAGS": "--cap-lints=warn", "CARGO_PROFILE_RELEASE_LTO": "off"}  # without LTO it is done sooner
    with suppress(Missing):
        settings["RUSTUP_TOOLCHAIN"] = run(["rustup", "show", "active-toolchain"]).split()[0]
    return settings
