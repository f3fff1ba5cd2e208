"""`python -m grafana.generator [--check]`: write the dashboards and alert rules, or say which files differ."""

from __future__ import annotations

import signal

if __name__ == "__main__":  # Ctrl-C ends it as any program, until it is listened to; Python's own way is a traceback
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from grafana.generator import dashboards
from telegraf_cvmfs.whole_file import PUBLIC, write_whole

ROOT = Path(__file__).resolve().parents[2]


def files() -> dict[Path, str]:
    """Path below the root -> text of everything that is generated; rules alone need PyYAML."""
    from grafana.generator import rules  # noqa: PLC0415
    from grafana.generator.rules import prometheus  # noqa: PLC0415

    for_grafana = {Path("grafana") / path: text for path, text in rules.files().items()}
    return dashboards.files() | for_grafana | prometheus.files()


def differing(root: Path, made: Mapping[Path, str]) -> list[Path]:
    """Files that are not as they would be made; an operator's own beside them are none of ours."""
    return sorted(path for path, text in made.items() if _text(root / path) != text)


def write(root: Path, made: Mapping[Path, str]) -> None:
    """Write each file that differs, whole or not at all."""
    for path in differing(root, made):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        write_whole(root / path, made[path].encode(), PUBLIC)


def main(arguments: Sequence[str] | None = None) -> int:
    """0: written, or as they should be; 1: with --check, some differ; 2: what writes YAML is not installed."""
    parser = argparse.ArgumentParser(prog="python -m grafana.generator", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 if a file is not as it would be")
    options = parser.parse_args(arguments)
    try:
        made = files()
    except ModuleNotFoundError as why:
        sys.stderr.write(f"{why.name} is not installed; `make check` installs what the generator needs\n")
        return 2
    if not options.check:
        write(ROOT, made)
        return 0
    wrong = differing(ROOT, made)
    for path in wrong:
        sys.stderr.write(f"{path} differs from what the generator makes: run python -m grafana.generator\n")
    return 1 if wrong else 0


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


if __name__ == "__main__":
    sys.exit(main())
