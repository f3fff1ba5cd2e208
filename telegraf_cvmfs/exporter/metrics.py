"""What the exporter tells: the last finished run, rendered once, and itself, at each request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Info,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from telegraf_cvmfs._version import __version__
from telegraf_cvmfs.emit.prometheus import Family, families
from telegraf_cvmfs.exporter.packed import Packed
from telegraf_cvmfs.model import Run
from telegraf_cvmfs.points.schema import SCRAPE

MISSED = 3
"""After so many intervals without a finished run, what the last one saw is told no longer."""

_END = b"# EOF\n"
"""With which OpenMetrics ends."""

Encoder = Callable[[Collector], bytes]

ENCODERS: Mapping[str, Encoder] = {
    CONTENT_TYPE_PLAIN_0_0_4: generate_latest,
    openmetrics.CONTENT_TYPE_LATEST: openmetrics.generate_latest,
}
"""The formats by their content types."""


def content_type(accept: str) -> str:
    """The one of them that a client's `Accept` header asks for."""
    _, chosen = choose_encoder(accept)
    wants = chosen.startswith("application/openmetrics-text")
    return openmetrics.CONTENT_TYPE_LATEST if wants else CONTENT_TYPE_PLAIN_0_0_4


@dataclass(frozen=True)
class Families(Collector):
    """Some metrics of a run, for a registry or an encoder of `prometheus_client`."""

    of: Iterable[Family]

    def collect(self) -> Iterator[Metric]:
        """As `prometheus_client` has them; its infos have their suffix in the samples alone."""
        for family in self.of:
            name = family.name.removesuffix("_info") if family.is_info else family.name
            metric = Metric(name, family.meaning, "info" if family.is_info else "gauge")
            metric.samples = [Sample(family.name, dict(labels), value) for labels, value in family.samples]
            yield metric


@dataclass(frozen=True)
class _Told:
    """What is told of one finished run: of servers and replicas in each format, of itself, and when it ended."""

    fleet: Mapping[str, Packed]
    scrape: Families
    finished: float


class Metrics:
    """Answers for `/metrics` from any thread, while another one publishes runs; `clock` as time.monotonic."""

    def __init__(self, interval: timedelta, clock: Callable[[], float]) -> None:
        self._patience = MISSED * interval.total_seconds()
        self._clock = clock
        self._nothing = {kind: _finished(Packed()) for kind in ENCODERS}
        self._told: _Told | None = None
        self._own = CollectorRegistry()
        disable_created_metrics()  # type: ignore[no-untyped-call]
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._own)
        Info("cvmfs_exporter_build", "the program", registry=self._own).info({"version": __version__})
        Gauge("cvmfs_exporter_interval_seconds", "time between two runs", registry=self._own).set(
            interval.total_seconds()
        )
        self._config = Gauge("cvmfs_exporter_config_ok", "0 while a fleet or key file is wrong", registry=self._own)
        self._config.set(1)
        self._runs = Counter("cvmfs_exporter_runs", "runs finished since the start", registry=self._own)

    def configured(self, *, ok: bool) -> None:
        """Whether the fleet file and its keys, as they are now, can be used."""
        self._config.set(ok)

    def publish(self, run: Run) -> None:
        """From now on this run is told, and only when all of it is ready."""
        packed = {kind: Packed() for kind in ENCODERS}
        scrape = []
        for family in families(run):
            if family.name.startswith(f"{SCRAPE}_"):
                scrape.append(family)
                continue
            for kind, encode in ENCODERS.items():
                packed[kind].add(encode(Families([family])).removesuffix(_END))
        told = {kind: _finished(text) for kind, text in packed.items()}
        self._told = _Told(told, Families(scrape), self._clock())
        self._runs.inc()

    def waits_for(self) -> str:
        """Why what is told is not the present, for people; empty if it is."""
        told = self._told
        if told is None:
            return "no run has finished yet"
        since = self._clock() - told.finished
        return f"no run has finished for {since:.0f} s" if since > self._patience else ""

    def text(self, kind: str) -> tuple[Packed, bytes]:
        """The whole answer in one of the formats: the long part that is ready, and its end of this moment."""
        told, encode = self._told, ENCODERS[kind]
        own = encode(self._own)
        if told is None:
            return self._nothing[kind], own
        fleet = self._nothing if self.waits_for() else told.fleet
        return fleet[kind], encode(told.scrape).removesuffix(_END) + own


def _finished(text: Packed) -> Packed:
    text.finish()
    return text
