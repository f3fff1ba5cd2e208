"""The command lines of these tools."""

from __future__ import annotations

import argparse
from typing import NoReturn

from telegraf_cvmfs.words.secrecy import without_secrets


class Parser(argparse.ArgumentParser):
    """argparse, which quotes what it refuses, but without the secrets of a URL."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong on stderr, and end the program with 2."""
        super().error(without_secrets(message))
