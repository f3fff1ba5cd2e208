"""What both transports trust under TLS, what they make of OpenSSL's refusals, and how they say who asks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from telegraf_cvmfs.model import Access, Cause, FetchError, Result
from telegraf_cvmfs.whole_file import read_file
from telegraf_cvmfs.words.headers import READERS

if TYPE_CHECKING:
    import ssl

_BREAKS_A_RULE = (6, 25, 34, *range(45, 54), 68, 77, 78, *range(80, 95))  # of X.509, whoever signed it
_CAUSES: Mapping[int, Cause | None] = {
    10: Cause.EXPIRED_CERTIFICATE,
    62: Cause.OTHER_NAME,
    64: Cause.OTHER_NAME,
    **dict.fromkeys(_BREAKS_A_RULE),
}


def cause_of_refusal(verify_code: int) -> Cause | None:
    """Why a certificate is refused, by OpenSSL's number (x509_vfy.h); any other number: it is not trusted."""
    return _CAUSES.get(verify_code, Cause.UNTRUSTED)


def authorities() -> tuple[list[Path], Path | None]:
    """The authorities of a run: files (PEM), and a folder of others by their hash.

    They are the system's, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`, and certifi's.
    """
    import ssl  # noqa: PLC0415  # slow to import, and most servers are asked without TLS

    import certifi  # noqa: PLC0415

    system = ssl.get_default_verify_paths()
    files = [Path(path) for path in (system.cafile, certifi.where()) if path]
    return files, Path(system.capath) if system.capath else None


_LARGEST = 1 << 16  # bytes of a file with headers


def own_headers(access: Access) -> dict[str, str]:
    """The headers that say who asks; FetchError, which is our own fault, if a file of them is of no use."""
    found: dict[str, str] = {}
    for key, read in READERS.items():
        path: Path | None = getattr(access, key)
        if path is not None:
            try:
                found |= read(read_file(path, _LARGEST).decode("latin-1"))
            except OSError as error:
                raise _ours(key, path, error.strerror or str(error)) from error
            except ValueError as error:
                raise _ours(key, path, str(error)) from error
    return found


def own_context(access: Access) -> ssl.SSLContext:
    """A context with the certificate that says who asks, and the authorities; FetchError as `own_headers`."""
    import ssl  # noqa: PLC0415

    try:
        context = ssl.create_default_context(cafile=access.ca)
    except OSError as error:
        raise _ours("ca", access.ca, _said(error)) from error
    if access.client_cert is not None:
        try:
            context.load_cert_chain(access.client_cert, access.client_key, password=_no_password)
        except (OSError, ValueError) as error:
            what = "client_cert, client_key" if access.client_key else "client_cert"
            raise _ours(what, access.client_cert, _said(error)) from error
    return context


def _no_password() -> str:
    """OpenSSL would ask for one at the terminal."""
    raise ValueError("its key is encrypted: nobody is there to type a password")


def _said(error: Exception) -> str:
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)


def _ours(key: str, path: Path | None, why: str) -> FetchError:
    return FetchError(Result.OWN_LIMIT, f"{key} {path}: {why}")
