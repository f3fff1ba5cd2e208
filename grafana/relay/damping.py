"""Which changes of an alert are worth a message, and when. Pure: state and reports and `now` in, state and message out.

Grafana sends one notification when a group of alerts changes, at most one each group interval, and repeats it only
after the repeat interval (4 h). So there is seldom a second report to wait for. What stands in for it is silence:
if an alert had changed back, Grafana would say so at its next flush. A change is therefore believed when

* the same was reported again, at least `APART` later, or
* nothing else was reported for `hold`, which has to be longer than Grafana's group interval to mean anything.

Times are Unix seconds, spans are seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from grafana.relay.alert import Alert, Report
from grafana.relay.message import Kind, Message, News, compose

APART = 50.0
"""What is nearer is the same probe: Grafana asks again within seconds when it got no answer."""
MOST_ALERTS = 2000
"""Alerts that are remembered."""
FORGOTTEN_AFTER = 7 * 86400.0
"""Grafana repeats what fires each repeat interval; what it never mentions again was deleted."""

State = Mapping[str, "Standing"]
"""What is known of each alert, by fingerprint."""


@dataclass(frozen=True)
class Damping:
    """The limits, as spans in seconds, and how many alerts a message names."""

    hold: float = 360.0
    repeat: float = 4 * 3600.0
    gather: float = 10.0
    flapping_changes: int = 4
    flapping_window: float = 3600.0
    worst: int = 10


@dataclass(frozen=True)
class Standing:
    """One alert: what was reported of it, and what people were told.

    `firing` is the last report, `since` the first and `seen` the last of equal reports without another between,
    `confirmed` the first of them that counts as a second probe. `changes` are the last changes within the window,
    `flapping` is when they became too many. `told` and `told_at` are the last thing that was told.
    """

    alert: Alert
    firing: bool
    since: float
    seen: float
    confirmed: float | None
    changes: tuple[float, ...]
    flapping: float | None = None
    told: Kind | None = None
    told_at: float = 0.0

    @property
    def is_open(self) -> bool:
        """Whether people were told of it and not yet that it is over."""
        return self.told in (Kind.FIRING, Kind.FLAPPING)


@dataclass(frozen=True)
class Tick:
    """What a moment brings: the state after it, a message if there is one, and alerts given up as deleted."""

    state: State
    message: Message | None
    forgotten: tuple[Alert, ...]


def report(state: State, reports: Iterable[Report], now: float, damping: Damping) -> State:
    """The state after a notification."""
    after = dict(state)
    for item in reports:
        key = item.alert.fingerprint
        before = after.get(key)
        if before is not None:
            after[key] = _reported(before, item, now, damping)
        elif item.firing:  # that something unheard of is resolved is no news
            after[key] = Standing(item.alert, firing=True, since=now, seen=now, confirmed=None, changes=(now,))
    return after if len(after) <= MOST_ALERTS else _newest(after)


def tick(state: State, now: float, damping: Damping) -> Tick:
    """What is due: one message for all of it, once the first of it has waited `gather` for the others."""
    due = {key: news for key, standing in state.items() if (news := _due(standing, now, damping))}
    if not due or min(at for _, at in due.values()) + damping.gather > now:
        return _pruned(state, None, now, damping)
    after = dict(state)
    for key, (item, _) in due.items():
        after[key] = replace(after[key], told=item.kind, told_at=now)
    still_open = sum(standing.is_open for standing in after.values())
    message = compose((item for item, _ in due.values()), now, damping.worst, still_open)
    return _pruned(after, message, now, damping)


def no_later_than(state: State, now: float) -> State:
    """The state without times in the future, which a clock that was set back would leave there for years."""

    def past(time: float) -> float:
        return min(time, now)

    return {
        key: replace(
            standing,
            since=past(standing.since),
            seen=past(standing.seen),
            told_at=past(standing.told_at),
            changes=tuple(past(time) for time in standing.changes),
            confirmed=None if standing.confirmed is None else past(standing.confirmed),
            flapping=None if standing.flapping is None else past(standing.flapping),
        )
        for key, standing in state.items()
    }


def _reported(standing: Standing, item: Report, now: float, damping: Damping) -> Standing:
    if item.firing == standing.firing:
        confirmed = standing.confirmed
        if confirmed is None and now - standing.since >= APART:
            confirmed = now
        return replace(standing, alert=item.alert, seen=now, confirmed=confirmed)
    recent = (time for time in standing.changes if now - time <= damping.flapping_window)
    changes = (*recent, now)[-damping.flapping_changes :]
    flapping = standing.flapping if _flaps(standing, now, damping) else None
    if flapping is None and len(changes) == damping.flapping_changes:
        flapping = now
    return replace(
        standing,
        alert=item.alert,
        firing=item.firing,
        since=now,
        seen=now,
        confirmed=None,
        changes=changes,
        flapping=flapping,
    )


def _flaps(standing: Standing, now: float, damping: Damping) -> bool:
    """It flaps until nothing has changed for a whole window: a lower bar would have it flap in and out of flapping."""
    return standing.flapping is not None and now - standing.changes[-1] < damping.flapping_window


def _settled_at(standing: Standing, damping: Damping) -> float:
    """From when on the last report is believed."""
    if standing.flapping is not None:
        return standing.changes[-1] + damping.flapping_window
    held = standing.since + damping.hold
    return held if standing.confirmed is None else min(held, standing.confirmed)


def _due(standing: Standing, now: float, damping: Damping) -> tuple[News, float] | None:
    """What is to be told of this alert, and since when; None if nothing is."""
    if standing.flapping is not None and _flaps(standing, now, damping):
        kind, at = Kind.FLAPPING, standing.flapping
    else:
        kind, at = Kind.FIRING if standing.firing else Kind.RESOLVED, _settled_at(standing, damping)
    if kind is Kind.RESOLVED and not standing.is_open:
        return None
    again = kind is standing.told
    if again:
        # Only if Grafana has mentioned it since: a reminder of what nobody looks after any more would be a rumour.
        if standing.seen <= standing.told_at:
            return None
        at = max(standing.told_at + damping.repeat, standing.seen, at)
    return (News(standing.alert, kind, again), at) if at <= now else None


def _pruned(state: State, message: Message | None, now: float, damping: Damping) -> Tick:
    over = {key for key, standing in state.items() if _is_over(standing, now, damping)}
    stale = {key for key, standing in state.items() if now - standing.seen > FORGOTTEN_AFTER} - over
    gone = over | stale
    forgotten = tuple(state[key].alert for key in sorted(stale))
    left = {key: standing for key, standing in state.items() if key not in gone} if gone else state
    return Tick(left, message, forgotten)


def _is_over(standing: Standing, now: float, damping: Damping) -> bool:
    """Resolved, told so if it had to be, and so long ago that a return would not count as flapping."""
    quiet = now - standing.changes[-1] > max(damping.flapping_window, damping.hold)
    return not standing.firing and not standing.is_open and quiet


def _newest(state: Mapping[str, Standing]) -> State:
    """As many as are remembered: those that people were told of before others, then the last seen."""
    ranked = sorted(state.items(), key=lambda item: (item[1].is_open, item[1].seen), reverse=True)
    return dict(ranked[:MOST_ALERTS])
