"""Which changes are told and when: the damping alone, with a clock that the test sets."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from grafana.relay import damping, store
from grafana.relay.alert import Alert, Report
from grafana.relay.damping import APART, Damping
from grafana.relay.message import Kind, Message

MINUTE, HOUR = 60.0, 3600.0
START = 1_800_000_000.0
RULES = Damping()


def alert(name: str = "lagging", severity: str = "warning", key: str = "") -> Alert:
    return Alert(key or name, name, severity, "s1.example.org", "behind", "", "", START)


@dataclass
class Run:
    """A relay without sockets: reports at a time, and time that passes."""

    rules: Damping = RULES
    state: damping.State = field(default_factory=dict)
    now: float = START
    messages: list[Message] = field(default_factory=list)

    def at(self, minute: float) -> Run:
        """Let time pass until this minute, a tick each second."""
        while self.now < START + minute * MINUTE:
            self.now = min(self.now + 1, START + minute * MINUTE)
            tick = damping.tick(self.state, self.now, self.rules)
            self.state = tick.state
            self.messages += [tick.message] if tick.message else []
        return self

    def says(self, *names: str, firing: bool = True, severity: str = "warning") -> Run:
        reports = [Report(alert(name, severity), firing) for name in names]
        self.state = damping.report(self.state, reports, self.now, self.rules)
        return self

    @property
    def told(self) -> list[tuple[float, str]]:
        """Second and label of everything that was told."""
        return [(m.made - START, news.label) for m in self.messages for news in m.worst]


def labels(run: Run) -> list[str]:
    return [label for _, label in run.told]


def test_what_fires_is_told_after_the_hold_if_grafana_says_it_only_once() -> None:
    run = Run().says("lagging").at(5.9)
    assert run.told == []
    run.at(60)
    assert run.told == [(6 * MINUTE + 10, "firing")]


def test_what_is_reported_twice_is_told_without_waiting_for_the_hold() -> None:
    run = Run().says("lagging").at(2).says("lagging").at(3)
    assert run.told == [(2 * MINUTE + 10, "firing")]


def test_the_same_request_sent_again_within_seconds_is_no_second_probe() -> None:
    run = Run().says("lagging").at((APART - 1) / 60).says("lagging").at(5.9)
    assert run.told == []


def test_what_was_over_before_the_hold_is_never_told() -> None:
    run = Run().says("lagging").at(5).says("lagging", firing=False).at(300)
    assert run.told == []
    assert run.state == {}


def test_resolved_is_told_once_and_after_the_hold() -> None:
    run = Run().says("lagging").at(30).says("lagging", firing=False).at(35.9)
    assert labels(run) == ["firing"]
    run.at(40).says("lagging", firing=False).at(600)
    assert labels(run) == ["firing", "resolved"]


def test_resolved_of_what_nobody_was_told_of_is_no_news() -> None:
    assert Run().says("lagging", firing=False).at(60).told == []


def test_a_gap_shorter_than_the_hold_is_not_told() -> None:
    run = Run().says("lagging").at(30).says("lagging", firing=False).at(33).says("lagging").at(120)
    assert labels(run) == ["firing"]


def test_the_same_is_told_again_only_after_the_repeat_and_only_if_grafana_repeats_it() -> None:
    run = Run().says("lagging").at(239)
    for minute in (240, 243, 244, 245, 246):
        run.at(minute).says("lagging")
    assert labels(run) == ["firing"]
    run.at(300)
    assert run.told[1:] == [(4 * HOUR + 6 * MINUTE + 20, "still firing")]
    assert labels(run.at(2000)) == ["firing", "still firing"]


def test_what_flaps_is_told_once_as_flapping_and_not_twenty_times() -> None:
    run = Run()
    for count in range(40):
        run.at(5 * count).says("lagging", firing=count % 2 == 0)
    assert labels(run) == ["flapping"]
    assert run.told[0][0] == 15 * MINUTE + 10


def test_what_flapped_is_told_as_resolved_when_it_has_been_quiet_for_the_window() -> None:
    run = Run()
    for count in range(6):
        run.at(5 * count).says("lagging", firing=count % 2 == 0)
    run.at(25 + 59)
    assert labels(run) == ["flapping"]
    assert run.at(200).told[1:] == [(85 * MINUTE + 10, "resolved")]


def test_what_flapped_and_then_fires_for_good_is_told_as_firing() -> None:
    run = Run()
    for count in range(5):
        run.at(5 * count).says("lagging", firing=count % 2 == 0)
    assert labels(run.at(300)) == ["flapping", "firing"]


def test_a_slow_flapper_is_told_each_time_until_it_counts_as_flapping() -> None:
    run = Run()
    for count in range(12):
        run.at(15 * count).says("lagging", firing=count % 2 == 0)
    assert labels(run) == ["firing", "resolved", "firing", "flapping"]


def test_an_alert_that_comes_back_after_it_was_told_as_resolved_is_told_again() -> None:
    run = Run().says("lagging").at(60).says("lagging", firing=False).at(200).says("lagging").at(300)
    assert labels(run) == ["firing", "resolved", "firing"]


def test_many_at_once_are_one_message_with_counts_and_the_worst_first() -> None:
    run = Run().says(*(f"w{number:02}" for number in range(15))).at(0.1)
    run.says("down", severity="critical").says("note", severity="info").at(60)
    (message,) = run.messages
    assert message.counts == (("firing", 17),)
    assert [news.alert.name for news in message.worst] == ["down", *(f"w{number:02}" for number in range(9))]
    assert (message.more, message.still_open) == (7, 17)


def test_the_first_alert_waits_for_others_no_longer_than_gather() -> None:
    run = Run(Damping(hold=0))
    for second in range(30):
        run.at(second / 60).says(f"a{second}")
    assert [len(message.worst) for message in run.at(5).messages][:2] == [10, 10]
    assert run.messages[0].made == START + 10


def test_what_is_over_sorts_behind_what_is_not() -> None:
    run = Run().says("old", severity="critical").at(30).says("old", severity="critical", firing=False)
    run.says("new", severity="info").at(60)
    assert [news.label for news in run.messages[-1].worst] == ["firing", "resolved"]


def test_an_alert_of_which_nothing_is_heard_for_a_week_is_forgotten_and_named() -> None:
    run = Run().says("lagging").at(30)
    gone = damping.tick(run.state, run.now + damping.FORGOTTEN_AFTER + HOUR, RULES)
    assert [item.name for item in gone.forgotten] == ["lagging"]
    assert (gone.state, gone.message) == ({}, None)


def test_of_too_many_alerts_those_that_people_were_told_of_are_kept() -> None:
    run = Run().says("told").at(30)
    flood = [Report(alert(f"n{number}"), firing=True) for number in range(damping.MOST_ALERTS + 50)]
    state = damping.report(run.state, flood, run.now + 1, RULES)
    assert len(state) == damping.MOST_ALERTS
    assert "told" in state


def test_a_clock_that_was_set_back_delays_nothing_by_more_than_the_hold() -> None:
    ahead = damping.report({}, [Report(alert(), firing=True)], START + 1e9, RULES)
    run = Run(state=damping.no_later_than(ahead, START)).at(10)
    assert labels(run) == ["firing"]


# --- for every course of events ---------------------------------------------------------------------

EVENTS = st.lists(
    st.tuples(
        st.sampled_from(
            [0.0, 1.0, 20.0, 49.0, 50.0, 60.0, 180.0, 300.0, 360.0, 361.0, 900.0, 3000.0, 3600.0, 15_000.0]
        ),
        st.sampled_from(["a", "b"]),
        st.booleans(),
    ),
    max_size=40,
)


@dataclass
class History:
    """What was reported and told of one alert, kept by the test itself."""

    reports: list[tuple[float, bool]] = field(default_factory=list)
    told: list[tuple[float, Kind]] = field(default_factory=list)

    def has_stood(self, now: float, *, firing: bool) -> bool:
        """Whether the last reports say so, and said so twice or for as long as the hold."""
        run: list[float] = []
        for time, state in reversed(self.reports):
            if state is not firing:
                break
            run.append(time)
        return bool(run) and (now - run[-1] >= RULES.hold or run[0] - run[-1] >= APART)


def play(events: list[tuple[float, str, bool]], *, restarts: bool = False) -> tuple[Run, dict[str, History]]:
    """All events with ticks between them, then a quiet day."""
    run, histories = Run(), {"a": History(), "b": History()}
    with tempfile.TemporaryDirectory() as folder:
        for pause, key, firing in events:
            for step in (0.3, 0.7, 1.0):
                _tick(run, histories, run.now + pause * step)
            run.now += pause
            histories[key].reports.append((run.now, firing))
            run.state = damping.report(run.state, [Report(alert(key), firing)], run.now, RULES)
            if restarts:
                path = Path(folder) / "state.json"
                store.write(path, store.Kept(run.state, {}))
                run.state = store.read(path).state
    for quarter in range(96):
        _tick(run, histories, run.now + quarter * 15 * MINUTE)
    return run, histories


def _tick(run: Run, histories: dict[str, History], now: float) -> None:
    tick = damping.tick(run.state, now, RULES)
    run.state = tick.state
    if tick.message:
        run.messages.append(tick.message)
        for news in tick.message.worst:
            _check(histories[news.alert.fingerprint], news.kind, now)
            histories[news.alert.fingerprint].told.append((now, news.kind))


def _check(history: History, kind: Kind, now: float) -> None:
    last = history.told[-1] if history.told else None
    if last and last[1] is kind:
        assert now - last[0] >= RULES.repeat, "the same was told twice within `repeat`"
    if kind is Kind.RESOLVED:
        assert last, "resolved, but nobody was told that it fired"
        assert last[1] in (Kind.FIRING, Kind.FLAPPING), "resolved, but nobody was told that it fired"
        assert history.has_stood(now, firing=False), "resolved, but it has not stood"
    if kind is Kind.FIRING:
        assert history.has_stood(now, firing=True), "firing, but it has not stood"
    recent = [time for time, _ in history.told if now - time < RULES.flapping_window]
    assert len(recent) <= RULES.flapping_changes, "told more often than it may change before it flaps"


@settings(max_examples=120, deadline=None)
@given(EVENTS)
def test_nothing_is_told_twice_and_nothing_resolved_that_was_not_told(events: list[tuple[float, str, bool]]) -> None:
    play(events)


@settings(max_examples=120, deadline=None)
@given(EVENTS)
def test_after_a_quiet_day_people_know_how_each_alert_ended(events: list[tuple[float, str, bool]]) -> None:
    _, histories = play(events)
    for history in histories.values():
        last = history.told[-1][1] if history.told else None
        if history.reports and history.reports[-1][1]:
            assert last is Kind.FIRING
        else:
            assert last in (None, Kind.RESOLVED)


@settings(max_examples=40, deadline=None)
@given(EVENTS)
def test_a_restart_after_every_report_changes_nothing(events: list[tuple[float, str, bool]]) -> None:
    assert play(events)[0].messages == play(events, restarts=True)[0].messages
