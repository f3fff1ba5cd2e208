"""A collector: a plain function that gathers a span of history, and what it was told to gather.

>>> @collector(version="2.0")
... def greetings(*, source, since=None, until=None):
...     return {"hello": source}
>>> one = greetings(source="world")
>>> one.key, one.version, one.gather()
('greetings', '2.0', {'hello': 'world'})
>>> greetings.__wrapped__(source="world") == one.gather()
True
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, ParamSpec

P = ParamSpec("P")

Gathered = Mapping[str, Any] | list[Path] | None
"""An object for a JSON file, or temporary files, which are the caller's to remove; None or [] for nothing."""


@dataclass(frozen=True, slots=True)
class Collector:
    """What is to be gathered: `gather()` does it, as often as it is asked, with the arguments that it was made with."""

    key: str
    version: str
    function: Callable[..., Gathered]
    arguments: inspect.BoundArguments

    def gather(self) -> Gathered:
        """What the function returns, or the error that it raises."""
        return self.function(*self.arguments.args, **self.arguments.kwargs)

    def moment(self, name: str) -> datetime | None:
        """An argument that is a moment, `since` or `until`; None if it is not given, or not taken."""
        found: datetime | None = self.arguments.arguments.get(name)
        return found


def collector(
    *, version: str = "1.0", key: str | None = None
) -> Callable[[Callable[P, Gathered]], Callable[P, Collector]]:
    """Make of a function a collector: called, it checks its arguments and keeps them until `gather()`.

    `key` names its files (by default the function's name), `version` is that of their form. `__wrapped__` is the
    function itself.

    Raises, when it is called:
        TypeError: arguments that the function does not take.
        ValueError: `since` or `until` without a time zone.
    """

    def made(function: Callable[P, Gathered]) -> Callable[P, Collector]:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def bound(*args: P.args, **kwargs: P.kwargs) -> Collector:
            arguments = signature.bind(*args, **kwargs)
            arguments.apply_defaults()
            for name in ("since", "until"):
                check_aware(arguments.arguments.get(name), name)
            return Collector(key or function.__name__, version, function, arguments)

        return bound

    return made


def check_aware(moment: datetime | None, name: str) -> None:
    """TypeError for what is no datetime, ValueError for one without a time zone."""
    if moment is None:
        return
    if not isinstance(moment, datetime):
        raise TypeError(f"{name}: {moment!r} is no datetime")
    if moment.tzinfo is None:
        raise ValueError(f"{name}: {moment.isoformat()} has no time zone")
