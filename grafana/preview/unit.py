"""Numbers in the units that the dashboards name, about as Grafana writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

_SPANS = ((604800, "weeks"), (86400, "days"), (3600, "hours"), (60, "mins"))
_BYTES = ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))
_COUNTS = ((1e9, "Bil"), (1e6, "Mil"), (1e4, "K"))
THOUSAND = 1000


def written(value: float, unit: str, decimals: int | None, now: float) -> str:
    """The number with its unit; `now` is the moment of the page in Unix milliseconds, as times are."""
    if unit in _TIMES:
        return _TIMES[unit](value, now)
    if unit in _SCALED:
        return _SCALED[unit](value, decimals)
    number = _number(value, decimals)
    return f"{number} {unit}" if unit and unit not in ("none", "short") else number


def _number(value: float, decimals: int | None) -> str:
    if decimals is None:
        decimals = 0 if float(value).is_integer() else 2
    return f"{value:.{decimals}f}"


def _span(value: float, decimals: int | None = None) -> str:
    for size, name in _SPANS:
        if abs(value) >= size:
            return f"{_number(value / size, 1 if decimals is None else decimals)} {name}"
    if 0 < abs(value) < 1:
        return f"{_number(value * THOUSAND, decimals if decimals is not None else 1)} ms"
    return f"{_number(value, decimals)} s"


def _scaled(steps: tuple[tuple[float, str], ...], last: str) -> Callable[[float, int | None], str]:
    def text(value: float, decimals: int | None) -> str:
        for size, name in steps:
            if abs(value) >= size:
                return f"{_number(value / size, 1 if decimals is None else decimals)} {name}"
        return f"{_number(value, decimals)}{last}"

    return text


def _ago(value: float, now: float) -> str:
    seconds = (now - value) / THOUSAND
    return f"{_span(abs(seconds), 0)} ago" if seconds >= 0 else f"in {_span(-seconds, 0)}"


def _moment(value: float, _now: float) -> str:
    return f"{datetime.fromtimestamp(value / THOUSAND, UTC):%Y-%m-%d %H:%M:%S}"


_SCALED: Mapping[str, Callable[[float, int | None], str]] = {
    "percentunit": lambda value, decimals: f"{_number(value * 100, decimals)}%",
    "s": _span,
    "bytes": _scaled(_BYTES, " B"),
    "short": _scaled(_COUNTS, ""),
}
_TIMES: Mapping[str, Callable[[float, float], str]] = {
    "dateTimeFromNow": _ago,
    "dateTimeAsIso": _moment,
    "dateTimeAsLocal": _moment,
    "dateTimeAsSystem": _moment,
}
