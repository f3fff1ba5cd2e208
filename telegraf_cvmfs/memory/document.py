"""The document that a memory is in its file: pieces of it to write, and what of its bytes is believed. Pure.

It is JSON, `{"version": 1, "servers": {server: [row, ...]}, "published": {repository: [revision,
Unix time, root hash, ...]}, "certificates": [[name, base64], ...], "verified": [[code, why,
key, subject, not after, fingerprint, [proof, ...]], ...]}`, where a row is `[name, seen, revision, root hash,
revision seen, proved or [proved, length], which certificate, {what is unusual}]`. Last of all stands a checksum of
everything before it; files of older versions have none.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from telegraf_cvmfs.memory.value import Memory, Publication, Remembered
from telegraf_cvmfs.model import Entry, Key, Partial, Signature, Trust
from telegraf_cvmfs.wire.repositories import is_repository_name, is_served_path

T = TypeVar("T")

VERSION = 1

_SIGNATURES = {one.code: one for one in (Signature.OK, Signature.NO_KEY)}
_CHECKSUM = ',"checksum":"{}"}}'
_KEYS = {"version", "servers", "published", "certificates", "verified", "followed"}


def document(memory: Memory) -> Iterator[bytes]:
    """The document in pieces, and at its end the checksum."""
    hasher = hashlib.sha256()
    for piece in _pieces(memory):
        written = piece.encode()
        hasher.update(written)
        yield written
    yield _CHECKSUM.format(hasher.hexdigest()).encode()


def parse(body: bytes) -> Memory:
    """The memory that was written so; ValueError if these bytes are not what was."""
    try:
        return _memory(_checked(body))
    except (TypeError, LookupError, OverflowError, RecursionError, AttributeError) as error:
        raise ValueError(str(error)) from error


def _checked(body: bytes) -> Any:  # noqa: ANN401
    """The document, if its checksum is right, or if it was written when there was none; ValueError if not.

    What was written then has no other keys: a file whose checksum cannot be found any more is not taken for such.
    """
    found = json.loads(body)
    body = body.rstrip()
    written = memoryview(body)[: -len(_CHECKSUM.format(hashlib.sha256().hexdigest()))]
    right = _CHECKSUM.format(hashlib.sha256(written).hexdigest()).encode()
    if not body.endswith(right) and not found.keys() <= _KEYS:
        raise ValueError("another checksum")
    return found


def _pieces(memory: Memory) -> Iterator[str]:
    """The document but for its end; the rows of a server are made when it is their turn."""
    names = list(memory.certificates)
    yield f'{{"version":{VERSION},"servers":'
    yield from _object((server, [_row(one, names) for one in rows]) for server, rows in memory.replicas.items())
    yield ',"published":'
    yield from _object((repo, _steps(publications)) for repo, publications in memory.publications.items())
    certificates = [[name, b64encode(body).decode()] for name, body in memory.certificates.items()]
    yield f',"certificates":{_json(certificates)},"verified":{_json(_verdicts(memory.verified))}'
    yield f',"followed":{_json({server: _unix(last) for server, last in memory.followed.items()})}'


def _object(members: Iterable[tuple[str, Any]]) -> Iterator[str]:
    comma = "{"
    for name, value in members:
        yield f"{comma}{_json(name)}:{_json(value)}"
        comma = ","
    yield "{}" if comma == "{" else "}"


def _json(value: Any) -> str:  # noqa: ANN401
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True)


def _row(one: Remembered, certificates: list[str]) -> list[Any]:
    entry = one.entry
    unusual = {
        "path": entry.path if entry.path != f"/cvmfs/{entry.name}" else None,
        "alias": entry.alias,
        "source": None if entry.replica else True,
        "pass_through": entry.pass_through or None,
        "partial": None if one.partial is None else [_unix(one.partial.asked), _digit(one.partial.value)],
    }
    known = {name: value for name, value in unusual.items() if value is not None}
    certificate = certificates.index(one.certificate) if one.certificate in certificates else None
    proved = _unix(one.proved) if one.proved_length is None else [_unix(one.proved), one.proved_length]
    row = [entry.name, _unix(one.seen), one.revision, one.root_hash, _unix(one.revision_seen), proved, certificate]
    return [*row, known] if known else row


def _memory(document: Any) -> Memory:  # noqa: ANN401
    if document["version"] != VERSION:
        raise ValueError("another version")
    certificates = {_text(name): b64decode(_text(body), validate=True) for name, body in document["certificates"]}
    names = list(certificates)
    return Memory(
        {_text(server): tuple(_remembered(row, names) for row in rows) for server, rows in document["servers"].items()},
        {_text(repo): _publications(rows) for repo, rows in document["published"].items()},
        certificates,
        _verified(document.get("verified", [])),
        _followed(document),
    )


def _followed(document: Any) -> dict[str, datetime]:  # noqa: ANN401
    """Before this was remembered every redirect to the same server was followed, and any of them may have had some."""
    if "followed" in document:
        return {_text(server): _moment(last) for server, last in document["followed"].items()}
    seen = {server: [_number(row[1]) for row in rows] for server, rows in document["servers"].items()}
    return {_text(server): _moment(max(times)) for server, times in seen.items() if times}


def _verdicts(verified: Mapping[str, Trust]) -> list[Any]:
    """Those of one certificate and key together: all but the proof is the same."""
    together: dict[Trust, list[str]] = {}
    for proof, trust in verified.items():
        together.setdefault(replace(trust, proof=None), []).append(proof)
    return [[*_verdict(trust), proofs] for trust, proofs in together.items()]


def _verdict(trust: Trust) -> list[Any]:
    key = trust.key and trust.key.fingerprint
    not_after = trust.not_after and trust.not_after.isoformat()
    return [trust.signature.code, trust.why, key, trust.subject, not_after, trust.fingerprint]


def _verified(rows: list[Any]) -> dict[str, Trust]:
    known: dict[str, Trust] = {}
    for code, why, key, subject, not_after, fingerprint, proofs in rows:
        trust = Trust(
            _SIGNATURES[code],
            _text(why),
            key=None if key is None else Key("", _text(key)),  # its name is that of the file in which it lies now
            certificate_read=True,
            subject=_maybe(_text, subject),
            not_after=_maybe(datetime.fromisoformat, not_after),
            fingerprint=_maybe(_text, fingerprint),
        )
        known |= {_text(proof): replace(trust, proof=proof) for proof in proofs}
    return known


def _remembered(row: list[Any], certificates: list[str]) -> Remembered:
    name, seen, revision, root_hash, since, proved, certificate, *unusual = row
    return Remembered(
        entry=_entry(name, known := unusual[0] if unusual else {}),
        seen=_moment(seen),
        revision=_maybe(_number, revision),
        root_hash=_maybe(_text, root_hash),
        revision_seen=_maybe(_moment, since),
        proved=_maybe(_moment, proved[0] if isinstance(proved, list) else proved),
        proved_length=_number(proved[1]) if isinstance(proved, list) else None,
        certificate=None if certificate is None else certificates[_number(certificate)],
        partial=_maybe(_partial, known.get("partial")),
    )


def _digit(value: bool | None) -> int | None:  # noqa: FBT001
    return None if value is None else int(value)


def _partial(row: list[Any]) -> Partial:
    asked, value = row
    return Partial(_maybe(lambda digit: bool(("0", "1").index(str(digit))), value), _moment(asked))


def _maybe(convert: Callable[[Any], T], value: Any) -> T | None:  # noqa: ANN401
    return None if value is None else convert(value)


def _entry(name: str, unusual: Mapping[str, Any]) -> Entry:
    path = _text(unusual.get("path", f"/cvmfs/{name}"))
    if not is_repository_name(_text(name)) or not is_served_path(path):
        raise ValueError("not a repository")
    alias = unusual.get("alias")
    return Entry(
        name=name,
        path=path,
        replica=not unusual.get("source", False),
        alias=None if alias is None else _text(alias),
        pass_through=bool(unusual.get("pass_through", False)),
    )


def _steps(publications: Iterable[Publication]) -> list[Any]:
    """Flat, and each with how much more than the one before: a busy repository has hundreds."""
    steps: list[Any] = []
    revision, time = 0, 0
    for one in publications:
        published = _unix(one.published) or 0
        steps += [one.revision - revision, published - time, one.root_hash]
        revision, time = one.revision, published
    return steps


def _publications(steps: list[Any]) -> tuple[Publication, ...]:
    known = []
    revision, time = 0, 0
    for more, later, root_hash in zip(steps[::3], steps[1::3], steps[2::3], strict=True):
        revision, time = _number(revision + more), _number(time + later)
        known.append(Publication(revision, _moment(time), _text(root_hash)))
    return tuple(known)


def _text(value: Any) -> str:  # noqa: ANN401
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _number(value: Any) -> int:  # noqa: ANN401
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise TypeError("not a number")
    return value


def _moment(value: Any) -> datetime:  # noqa: ANN401
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=_number(value))


def _unix(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
