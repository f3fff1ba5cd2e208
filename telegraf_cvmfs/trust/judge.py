"""The judge of what replicas serve: what was verified once, in this run or an earlier one, is not computed again.

What is remembered is that all is well, as far as there is a key, each time under one hash of everything that this rests
on but the time: manifest, certificate, whitelist, master keys, blacklist and the version of these rules. When a
whitelist expires is judged anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from telegraf_cvmfs.model import Key, Manifest, Replica, RootCatalogState, Signature, Trust
from telegraf_cvmfs.trust.blacklist import Blacklist
from telegraf_cvmfs.trust.keys import Keyring

RULES = 1
"""The version of what makes a chain of signatures good, in `chain`: another one verifies everything anew."""

_LASTING = (Signature.OK, Signature.NO_KEY)
"""Verdicts that stay until something of what they rest on changes."""

_OF_A_RACE = (
    Signature.CERTIFICATE_MISSING,
    Signature.CERTIFICATE_CORRUPT,
    Signature.CERTIFICATE_NOT_LISTED,
    Signature.MANIFEST_INVALID,
)


class Judge:
    """Judges by the master keys of a fleet; `verified` are those of earlier runs, by their `proof`."""

    def __init__(self, keyring: Keyring, verified: Mapping[str, Trust] | None = None) -> None:
        self._keyring = keyring
        self._verified = dict(verified or {})
        self._rules: dict[str, bytes] = {}

    def inconsistent(self, replica: Replica, now: datetime) -> bool:
        """Does what was read not fit together, as when somebody publishes while we read?"""
        if replica.root_catalog_state in (RootCatalogState.MISSING, RootCatalogState.EMPTY):
            return True
        trust = self.judge(replica, now)
        return trust is not None and trust.signature in _OF_A_RACE

    def judge(self, replica: Replica, now: datetime) -> Trust | None:
        """Would a client with these keys accept what a replica serves? None if there is no manifest to judge.

        `now` is aware.
        """
        manifest = replica.manifest.value
        if manifest is None:
            return None
        proof = self._proof(replica)
        known = None if proof is None else self._verified.get(proof)
        if known is not None and (trust := self._still_good(known, replica, now)):
            return trust
        trust = self._computed(replica, manifest, now)
        if proof is not None and trust.signature in _LASTING:
            trust = self._verified[proof] = replace(trust, proof=proof)
        return trust

    def _computed(self, replica: Replica, manifest: Manifest, now: datetime) -> Trust:
        from telegraf_cvmfs.trust.chain import Chain, verify  # noqa: PLC0415  # slow to import, and seldom needed

        chain = Chain(replica.repo, manifest, replica.whitelist, replica.certificate)
        keys, sure = self._keyring.of(replica.repo)
        return verify(chain, keys, now, self._keyring.blacklist, sure=sure)

    def _still_good(self, known: Trust, replica: Replica, now: datetime) -> Trust | None:
        """The verdict with the name that its key has now; None where it rests on something that has changed."""
        whitelist = replica.whitelist.value
        if whitelist is None or now >= whitelist.refused_from:
            return None
        if known.key is None:
            return known
        named = (key.name for key in self._keyring.of(replica.repo).keys if key.fingerprint == known.key.fingerprint)
        name = next(named, None)
        return None if name is None else replace(known, key=Key(name, known.key.fingerprint))

    def _proof(self, replica: Replica) -> str | None:
        """One hash of all that the verdict rests on but the time; None where something of it is missing."""
        manifest, whitelist, certificate = replica.manifest.value, replica.whitelist.value, replica.certificate.value
        if manifest is None or whitelist is None or certificate is None:
            return None
        if manifest.letter is None or manifest.certificate is None or whitelist.letter is None:
            return None
        letters = (manifest.letter, whitelist.letter)
        documents = [part for letter in letters for part in (letter.text, letter.digest.encode(), letter.signature)]
        return _hash([self._rules_for(replica.repo), *documents, manifest.certificate.encode(), certificate])

    def _rules_for(self, repo: str) -> bytes:
        """What a repository is judged by: the same for each of its replicas."""
        if repo not in self._rules:
            keys, sure = self._keyring.of(repo)
            which = "keys" if sure or not keys else "perhaps its keys"
            fingerprints = (key.fingerprint for key in keys)
            words = (str(RULES), repo, *_words(self._keyring.blacklist, repo), which, *fingerprints)
            self._rules[repo] = _hash(word.encode() for word in words).encode()
        return self._rules[repo]


def _words(blacklist: Blacklist, repo: str) -> Iterable[str]:
    return (str(blacklist.first_allowed(repo)), *sorted(blacklist.fingerprints))


def _hash(parts: Iterable[bytes]) -> str:
    """128 bits in hex; each part goes in with its length, so that no two lists are the same bytes."""
    hasher = hashlib.sha256()
    for part in parts:
        hasher.update(b"%d:" % len(part))
        hasher.update(part)
    return hasher.hexdigest()[:32]
