"""Master keys and blacklists on disk: what is read as clients read it, and what is refused with a sentence."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

import tests.builders.signed as td
from telegraf_cvmfs.model import ConfigError, Fleet
from telegraf_cvmfs.trust.blacklist import Blacklist
from telegraf_cvmfs.trust.keys import LONGEST_KEY_FILE, Keyring, read_blacklists, read_keys
from telegraf_cvmfs.trust.masterkey import MasterKey
from tests.builders.documents import damaged

PRODUCTION = sorted((td.HERE / "keys").glob("*.pub"))
CERN = td.HERE / "keys/cern.ch.pub"
PEM = CERN.read_bytes()
PAIRS = "9A:C3:7D:9E:C5:EB:CF:C8:92:EF:1D:7C:DB:56:DC:9C:83:9A:15:71"
PLAIN = "9ac37d9ec5ebcfc892ef1d7cdb56dc9c839a1571"


# --- one key ------------------------------------------------------------------------------------------


def test_the_keys_in_production_are_read() -> None:
    keys = read_keys(PRODUCTION)
    assert [key.name for key in keys] == [str(path) for path in PRODUCTION]
    assert {key.public.key_size for key in keys} == {2048}
    assert len({key.fingerprint for key in keys}) == len(PRODUCTION) == 10


def test_the_fingerprint_is_the_sha256_of_the_key_in_der_form() -> None:
    (key,) = read_keys([CERN])
    lines = [line for line in PEM.splitlines() if not line.startswith(b"-----")]
    assert key.fingerprint == hashlib.sha256(base64.b64decode(b"".join(lines))).hexdigest()


@pytest.mark.parametrize(
    "pem",
    [b"# the key of CERN\n" + PEM + b"\nmore text \xff\x00", PEM.replace(b"\n", b"\r\n"), PEM.rstrip()],
    ids=["text around it", "lines as on Windows", "no last line end"],
)
def test_what_stands_around_the_key_does_not_matter(pem: bytes) -> None:
    assert MasterKey.parse(pem, "a.pub").fingerprint == read_keys([CERN])[0].fingerprint


@pytest.mark.parametrize("bits", [1024, 1025, 1536, 2047, 4096, 8191, 16384])
def test_keys_of_every_size_are_read(bits: int) -> None:
    public = rsa.RSAPublicNumbers(65537, (1 << bits) - 1).public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert MasterKey.parse(pem, "a.pub").public.key_size == bits


def public_pem(key: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


REFUSED = {
    "nothing": (b"", "is not a public key in PEM form"),
    "any bytes": (bytes(range(256)), "is not a public key in PEM form"),
    "a certificate": (td.ours().certificate_pem, "is not a public key in PEM form"),
    "the DER form": (base64.b64decode(b"".join(PEM.splitlines()[1:-1])), "is not a public key in PEM form"),
    # Clients read it no more than these: PEM_read_PUBKEY wants the one form.
    "the form of PKCS#1": (
        td.ours().master.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1),
        "begins with -----BEGIN PUBLIC KEY-----",
    ),
    "the private key": (
        td.ours().master.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        "holds a private key",
    ),
    "a key of another kind": (public_pem(ec.generate_private_key(ec.SECP256R1()).public_key()), "is not an RSA key"),
    "a new kind": (public_pem(ed25519.Ed25519PrivateKey.generate().public_key()), "is not an RSA key"),
    "no end": (PEM[:-30], "is cut short"),
    "damaged base64": (PEM.replace(b"MII", b"M*I", 1), "is damaged"),
    "damaged within": (PEM.replace(b"MII", b"MIJ", 1), "is damaged"),
    "two keys": (
        PEM + (td.HERE / "keys/egi.eu.pub").read_bytes(),
        "holds 2 keys, of which clients read only the first",
    ),
}


@pytest.mark.parametrize(("content", "problem"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_key_is_refused_by_the_name_of_its_file(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "wrong.pub"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as refusal:
        read_keys([CERN, path])
    assert str(refusal.value).startswith(f"key file {path} ")
    assert problem in str(refusal.value)
    assert str(refusal.value).isprintable()


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"key file .*none\.pub cannot be read: No such file"):
        read_keys([tmp_path / "none.pub"])
    with pytest.raises(ConfigError, match="Is a directory"):
        read_keys([tmp_path])


def test_a_huge_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "huge.pub"
    path.write_bytes(PEM + bytes(LONGEST_KEY_FILE))
    with pytest.raises(ConfigError, match="has more than 65536 bytes"):
        read_keys([path])


@settings(max_examples=300, deadline=None)
@given(damaged(PEM) | st.binary(max_size=200))
def test_any_bytes_are_a_key_or_a_sentence(content: bytes) -> None:
    sentence = "read"
    try:
        MasterKey.parse(content, "a.pub")
    except ValueError as why:
        sentence = str(why)
    assert sentence.isprintable()


# --- blacklists ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        PAIRS,
        PLAIN,
        f"{PAIRS} # stolen",
        f"{PAIRS}\tstolen",
        f"{PAIRS}#stolen",
        PAIRS.lower(),
        PLAIN[:7] + ":::" + PLAIN[7:],
    ],
)
def test_fingerprints_are_read_as_in_a_whitelist(line: str) -> None:
    assert Blacklist.parse(f"# ours\n\n{line}\n").fingerprints == {PLAIN}


@pytest.mark.parametrize("suffix", ["-SHAKE128", "-rmd160"])
def test_fingerprints_keep_their_algorithm(suffix: str) -> None:
    assert Blacklist.parse(PAIRS + suffix).fingerprints == {PLAIN + suffix.lower()}


@pytest.mark.parametrize("line", [f" {PAIRS}", f"#{PAIRS}", PAIRS[:-1], PAIRS + "0", f"{PAIRS}\r", f"{PAIRS},{PAIRS}"])
def test_what_is_no_fingerprint_is_skipped(line: str) -> None:
    assert Blacklist.parse(line) == Blacklist()


@pytest.mark.parametrize(
    ("line", "first"),
    [
        ("<atlas.cern.ch 8", 8),
        ("<atlas.cern.ch\t 0008", 8),
        ("<atlas.cern.ch +8", 8),
        ("<atlas.cern.ch 9223372036854775807", (1 << 63) - 1),
        ("<atlas.cern.ch 9223372036854775808", 0),  # clients read signed numbers
        ("<atlas.cern.ch -8", 0),
        ("<atlas.cern.ch 8 ", 0),  # nothing may follow
        ("<atlas.cern.ch 8 # broken", 0),
        ("<atlas.cern.ch 8\r", 0),
        ("<atlas.cern.ch 8x", 0),
        ("<atlas.cern.ch", 0),
        ("<atlas.cern.ch ", 0),
        ("< atlas.cern.ch 8", 0),
        (" <atlas.cern.ch 8", 0),
        ("<atlas.cern.ch.org 8", 0),
        ("<atlas.cern 8", 0),
        ("atlas.cern.ch 8", 0),
    ],
)
def test_the_first_revision_that_is_allowed_is_read(line: str, first: int) -> None:
    assert Blacklist.parse(f"{line}\n").first_allowed("atlas.cern.ch") == first


def test_the_strictest_of_several_lines_counts() -> None:
    blacklist = Blacklist.parse("<a.b 3\n<c.d 9\n<a.b 5\n<a.b 4\n")
    assert [blacklist.first_allowed(repo) for repo in ("a.b", "c.d", "e.f")] == [5, 9, 0]


def test_several_blacklists_are_taken_together_and_a_missing_one_is_empty(tmp_path: Path) -> None:
    (tmp_path / "one").write_text(f"{PAIRS}\n<a.b 3")
    (tmp_path / "two").write_bytes(b"\xff\xfe\n<a.b 4\n")
    blacklist = read_blacklists([tmp_path / "one", tmp_path / "none", tmp_path / "two"])
    assert blacklist == Blacklist(frozenset({PLAIN}), (("a.b", 3), ("a.b", 4)))
    assert read_blacklists([tmp_path / "none"]) == Blacklist()


def test_a_blacklist_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"blacklist {tmp_path} cannot be read: Is a directory"):
        read_blacklists([tmp_path])


def problems(*paths: Path) -> list[str]:
    lines: list[str] = []
    Keyring(Fleet((), blacklists=paths), lines.append)
    return [line.removeprefix("W! blacklist ") for line in lines]


def test_a_blacklist_need_be_nowhere_but_where_no_client_looks(tmp_path: Path) -> None:
    assert problems(tmp_path / "blacklist") == []
    for path in (tmp_path / "balcklist", tmp_path / "nowhere/blacklist"):
        assert problems(path) == [f"{path} does not exist: nothing is refused by it"]
    (tmp_path / "file").touch()
    assert problems(tmp_path / "file/blacklist") == [
        f"{tmp_path / 'file/blacklist'} does not exist: nothing is refused by it"
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", ""),
        (f"# ours\n\n  # and theirs\n{PAIRS} # stolen\n<a.b 3\n", ""),
        (f"{PAIRS}\r\n<a.b 3\r\n", "2 lines, first line 1, are"),
        (f"{PAIRS}\n<a.b 3 # bad\n", "line 2 is"),
        ("<html>\nnot found\n</html>\n", "3 lines, first line 1, are"),
        ("a.b 3", "line 1 is"),
    ],
)
def test_lines_of_a_blacklist_that_clients_skip_are_told(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "blacklist"
    path.write_bytes(text.encode())
    ending = "neither a fingerprint nor <repository revision: clients skip that"
    assert problems(path) == ([f"{path}: {problem} {ending}"] if problem else [])


@settings(max_examples=200)
@given(st.text())
def test_any_text_is_a_blacklist(text: str) -> None:
    blacklist = Blacklist.parse(text)
    assert all(revision >= 0 for _, revision in blacklist.revisions)
