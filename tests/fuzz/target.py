"""One reader under atheris: `python -m fuzz.target READER`, then what libFuzzer takes."""

from __future__ import annotations

import importlib
import sys


def main() -> None:
    """Ends with the process, as libFuzzer does."""
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["telegraf_cvmfs", "tomllib"]):
        readers = importlib.import_module("fuzz.readers")
    reader = readers.READERS[sys.argv.pop(1)]
    atheris.Setup(sys.argv, lambda body: readers.check(reader, body))
    atheris.Fuzz()


main()
