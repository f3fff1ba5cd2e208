"""What `--check` says of master keys and blacklists: where it looked, what it found, what is wrong with it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from telegraf_cvmfs.doctor.servers import LONGEST_LINE
from telegraf_cvmfs.model import Fleet, Stratum
from telegraf_cvmfs.trust.keys import PLACES, Keyring
from telegraf_cvmfs.words.text import listed, tame


def trust_lines(fleet: Fleet, keyring: Keyring, strata: Sequence[Stratum]) -> Iterator[str]:
    """A line for each place that the fleet names, then one for each that is wrong; none if it names no place."""
    found = (*_keys(fleet, keyring, strata), *_blacklists(fleet, keyring))
    yield from (tame(line, LONGEST_LINE) for line in found)
    yield from (tame(f"trust: wrong: {problem}", LONGEST_LINE) for problem in trust_problems(fleet, keyring, strata))


def trust_problems(fleet: Fleet, keyring: Keyring, strata: Sequence[Stratum]) -> list[str]:
    """What is wrong with the keys and blacklists, or with what they are for."""
    return [*keyring.problems, *_for_nobody(fleet, keyring, strata)]


def _keys(fleet: Fleet, keyring: Keyring, strata: Sequence[Stratum]) -> Iterator[str]:
    if fleet.keys:
        yield f"keys: ok: {listed([*map(str, fleet.keys)])}, for all repositories"
    for rule in fleet.rules:
        if rule.keys:
            yield f"keys: ok: {listed([*map(str, rule.keys)])}, for {rule.name}"
    for folder, files in keyring.dirs.all.items():
        at_top = sum(path in keyring.dirs.top for path in files)
        yield f"keys: {keyring.read_below(folder)} below {folder}, of {len(files)} files, {at_top} at its top; {PLACES}"
    repos = _repos(strata)
    without = [repo for repo in repos if not keyring.of(repo).keys]
    if len(without) < len(repos) and (lacking := keyring.lacks(without, len(repos))):
        yield f"keys: {lacking}"
    if unsure := [repo for repo in repos if keyring.of(repo).keys and not keyring.of(repo).sure]:
        yield f"keys: a run tries what may fit, but is not surely its own, for {listed(unsure)}"


def _blacklists(fleet: Fleet, keyring: Keyring) -> Iterator[str]:
    if fleet.blacklists:
        refused = f"{len(keyring.blacklist.fingerprints)} certificates and {len(keyring.blacklist.revisions)} revisions"
        yield f"blacklist: {refused} are refused, by {listed([*map(str, fleet.blacklists)])}"


def _for_nobody(fleet: Fleet, keyring: Keyring, strata: Sequence[Stratum]) -> Iterator[str]:
    """Keys that nothing is checked with: a name may be misspelt. Where a server does not say what it has, who knows."""
    repos = _repos(strata)
    if repos and not any(keyring.of(repo).keys for repo in repos) and (lacking := keyring.lacks(repos, len(repos))):
        yield lacking
    if all(stratum.replicas for stratum in strata):
        for rule in fleet.rules:
            if rule.keys and not any(fnmatchcase(repo, rule.name) for repo in repos):
                yield f"[[repository]] {rule.name} has keys, and no repository that would be scraped is called so"


def _repos(strata: Sequence[Stratum]) -> list[str]:
    return sorted({replica.repo for stratum in strata for replica in stratum.replicas})
