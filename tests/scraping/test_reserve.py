"""The time that is kept for judging and printing is what they take, and costs a quick run nothing."""

from __future__ import annotations

import time

import pytest

from telegraf_cvmfs.model import Role, Server, Stratum
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.scraping.reserve import MARGIN, SAMPLE, Reserve
from tests.builders.runs import replica

EACH = 0.0001  # seconds for a replica, as a slow machine takes


def strata(servers: int, replicas: int) -> list[Stratum]:
    kept = (replica().replica,) * replicas
    return [Stratum(Server(f"http://s{n}.tld", f"s{n}", Role.STRATUM1), replicas=kept) for n in range(servers)]


class Concluding:
    """Takes its time for each replica."""

    def __init__(self) -> None:
        self.samples: list[int] = []

    def __call__(self, sample: tuple[Stratum, ...]) -> None:
        self.samples.append(sum(len(stratum.replicas) for stratum in sample))
        time.sleep(EACH * self.samples[-1])


@pytest.mark.parametrize(("servers", "replicas"), [(1, 500), (30, 100), (300, 10), (3000, 1)])
def test_what_concluding_takes_is_kept(servers: int, replicas: int) -> None:
    deadline, concluding = Deadline(4), Concluding()
    reserve = Reserve(deadline, concluding, lambda: strata(servers, replicas))
    reserve.measure()
    assert concluding.samples == []
    deadline.shorten(2 - 0.001)
    reserve.measure()
    (sample,) = concluding.samples
    assert sample <= max(2 * SAMPLE, replicas)
    kept = 2 - deadline.remaining - (time.monotonic() - deadline.started)
    assert kept == pytest.approx(EACH * MARGIN * servers * replicas, rel=0.6, abs=0.05)


def test_it_is_measured_again_as_the_end_comes_near_and_not_at_each_moment() -> None:
    deadline, concluding = Deadline(1.5), Concluding()
    reserve = Reserve(deadline, concluding, lambda: strata(10, 30))
    while not deadline.passed:
        reserve.measure()
        time.sleep(0.005)
    assert 2 <= len(concluding.samples) <= 5


def test_a_run_without_an_end_is_not_measured() -> None:
    concluding = Concluding()
    Reserve(Deadline(float("inf")), concluding, lambda: strata(1, 1)).measure()
    assert concluding.samples == []
