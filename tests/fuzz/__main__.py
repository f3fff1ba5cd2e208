"""The long run: `python -m tests.fuzz [--seconds N] [--corpus FOLDER] [READER ...]`.

Each reader has its turn: first atheris, which looks for new paths, or blind mutations where it is not
installed; then the inputs that took new paths, with pieces of them repeated. An input that breaks
something is left in `finds`, where the tests read it again.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import subprocess
import sys
import time
from pathlib import Path
from random import Random

from tests.fuzz.mutations import WIDTHS, broken, pumped
from tests.fuzz.readers import FINDS, READERS, check_in_time

SECONDS = 60


def main() -> int:
    """1 if anything broke."""
    parser = argparse.ArgumentParser(prog="fuzz", description="Give hostile input to every reader.")
    parser.add_argument("readers", metavar="READER", nargs="*", help=f"of {', '.join(READERS)}; default all")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for each reader (default: %(default)s)")
    parser.add_argument("--corpus", type=Path, default=Path(".venv/fuzz"), help="where what was learnt lies")
    options = parser.parse_args()
    names = options.readers or list(READERS)
    if unknown := set(names) - set(READERS):
        parser.error(f"no reader is called {', '.join(unknown)}")
    broke = [name for name in names if not _holds(name, options.corpus / name, options.seconds)]
    _say(f"broke: {', '.join(broke)}; see {FINDS}" if broke else f"{len(names)} readers, nothing broke")
    return 1 if broke else 0


def _holds(name: str, corpus: Path, seconds: float) -> bool:
    corpus.mkdir(parents=True, exist_ok=True)
    finds = sorted((FINDS / name).glob("*"))
    for seed in (*READERS[name].seeds(name), *(find.read_bytes() for find in finds)):
        (corpus / hashlib.sha1(seed, usedforsecurity=False).hexdigest()).write_bytes(seed)
    (FINDS / name).mkdir(parents=True, exist_ok=True)
    guided = importlib.util.find_spec("atheris") is not None
    held = _guided(name, corpus, seconds * 0.8) if guided else _blind(name, corpus, seconds * 0.8)
    return held and _repeated(name, corpus, seconds * 0.2)


def _guided(name: str, corpus: Path, seconds: float) -> bool:
    words = corpus.with_suffix(".words")
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in READERS[name].words))
    command = [sys.executable, "-m", "fuzz.target", name, str(corpus), f"-dict={words}"]
    command += [f"-max_total_time={seconds:.0f}", f"-artifact_prefix={FINDS / name}/", "-max_len=4096", "-timeout=10"]
    command += ["-rss_limit_mb=1024", "-print_final_stats=1", "-print_funcs=0", "-reload=0"]
    _say(f"{name}: {seconds:.0f} s of atheris")
    return subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode == 0


def _escaped(word: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word.encode())


def _blind(name: str, corpus: Path, seconds: float) -> bool:
    random, until, count = Random(), time.monotonic() + seconds, 0  # noqa: S311
    documents = [path.read_bytes() for path in sorted(corpus.iterdir())]
    words = [word.encode() for word in READERS[name].words]
    while time.monotonic() < until:
        count += 1
        if not _survives(name, broken(random, documents, words)):
            return False
    _say(f"{name}: {count} blind mutations (atheris is not installed)")
    return True


def _repeated(name: str, corpus: Path, seconds: float) -> bool:
    random, until, count = Random(), time.monotonic() + seconds, 0  # noqa: S311
    documents = [path.read_bytes() for path in sorted(corpus.iterdir())]
    while time.monotonic() < until:
        count += 1
        document = random.choice(documents)
        if not _survives(name, pumped(document, random.randint(0, len(document)), random.choice(WIDTHS))):
            return False
    _say(f"{name}: {count} inputs with a piece repeated, of {len(documents)} documents")
    return True


def _survives(name: str, body: bytes) -> bool:
    try:
        check_in_time(READERS[name], body)
    except Exception as why:  # noqa: BLE001  # whatever it is, it is a find
        find = FINDS / name / hashlib.sha1(body, usedforsecurity=False).hexdigest()
        find.write_bytes(body)
        _say(f"{name}: {type(why).__name__}: {str(why)[:200]}: {find}")
        return False
    return True


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


sys.exit(main())
