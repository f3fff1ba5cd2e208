"""What CernVM-FS clients send, as telemetry_aggregator_influx.cc makes it: `PushMetrics`, one datagram of one or two lines."""

from __future__ import annotations

from collections.abc import Mapping

Counters = Mapping[str, int]


def datagram(
    repo: str,
    counters: Counters,
    before: Counters | None = None,
    *,
    when: int,
    tags: str = "",
    name: str = "cvmfs_client",
) -> bytes:
    """The counters of one mounted repository at a time in ns, and what they gained since `before`."""
    lines = [_line(f"{name}_absolute", repo, tags, {one: n for one, n in counters.items() if n}, when)]
    if before is not None:
        gained = {one: n - before.get(one, 0) for one, n in counters.items() if n}
        lines.append(_line(f"{name}_delta", repo, tags, gained, when))
    return "".join(f"{line}\n" for line in lines).encode()


def _line(measurement: str, repo: str, tags: str, fields: Counters, when: int) -> str:
    """Counters by name, none of them with the `i` of an integer, and a comma only between fields."""
    series = f"{measurement},repo={repo}" + (f",{tags}" if tags else "")
    return f"{series} {','.join(f'{one}={fields[one]}' for one in sorted(fields))} {when}"
