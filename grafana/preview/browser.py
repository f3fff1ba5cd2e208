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
        page = Path(name) / "page.html"
        page.write_text(html, encoding="utf-8")
        picture_of(chromium, page.as_uri(), size, png)


def picture_of(chromium: Path, url: str, size: tuple[int, int], png: Path) -> None:
    """The same of a page that is somewhere."""
    with tempfile.TemporaryDirectory(prefix="telegraf-cvmfs-preview-") as name:
        taken = Path(name) / "page.png"
        command = [
            str(chromium),
            *OPTIONS,
            f"--user-data-dir={Path(name) / 'profile'}",
            f"--window-size={size[0]},{size[1]}",
            f"--screenshot={taken}",
            url,
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
