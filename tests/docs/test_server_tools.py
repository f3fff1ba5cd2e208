"""What the pages have a stratum's operator run, on a stand-in for `cvmfs_server`: its commands, options and what it refuses.

The options are those of the `getopts` in cvmfs/server/cvmfs_server_*.sh. No stratum is made here: what a command does
to one is read in that source, and not seen.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests import ROOT
from tests.docs.blocks import blocks

PAGES = {str(path.relative_to(ROOT)): path.read_text() for path in sorted((ROOT / "docs").rglob("*.md"))}
TOOL = "cvmfs_server"
STAND_IN = """#!/bin/bash
command=$1; shift
case $command in
  abort) options=fe ;;
  add-replica) options=o:u:n:w:azs:pg:P ;;
  check) options=acit:s:r ;;
  gc) options=ldr:t:faL:@ ;;
  import) options=w:o:c:u:k:lsmgf:rptRx: ;;
  list | migrate | update-geodb) options= ;;
  masterkeycard) options=aksdrcf ;;
  mkfs) options=Xw:u:o:mf:vgG:a:zs:k:pRV:Z:x:I ;;
  publish) options=F:NXZ:pa:c:m:vn:fed ;;
  resign) options=d:fpw: ;;
  rollback) options=t:f ;;
  snapshot) options=atsnig: ;;
  transaction) options=frei:m:n: ;;
  update-info) options=pe ;;
  *) echo "Unrecognized command: $command"; exit 1 ;;
esac
given=
while getopts ":$options" option; do
  case $option in
    '?' | :) echo "Command $command: Unrecognized option: -$OPTARG"; exit 1 ;;
    *) given=$given$option ;;
  esac
done
shift $((OPTIND - 1))
case "$command $given" in
  "list "* | "migrate "* | "masterkeycard "* | "update-"*) wanted=0 ;;
  "snapshot "*a* | "check "*a* | "gc "*a*) wanted=0 ;;
  *) wanted=1 ;;
esac
[ -n "$INLINE" ] && exit 0
[ $# = "$wanted" ] || { echo "Command $command: $# names"; exit 1; }
case $command in
  transaction) touch "$HOME/transaction" ;;
  publish) [ -e "$HOME/transaction" ] || { echo "Repository $1 is not in a transaction"; exit 1; } ;;
  import) [[ $given == *k* ]] || { echo "Please provide the location of the repository security keys"; exit 1; } ;;
  gc) [[ $given != *d* || $given == *f* ]] || { echo "Please confirm this action (y/N)?"; exit 1; } ;;
esac
"""

NOT_HERE = {
    "cvmfs_config showconfig software.example.org | grep CVMFS_SERVER_URL": "a client",
    "attr -g revision /cvmfs/software.example.org": "a repository that is mounted",
    "ls -l /var/lib/cvmfs-server/geo/GeoLite2-City.mmdb": "a stratum's files",
    "ps -ef | grep -E '[c]vmfs_server snapshot|[c]vmfs_swissknife'": "a stratum's processes",
    "curl -sS -o /dev/null -w '%{http_code}\\n' http://stratum1.example.org:8000/cvmfs/info/v1/repositories.json": "the"
    " reader's own server, at another port; the block above it is tried",
    "$ python -m grafana.tools alerts --label component=cvmfs": "shows what it printed; tests/grafana/tools runs it",
}
"""First lines of console blocks that are not run: what they need."""


@pytest.fixture(scope="module")
def stratum(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stratum")
    (folder / TOOL).write_text(STAND_IN)
    (folder / TOOL).chmod(0o755)
    return folder


def run(text: str, stratum: Path, home: Path, *, inline: bool = False) -> str:
    """What is wrong with it; nothing if it runs through."""
    done = subprocess.run(
        ["bash", "-e", "-c", text],
        cwd=home,
        env={
            **os.environ,
            "PATH": f"{stratum}:{os.environ['PATH']}",
            "HOME": str(home),
            "INLINE": "1" if inline else "",
        },
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.stdout + done.stderr if done.returncode else ""


CONSOLE = sorted({block.replace("   ", "") for text in PAGES.values() for block in blocks(text, "console")})
INLINE = sorted(
    {
        re.sub(r"\s+", " ", found)
        for text in PAGES.values()
        for found in re.findall(
            rf"`({TOOL}\s[^`…]+)`", re.sub(r"^ *```.*?^ *```$", "", text, flags=re.DOTALL | re.MULTILINE)
        )
    }
)


def test_a_console_block_is_of_the_server_tools_or_says_what_it_needs() -> None:
    others = {block.splitlines()[0] for block in CONSOLE if not block.startswith(TOOL)}
    assert others == set(NOT_HERE)


@pytest.mark.parametrize("block", [block for block in CONSOLE if block.startswith(TOOL)])
def test_the_server_tools_take_a_block_as_it_is_pasted(block: str, stratum: Path, tmp_path: Path) -> None:
    assert run(block, stratum, tmp_path) == ""


def test_the_server_tools_know_every_command_and_option_that_is_named(stratum: Path, tmp_path: Path) -> None:
    assert len(INLINE) > 10
    assert {line: run(line, stratum, tmp_path, inline=True) for line in INLINE} == dict.fromkeys(INLINE, "")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("cvmfs_server publish -n 5 a.example", "is not in a transaction"),
        ("cvmfs_server import a.example", "security keys"),
        ("cvmfs_server gc -d a.example", "confirm"),
        ("cvmfs_server snapshot", "0 names"),
        ("cvmfs_server check -x a.example", "Unrecognized option: -x"),
        ("cvmfs_server heal a.example", "Unrecognized command"),
    ],
)
def test_what_the_server_tools_refuse_is_noticed(line: str, said: str, stratum: Path, tmp_path: Path) -> None:
    assert said in run(line, stratum, tmp_path)
