"""The file in which the memory of a fleet lies between runs: read before a run, written after it. Dispensable.

One small file for each fleet. It is never worth a run: if it cannot be read or written, or is not what this
program wrote, a run goes on without it and says so once. What may not be read is left as it is, for whoever may read
it; what was read and is damaged is set aside.

The file is a JSON document, `{"version": 1, "servers": {server: [row, ...]}, "published": {repository: [revision,
Unix time, root hash, ...]}, "certificates": [[name, base64], ...], "verified": [[code, why,
key, subject, not after, fingerprint, [proof, ...]], ...]}`, where a row is `[name, seen, revision, root hash,
revision seen, proved or [proved, length], which certificate, {what is unusual}]`.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import pwd
import stat
import tempfile
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shlex import quote as pasted
from typing import Any, TypeVar
from urllib.parse import quote

from telegraf_cvmfs.memory.value import Memory, Publication, Remembered
from telegraf_cvmfs.model import Entry, Key, Signature, Trust
from telegraf_cvmfs.whole_file import read_file, whole_file
from telegraf_cvmfs.wire.repositories import is_repository_name, is_served_path

T = TypeVar("T")

VERSION = 1
LARGEST = 64 * 1024 * 1024
"""Bytes of a file that are read at most; ten thousand replicas need two million."""

LONGEST_NAME = 100
PRIVATE = 0o700
EVERYBODYS = Path("/var/tmp")  # noqa: S108  # a folder in it is checked to be ours before it is used


_SIGNATURES = {one.code: one for one in (Signature.OK, Signature.NO_KEY)}


class StateError(Exception):
    """The memory cannot be read or kept; str() says why, and what to do."""


class DamagedError(StateError):
    """The memory was read, and is not what this program writes."""


def default_folder(environment: Mapping[str, str]) -> Path:
    """Where the memory lies unless it is given another place.

    systemd's `$STATE_DIRECTORY`, else `$XDG_STATE_HOME/telegraf-cvmfs`, else `~/.local/state/telegraf-cvmfs`; and for
    a user without a home that can be written, as Telegraf's often is, a private folder in /var/tmp.
    """
    if given := environment.get("STATE_DIRECTORY"):
        return Path(given.partition(":")[0])
    home = environment.get("HOME", "")
    state = environment.get("XDG_STATE_HOME") or (f"{home}/.local/state" if home else "")
    if state and _can_be_made(Path(state)):
        return Path(state) / "telegraf-cvmfs"
    return EVERYBODYS / f"telegraf-cvmfs-{os.getuid()}"


def path_of(folder: Path, fleet: str) -> Path:
    """The file of one fleet."""
    name = quote(fleet, safe="")
    if len(name) > LONGEST_NAME:  # cut, but never to the same as another
        name = f"{name[:LONGEST_NAME]}-{hashlib.sha256(fleet.encode()).hexdigest()[:12]}"
    return folder / f"telegraf-cvmfs-{name}.json"


def read(path: Path) -> Memory:
    """What is remembered; nothing if there is no file yet.

    Raises:
        DamagedError: there is a file, but this program did not write it, or not like that.
        StateError: there is a file, but it cannot be read.
    """
    try:
        _refuse_strangers(path.parent)
        body = read_file(path, LARGEST)
    except FileNotFoundError:
        return Memory()
    except OSError as error:
        raise _impossible("read", path, error) from error
    try:
        if len(body) > LARGEST:
            raise ValueError("too large")
        return _memory(json.loads(body))
    except (ValueError, TypeError, KeyError, LookupError, OverflowError, RecursionError, AttributeError) as error:
        remedy = f"a run sets it aside as {_aside(path)} and begins anew"
        raise DamagedError(f"memory {path} is not what was written there: {remedy}") from error


def problem(path: Path) -> str | None:
    """Why this file could not be kept, None if it could; nothing stays behind."""
    try:
        read(path)
        there = next(parent for parent in path.parents if os.path.exists(parent))  # noqa: PTH110  # as below
        tempfile.TemporaryDirectory(dir=there).cleanup()
    except StateError as error:
        return str(error)
    except OSError as error:
        return str(_impossible("written", path, error))
    return None


def write(path: Path, memory: Memory) -> None:
    """Keep it, whole or not at all; the file keeps its mode, and its owner where root writes it.

    Raises:
        StateError: it cannot be written; it says how to make that possible.
    """
    try:
        _private_folder(path.parent)
        with whole_file(path, like=_before(path)) as file:
            file.writelines(piece.encode() for piece in _pieces(memory))
    except OSError as error:
        raise _impossible("written", path, error) from error


def set_aside(path: Path) -> str:
    """Rename a damaged file, for a person to look at; why that cannot be, empty if it was done."""
    try:
        path.replace(_aside(path))
    except FileNotFoundError:  # another run was quicker
        return ""
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _impossible(done: str, path: Path, error: OSError) -> StateError:
    return StateError(f"memory {path} cannot be {done} ({error.strerror}): {_remedy(path, error)}")


def _remedy(path: Path, error: OSError) -> str:
    """What helps: a command to paste where this user has no right, and no folder of others would be given away."""
    elsewhere = "another place with --state-dir (none for no memory)"
    folder, user = path.parent, _user()
    locked = not os.access(folder, os.W_OK | os.X_OK)
    there = os.path.exists(folder)  # noqa: PTH110  # Path.exists raises where one may not look
    if error.errno != errno.EACCES or (there and locked and not _is_ours(folder)):
        return f"take {elsewhere}"
    if not there:
        return f"sudo install -d -m 700 -o {user} {pasted(str(folder))}, or {elsewhere}"
    wanted = [*([folder] if locked else []), *([path] if locked or os.path.lexists(path) else [])]
    return f"sudo chown {user} {' '.join(pasted(str(one)) for one in wanted)}, or {elsewhere}"


def _user() -> str:
    """This user's name, or number where it has none."""
    with contextlib.suppress(KeyError):
        return pwd.getpwuid(os.getuid()).pw_name
    return str(os.getuid())


def _is_ours(folder: Path) -> bool:
    """Is nothing in this folder but what this program keeps there? Where one may not look, its name has to do."""
    try:
        return all(one.name.lstrip(".").startswith("telegraf-cvmfs-") for one in folder.iterdir())
    except OSError:
        return "telegraf" in folder.name


# --- the file ---------------------------------------------------------------------------------------


def _aside(path: Path) -> Path:
    """Where a damaged file goes, for a person to look at: one is kept."""
    return path.with_name(f"{path.name}.bad")


def _before(path: Path) -> os.stat_result | None:
    """Whose the file is that is replaced or was set aside, and whose its folder, where it is the first."""
    for one in (path, _aside(path), path.parent):
        with contextlib.suppress(FileNotFoundError):
            return one.lstat()
    return None


def _private_folder(folder: Path) -> None:
    if folder.parent == EVERYBODYS:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=PRIVATE)
    else:
        folder.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
    _refuse_strangers(folder)


def _refuse_strangers(folder: Path) -> None:
    """In a place where everybody may write, another's folder is not taken for ours."""
    if folder.parent != EVERYBODYS:
        return
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise PermissionError(1, "it belongs to somebody else")


def _can_be_made(folder: Path) -> bool:
    """Could this user make a folder there?"""
    there = next((parent for parent in (folder, *folder.parents) if os.path.exists(parent)), None)  # noqa: PTH110  # Path.exists raises where one may not look
    return there is not None and os.access(there, os.W_OK | os.X_OK)


# --- the document -----------------------------------------------------------------------------------


def _pieces(memory: Memory) -> Iterator[str]:
    """The document; the rows of a server are made when it is their turn."""
    names = list(memory.certificates)
    yield f'{{"version":{VERSION},"servers":'
    yield from _object((server, [_row(one, names) for one in rows]) for server, rows in memory.replicas.items())
    yield ',"published":'
    yield from _object((repo, _steps(publications)) for repo, publications in memory.publications.items())
    certificates = [[name, b64encode(body).decode()] for name, body in memory.certificates.items()]
    yield f',"certificates":{_json(certificates)},"verified":{_json(_verdicts(memory.verified))}'
    yield f',"followed":{_json({server: _unix(last) for server, last in memory.followed.items()})}}}'


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
        entry=_entry(name, unusual[0] if unusual else {}),
        seen=_moment(seen),
        revision=_maybe(_number, revision),
        root_hash=_maybe(_text, root_hash),
        revision_seen=_maybe(_moment, since),
        proved=_maybe(_moment, proved[0] if isinstance(proved, list) else proved),
        proved_length=_number(proved[1]) if isinstance(proved, list) else None,
        certificate=None if certificate is None else certificates[_number(certificate)],
    )


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
