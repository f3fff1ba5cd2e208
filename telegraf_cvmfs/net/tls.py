"""What both transports trust under TLS, and what they make of OpenSSL's refusals."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from telegraf_cvmfs.model import Cause

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
