"""What is measured with, each with its meaning: the page about metrics is made of that."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    generate_latest,
)

SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)
_SUFFIX = {"counter": "_total", "info": "_info"}
Kind = Literal["counter", "gauge", "histogram", "info"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """One metric as a reader meets it."""

    name: str
    """As it is exposed, without what a histogram adds."""
    kind: Kind
    meaning: str
    labels: tuple[str, ...]


class Instruments:
    """One registry, and what is in it."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.described: list[Described] = []

    def counter(self, name: str, meaning: str, *labels: str) -> Counter:
        self._describe("counter", name, meaning, labels)
        return Counter(name, meaning, labels, registry=self._registry)

    def gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        self._describe("gauge", name, meaning, labels)
        return Gauge(name, meaning, labels, registry=self._registry)

    def asked(self, name: str, meaning: str) -> Callable[[Callable[[], float]], None]:
        """A gauge that is asked whenever somebody looks, once it is known whom to ask."""
        return self.gauge(name, meaning).set_function

    def histogram(
        self, name: str, meaning: str, *labels: str, buckets: Sequence[float] = SECONDS
    ) -> Histogram:
        self._describe("histogram", name, meaning, labels)
        return Histogram(name, meaning, labels, buckets=buckets, registry=self._registry)

    def info(self, name: str, meaning: str, *labels: str) -> Info:
        """The labels are what it will say."""
        self._describe("info", name, meaning, labels)
        return Info(name, meaning, registry=self._registry)

    def process(self) -> None:
        """What the operating system knows of this process: `process_…`."""
        ProcessCollector(registry=self._registry)

    def exposition(self) -> bytes:
        return generate_latest(self._registry)

    def _describe(self, kind: Kind, name: str, meaning: str, labels: tuple[str, ...]) -> None:
        shown = name + _SUFFIX.get(kind, "")
        self.described.append(Described(name=shown, kind=kind, meaning=meaning, labels=labels))
