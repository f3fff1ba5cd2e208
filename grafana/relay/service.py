"""The relay: takes notifications, keeps the state, hands messages on. `now` is an argument, in Unix seconds.

Every change is on disk before anybody hears of it: a notification before Grafana gets its answer, a message before
it is sent. So a crash can repeat a message, but not lose one. If the disk is full, the relay goes on from memory.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from grafana.relay import alert, damping, outbox, store
from grafana.relay.config import Config
from grafana.relay.log import Log
from grafana.relay.message import Message, test_message
from grafana.relay.outbox import Outcome, Parcel, Result
from grafana.relay.receivers import Sender
from grafana.relay.wording import when
from telegraf_cvmfs.words.fault import place

TEST_PAUSE = 60.0
"""Grafana's button "Test" is answered at once, but not faster than this."""
LONGEST_ATTEMPT = 300.0
"""Seconds after which an attempt hangs: all its steps have less but the look-up of a name, which nobody can end."""


class Relay:
    """What runs: one for each state file."""

    def __init__(self, config: Config, senders: Mapping[str, Sender], log: Log, now: float) -> None:
        self._config = config
        self._senders = senders
        self._log = log
        self._path: Path = config.state
        self._lock = threading.RLock()
        self._tested = now - TEST_PAUSE
        self._unsaved = False
        self.workers: Sequence[threading.Thread] = ()
        self._attempts: dict[str, float] = {}
        kept = self._read(now)
        self._state = kept.state
        self._outboxes = {name: kept.outboxes.get(name, ()) for name in senders}
        for name in sorted(set(kept.outboxes) - set(senders)):
            log.warning(f"{len(kept.outboxes[name])} messages wait for {name!r}, which is no receiver now: dropped")

    def take(self, body: bytes, now: float) -> None:
        """One notification from Grafana.

        Raises:
            alert.PayloadError: it is none.
            store.StoreError: it could not be stored; it counts all the same, but Grafana should ask again.
        """
        notification = alert.read(body)
        if notification.truncated:
            self._log.seldom("truncated", f"Grafana left out {notification.truncated} alerts: set Max Alerts to 0")
        if notification.skipped:
            self._log.seldom("skipped", f"{notification.skipped} alerts of a notification were not understood")
        with self._lock:
            self._state = damping.report(self._state, notification.reports, now, self._config.damping)
            if notification.tests and now - self._tested >= TEST_PAUSE:
                self._tested = now
                self._send(test_message(now, "Grafana's contact point reaches the relay, and the relay reaches you."))
            self._save()

    def tick(self, now: float) -> None:
        """What time brings: a message that is due."""
        with self._lock:
            tick = damping.tick(self._state, now, self._config.damping)
            if tick.state is self._state and not self._unsaved:
                return
            self._state = tick.state
            if tick.message:
                self._send(tick.message)
            for gone in tick.forgotten:
                self._log.warning(f"alert {gone.name} on {gone.place}: nothing heard for 7 days, forgotten")
            self._try_to_save()

    def deliver(self, name: str, now: float) -> bool:
        """Try the receiver's first message, if its time has come; whether there may be more to do at once."""
        with self._lock:
            parcel = outbox.first_due(self._outboxes[name], now)
        if parcel is None:
            return False
        self._attempts[name] = time.monotonic()
        try:
            return self._attempt(name, parcel, now)
        except Exception as error:  # noqa: BLE001  # a fault of ours: the next attempt would end like this one
            made = when(parcel.message.made)
            self._log.error(f"{name}: message of {made} given up, please report it: {_fault(error)}")
            with self._lock:
                self._outboxes[name] = outbox.without(self._outboxes[name], parcel)
                self._try_to_save()
            return True
        finally:
            del self._attempts[name]

    def _attempt(self, name: str, parcel: Parcel, now: float) -> bool:
        outcome = self._senders[name](parcel.message)  # without the lock: a slow receiver stops nobody
        with self._lock:
            give_up = self._config.give_up
            self._outboxes[name], lost = outbox.after(self._outboxes[name], parcel, outcome, now, give_up)
            self._try_to_save()
        self._say(name, parcel, outcome, lost)
        return outcome.result is not Result.LATER or lost is not None

    def health(self) -> dict[str, object]:
        """For `GET /health`: how much waits, whether all workers work and the state can be kept. No names, no texts."""
        with self._lock:
            queued = sum(len(box) for box in self._outboxes.values())
            return {"status": self._trouble() or "ok", "queued": queued, "alerts": len(self._state)}

    def _trouble(self) -> str:
        if gone := sum(not worker.is_alive() for worker in self.workers):
            return f"{gone} workers ended"
        if hanging := sum(time.monotonic() - began > LONGEST_ATTEMPT for began in list(self._attempts.values())):
            return f"{hanging} workers hang"
        return "state not stored" if self._unsaved else ""

    @property
    def receivers(self) -> tuple[str, ...]:
        """The names of the receivers."""
        return tuple(self._outboxes)

    def close(self) -> None:
        """Store what is left, for the next start."""
        with self._lock:
            self._try_to_save()
            if waiting := sum(len(box) for box in self._outboxes.values()):
                self._log.information(f"{waiting} messages are stored and sent at the next start")

    def _send(self, message: Message) -> None:
        for name, box in self._outboxes.items():
            self._outboxes[name], dropped = outbox.add(box, message)
            for parcel in dropped:
                self._log.error(f"{name}: too many messages wait, the one of {when(parcel.message.made)} is dropped")

    def _say(self, name: str, parcel: Parcel, outcome: Outcome, lost: Parcel | None) -> None:
        made = when(parcel.message.made)
        if lost is not None:
            self._log.error(f"{name}: message of {made} given up after {lost.attempts} attempts: {outcome.why}")
        elif outcome.result is Result.LATER and parcel.attempts == 0:
            self._log.warning(f"{name}: message of {made} not taken, it will be tried again: {outcome.why}")
        elif outcome.result is Result.TAKEN and outcome.why:
            self._log.warning(f"{name}: {outcome.why}")
        elif outcome.result is Result.TAKEN and parcel.attempts:
            self._log.information(f"{name}: message of {made} taken after {parcel.attempts + 1} attempts")

    def _read(self, now: float) -> store.Kept:
        try:
            kept = store.read(self._path)
        except ValueError as error:
            self._log.warning(f"{error}: begun anew; alerts that still fire are told again")
            return store.Kept()
        # Waiting times of before count as over: the clock may have been set, and a restart is often the mending.
        boxes = {name: tuple(replace(parcel, due=0.0) for parcel in box) for name, box in kept.outboxes.items()}
        return store.Kept(damping.no_later_than(kept.state, now), boxes)

    def _save(self) -> None:
        try:
            store.write(self._path, store.Kept(self._state, self._outboxes))
        except Exception:
            self._unsaved = True
            raise
        self._unsaved = False

    def _try_to_save(self) -> None:
        try:
            self._save()
        except store.StoreError as error:
            self._log.seldom("state", f"{error}; a restart now would lose what is not stored")
        except Exception as error:  # noqa: BLE001  # what cannot be stored is handed on all the same
            self._log.seldom("state", f"the state cannot be stored, please report it: {_fault(error)}", "E!")

    def fault(self, where: str, error: Exception) -> None:
        """Say that something of ours went wrong, which nobody had thought of."""
        self._log.seldom(where, f"{where}: {_fault(error)}; it goes on, please report it", "E!")


def _fault(error: Exception) -> str:
    """What it was and where, without what it says: that may hold a secret, or an address that is one."""
    return f"unexpected {type(error).__name__} in {place(error)}"


def run_threads(
    relay: Relay, clock: Callable[[], float], stop: threading.Event, pause: float
) -> list[threading.Thread]:
    """One thread for the ticks and one for each receiver, until `stop`; they look every `pause` seconds.

    What goes wrong in one look does not end the thread: nobody would do its work.
    """

    def work(name: str, look: Callable[[], bool]) -> None:
        while not stop.wait(pause):
            try:
                while not stop.is_set() and look():
                    pass
            except Exception as error:  # noqa: BLE001
                relay.fault(name, error)

    def tick() -> bool:
        relay.tick(clock())
        return False

    looks = {"ticks": tick} | {f"to {name}": partial(_deliver, relay, name, clock) for name in relay.receivers}
    threads = [threading.Thread(target=work, args=look, name=look[0], daemon=True) for look in looks.items()]
    for thread in threads:
        thread.start()
    relay.workers = threads
    return threads


def _deliver(relay: Relay, name: str, clock: Callable[[], float]) -> bool:
    return relay.deliver(name, clock())
