"""A picture of a page, taken by a headless Chromium."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from telegraf_cvmfs.whole_file import PUBLIC, write_whole

OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-device-scale-factor=1",
)
"""For a page of our own without scripts: Chromium needs no sandbox for it, and is to look nothing up by itself."""

PATIENCE = 60.0  # seconds


class PictureError(Exception):
    """There is no picture; str() says why."""


def picture(chromium: Path, html: str, size: tuple[int, int], png: Path) -> None:
    """Write a PNG of the page at this width and height, whole or not at all; a PictureError if Chromium fails."""
    with tempfile.TemporaryDirectory(prefix="telegraf-cvmfs-preview-") as name:
        room = Path(name)
        (room / "page.html").write_text(html, encoding="utf-8")
        taken = room / "page.png"
        command = [
            str(chromium),
            *OPTIONS,
            f"--user-data-dir={room / 'profile'}",
            f"--window-size={size[0]},{size[1]}",
            f"--screenshot={taken}",
            (room / "page.html").as_uri(),
        ]
        said = _run(command)
        if not taken.is_file():
            raise PictureError(f"{chromium} made no picture: {said}")
        write_whole(png, taken.read_bytes(), PUBLIC)


def _run(command: list[str]) -> str:
    """The last line of what it said."""
    try:
        done = subprocess.run(  # noqa: S603 - the operator names the program
            command, capture_output=True, text=True, timeout=PATIENCE, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as why:
        raise PictureError(f"{command[0]}: {why}") from why
    return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
