"""Would a client accept what a stratum serves: the chain from a master key to the manifest, as one verdict.

A master key signs the whitelist, the whitelist lists a certificate, the certificate signs the manifest. Links are
judged in the order of `_LINKS`, and the first that is broken is the verdict: a document that is damaged or another
repository's says nothing else, so that comes before who signed it; otherwise from the master key down. A broken link
outranks one that could not be judged (no key, a document not fetched, an algorithm missing here), wherever they stand,
because clients refuse the repository then anyway. They report the same faults in the order of their downloads
(CernVM-FS, manifest_fetch.cc, DoVerify, and whitelist.cc, ParseWhitelist).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from telegraf_cvmfs.model import Key, Letter, Manifest, ParseError, Reading, Result, Signature, Trust, Whitelist
from telegraf_cvmfs.trust.blacklist import Blacklist
from telegraf_cvmfs.trust.certificate import Certificate, UnknownCompressionError, read_certificate
from telegraf_cvmfs.trust.masterkey import MasterKey
from telegraf_cvmfs.trust.rsa import signs_digest, signs_text
from telegraf_cvmfs.wire.letter import UnsupportedHashError, digest
from telegraf_cvmfs.wire.manifest import path_of


@dataclass(frozen=True)
class Chain:
    """The documents that one replica served, and the repository that they were asked for."""

    repo: str
    manifest: Manifest
    whitelist: Reading[Whitelist]
    certificate: Reading[bytes]  # the object at `certificate_path`, as stored


def verify(
    chain: Chain, keys: Sequence[MasterKey], now: datetime, blacklist: Blacklist | None = None, *, sure: bool = True
) -> Trust:
    """Judge a chain as a client with these keys and this blacklist would at that moment (aware); never raises.

    `sure`: the keys are the repository's own, all of them. If not, and none of them fits, there is NO_KEY for it.

    A document that is not served is a fault, and so is one that is served but is not what it should be; one that could
    not be fetched is not. Whitelist, manifest and certificate are three requests: who publishes with a new certificate
    in between makes CERTIFICATE_NOT_LISTED or CERTIFICATE_MISSING of a good chain, so fetch all three again before
    these are believed.
    """
    certificate, problem = _certificate(chain)
    case = _Case(chain, keys, sure, now, blacklist or Blacklist(), certificate, problem, _signer(chain, keys))
    verdict, name = _verdict(case, _LINKS), chain.manifest.certificate
    key = None if verdict.signature is Signature.WHITELIST_INVALID else case.key
    trust = Trust(verdict.signature, verdict.why, Key(key.name, key.fingerprint) if key else None)
    if verdict.signature in (Signature.WHITELIST_EXPIRED, Signature.BLACKLISTED):
        otherwise = _verdict(case, (link for link in _LINKS if link not in _OF_AGE))
        trust = replace(trust, otherwise=otherwise.signature.ok)
    if certificate is None:
        return trust
    return replace(
        trust,
        certificate_read=True,
        subject=certificate.subject,
        not_after=certificate.not_after,
        fingerprint=certificate.fingerprint(name) if name else None,
    )


def certificate_path(manifest: Manifest) -> str | None:
    """Where the certificate's object lies below its repository; None if the manifest names none."""
    return None if manifest.certificate is None else path_of(manifest, manifest.certificate, "X")


class _Problem(NamedTuple):
    signature: Signature = Signature.OK
    why: str = ""


class _Case(NamedTuple):
    chain: Chain
    keys: Sequence[MasterKey]
    sure: bool
    now: datetime
    blacklist: Blacklist
    certificate: Certificate | None
    certificate_problem: _Problem | None
    key: MasterKey | None

    @property
    def whitelist(self) -> Whitelist | None:
        return self.chain.whitelist.value

    @property
    def signed_whitelist(self) -> Whitelist | None:
        """The whitelist, unless one in a PKCS#7 document beside it is the one that counts."""
        return None if self.whitelist and "pkcs7" in self.whitelist.flags else self.whitelist


def _verdict(case: _Case, links: Iterable[_Link]) -> _Problem:
    unknown = None
    for judge in links:
        problem = _judged(judge, case)
        if problem and problem.signature.ok is False:
            return problem
        unknown = unknown or problem
    return unknown or _Problem()


def _judged(judge: _Link, case: _Case) -> _Problem | None:
    try:
        return judge(case)
    except UnsupportedHashError as why:
        return _Problem(Signature.UNSUPPORTED, str(why))


# --- the links: each says what is wrong with it; what an earlier one left missing is not judged again -------


def _manifest_name(case: _Case) -> _Problem | None:
    found = case.chain.manifest.repository
    if found == case.chain.repo:
        return None
    return _Problem(Signature.NAME_MISMATCH, f"the manifest is that of {found or 'no repository'}")


def _manifest_text(case: _Case) -> _Problem | None:
    return _text(case.chain.manifest.letter, Signature.MANIFEST_INVALID, "manifest")


def _whitelist_served(case: _Case) -> _Problem | None:
    return _unread(case.chain.whitelist, "whitelist", Signature.WHITELIST_MISSING, Signature.WHITELIST_INVALID)


def _whitelist_text(case: _Case) -> _Problem | None:
    if case.signed_whitelist is None:
        return None
    return _text(case.signed_whitelist.letter, Signature.WHITELIST_INVALID, "whitelist")


def _whitelist_name(case: _Case) -> _Problem | None:
    whitelist = case.whitelist
    if whitelist is None or whitelist.repository == case.chain.repo:
        return None
    return _Problem(Signature.NAME_MISMATCH, f"the whitelist is that of {whitelist.repository or 'no repository'}")


def _whitelist_signature(case: _Case) -> _Problem | None:
    if case.whitelist is None:
        return None
    if case.signed_whitelist is None:
        return _Problem(Signature.UNSUPPORTED, "the whitelist is signed by PKCS#7, which is not checked here")
    if case.key is not None:
        return None
    if not case.keys:
        return _Problem(Signature.NO_KEY, "there is no master key for the repository")
    which = "the master key" if len(case.keys) == 1 else f"any of the {len(case.keys)} master keys"
    if not case.sure:
        why = f"the whitelist is not signed by {which} that may be the repository's; whether it has others is not known"
        return _Problem(Signature.NO_KEY, why)
    return _Problem(Signature.WHITELIST_INVALID, f"the whitelist is not signed by {which}")


def _whitelist_expiry(case: _Case) -> _Problem | None:
    if case.whitelist is None or case.now < case.whitelist.refused_from:
        return None
    when = f"{case.whitelist.refused_from:%Y-%m-%d %H:%M} UTC"
    return _Problem(Signature.WHITELIST_EXPIRED, f"clients refuse the whitelist since {when}")


def _certificate_read(case: _Case) -> _Problem | None:
    return case.certificate_problem


def _revision_allowed(case: _Case) -> _Problem | None:
    first = case.blacklist.first_allowed(case.chain.repo)
    if case.chain.manifest.revision < first:
        return _Problem(Signature.BLACKLISTED, f"revisions before {first} are blacklisted")
    return None


def _certificate_allowed(case: _Case) -> _Problem | None:
    if case.certificate and case.certificate.is_among(case.blacklist.fingerprints):
        return _Problem(Signature.BLACKLISTED, "the certificate is blacklisted")
    return None


def _listing(case: _Case) -> _Problem | None:
    whitelist, certificate = case.signed_whitelist, case.certificate
    if whitelist is None or certificate is None or certificate.is_among(whitelist.fingerprints):
        return None
    return _Problem(Signature.CERTIFICATE_NOT_LISTED, "the whitelist does not list the certificate")


def _manifest_signature(case: _Case) -> _Problem | None:
    letter = case.chain.manifest.letter
    if case.certificate is None or letter is None:
        return None
    if case.certificate.public is None:
        # Clients would try any kind of key, so that this is no fault.
        return _Problem(Signature.UNSUPPORTED, "the certificate has no RSA key that can be used here")
    if signs_digest(case.certificate.public, letter.signature, letter.digest.encode()):
        return None
    return _Problem(Signature.MANIFEST_INVALID, "the manifest is not signed by its certificate")


def _ca_chain(case: _Case) -> _Problem | None:
    if case.whitelist is None or "cachain" not in case.whitelist.flags:
        return None
    return _Problem(Signature.UNSUPPORTED, "the whitelist demands a chain of CAs, which is not checked here")


_Link = Callable[[_Case], _Problem | None]

_LINKS: Sequence[_Link] = (
    _manifest_name,
    _manifest_text,
    _whitelist_served,
    _whitelist_text,
    _whitelist_name,
    _whitelist_signature,
    _whitelist_expiry,
    _certificate_read,
    _revision_allowed,
    _certificate_allowed,
    _listing,
    _manifest_signature,
    _ca_chain,
)
_OF_AGE = (_whitelist_expiry, _revision_allowed)
"""What is refused by these was good once, if all others hold."""


# --- what the links ask -------------------------------------------------------------------------------


def _unread(reading: Reading[Any], document: str, missing: Signature, bad: Signature) -> _Problem | None:
    if reading.result is Result.OK:
        return None
    if reading.result is Result.NOT_FOUND:
        return _Problem(missing, f"the {document} is not served")
    return _Problem(bad if reading.broken else Signature.NOT_CHECKED, f"{document}: {reading.fault_or_why}")


def _text(letter: Letter | None, bad: Signature, document: str) -> _Problem | None:
    if letter is None:
        return _Problem(bad, f"the {document} is not signed")
    if digest(letter.text, letter.digest) != letter.digest:
        return _Problem(bad, f"the {document} is damaged, it does not have the hash that it states")
    return None


def _signer(chain: Chain, keys: Sequence[MasterKey]) -> MasterKey | None:
    whitelist = chain.whitelist.value
    letter = whitelist.letter if whitelist else None
    if letter is None:
        return None
    text = letter.digest.encode()
    return next((key for key in keys if signs_text(key.public, letter.signature, text)), None)


def _certificate(chain: Chain) -> tuple[Certificate | None, _Problem | None]:
    name, reading = chain.manifest.certificate, chain.certificate
    if name is None:
        return None, _Problem(Signature.CERTIFICATE_MISSING, "the manifest names no certificate")
    bad = Signature.CERTIFICATE_CORRUPT
    if reading.value is None:
        return None, _unread(reading, "certificate", Signature.CERTIFICATE_MISSING, bad)
    try:
        if digest(reading.value, name) == name:
            return read_certificate(reading.value), None
    except (UnsupportedHashError, UnknownCompressionError) as why:
        return None, _Problem(Signature.UNSUPPORTED, str(why))
    except ParseError as why:
        return None, _Problem(bad, str(why))
    return None, _Problem(bad, "certificate: damaged, it does not have the hash that names it")
