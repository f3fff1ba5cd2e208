"""What the chain of signatures of a replica is worth to clients, and whose keys it was judged by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from telegraf_cvmfs.model.result import Coded


class Signature(Coded):
    """What the chain of signatures is worth: the word, and the number that stands for it."""

    OK = ("ok", 0)
    NO_KEY = ("no_key", 1)
    WHITELIST_MISSING = ("whitelist_missing", 2)
    WHITELIST_INVALID = ("whitelist_invalid", 3)
    WHITELIST_EXPIRED = ("whitelist_expired", 4)
    NAME_MISMATCH = ("name_mismatch", 5)
    CERTIFICATE_MISSING = ("certificate_missing", 6)
    CERTIFICATE_CORRUPT = ("certificate_corrupt", 7)
    CERTIFICATE_NOT_LISTED = ("certificate_not_listed", 8)
    MANIFEST_INVALID = ("manifest_invalid", 9)
    UNSUPPORTED = ("unsupported", 10)
    NOT_CHECKED = ("not_checked", 11)
    BLACKLISTED = ("blacklisted", 12)

    @property
    def ok(self) -> bool | None:
        """Do clients accept it? None if that is not known, which must turn nothing red."""
        return None if self in _UNKNOWN else self is Signature.OK


_UNKNOWN = (Signature.NO_KEY, Signature.UNSUPPORTED, Signature.NOT_CHECKED)


@dataclass(frozen=True, slots=True)
class Key:
    """A master key as it is told: its name for people, and the SHA-256 of its DER form in hex."""

    name: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Trust:
    """The verdict on a chain of signatures, from a master key to the manifest.

    `why` is a clause for people, empty if all is well. `key` is the master key that signed the whitelist, None if none
    did. `certificate_read` says whether the certificate that the manifest names could be read; then `subject` and
    `not_after` are what it says of itself, as far as that is known, and `fingerprint` is its line in a whitelist.
    `otherwise` is what an expired whitelist or a blacklisted revision leaves open: is all the rest as it should be?
    `proof` is a hash of all that a verdict rests on but the time, where it may be remembered, else None.
    """

    signature: Signature = Signature.NOT_CHECKED
    why: str = ""
    key: Key | None = None
    certificate_read: bool = False
    subject: str | None = None
    not_after: datetime | None = None
    fingerprint: str | None = None
    proof: str | None = None
    otherwise: bool | None = None

    @property
    def genuine(self) -> bool | None:
        """Is it what the repository's owner published, whether or not clients still accept it? None if not known."""
        outdated = self.signature in (Signature.WHITELIST_EXPIRED, Signature.BLACKLISTED)
        return self.otherwise if outdated else self.signature.ok
