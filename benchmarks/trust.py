"""What judging 1,000 chains of signatures costs in CPU time, beside the least that it can: two RSA recoveries each.

python benchmarks/trust.py [CHAINS]
"""

from __future__ import annotations

import sys
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

from telegraf_cvmfs.demo.repository import Repository, Revision, manifest, whitelist
from telegraf_cvmfs.demo.signing import Keys, demo_keys
from telegraf_cvmfs.model import Reading, Result, Signature
from telegraf_cvmfs.trust.chain import Chain, verify
from telegraf_cvmfs.trust.masterkey import MasterKey
from telegraf_cvmfs.wire.manifest import parse_manifest
from telegraf_cvmfs.wire.whitelist import parse_whitelist

NOW = datetime(2026, 3, 2, 4, 5, 6, tzinfo=UTC)
REPOSITORIES = 50  # different ones, each signed anew; their chains repeat


@dataclass(frozen=True)
class Link:
    """One chain, and the two signatures in it."""

    chain: Chain
    of_whitelist: bytes
    of_manifest: bytes


def main() -> None:
    """Print the CPU seconds of both, and their ratio."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    keys = demo_keys()
    known = [link(number, keys) for number in range(REPOSITORIES)]
    links = list(islice((one for _ in range(count) for one in known), count))
    master = MasterKey.parse(keys.master_public_pem, "demo")
    judged(links[:1], master)  # the certificate is read once for all
    chains = cpu(lambda: judged(links, master))
    floor = cpu(lambda: recovered(links, keys))
    said = f"{count} chains: {chains:.3f} s of CPU; their RSA recoveries alone: {floor:.3f} s"
    print(f"{said}; ratio {chains / floor:.2f}")


def link(number: int, keys: Keys) -> Link:
    """A good chain of a repository of its own."""
    name = f"repo{number}.demo.example"
    repository = Repository(name, (Revision(1, NOW),), NOW, NOW + timedelta(days=30), b"{}")
    read = parse_manifest(manifest(repository, repository.latest, keys))
    listed = parse_whitelist(whitelist(repository, keys))
    stored = zlib.compress(keys.certificate_pem)
    chain = Chain(name, read, Reading(Result.OK, listed, why=""), Reading(Result.OK, stored, why=""))
    if listed.letter is None or read.letter is None:
        raise ValueError("the demo signs what it publishes")
    return Link(chain, listed.letter.signature, read.letter.signature)


def judged(links: list[Link], master: MasterKey) -> None:
    """All chains, each of which must hold."""
    for one in links:
        if verify(one.chain, (master,), NOW).signature is not Signature.OK:
            raise ValueError("a good chain was refused")


def recovered(links: list[Link], keys: Keys) -> None:
    """What of it no implementation can save."""
    master, manager = keys.master.public_key(), keys.release_manager.public_key()
    for one in links:
        master.recover_data_from_signature(one.of_whitelist, PKCS1v15(), None)
        manager.recover_data_from_signature(one.of_manifest, PKCS1v15(), None)


def cpu(work: Callable[[], None]) -> float:
    """CPU seconds, the best of three."""
    return min(_timed(work))


def _timed(work: Callable[[], None]) -> Iterator[float]:
    for _ in range(3):
        began = time.process_time()
        work()
        yield time.process_time() - began


if __name__ == "__main__":
    main()
