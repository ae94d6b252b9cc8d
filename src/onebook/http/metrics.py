"""``GET /metrics``: the service's figures for Prometheus, and the registry from which they are pushed too."""

import threading
from collections.abc import Iterator
from typing import Any

from litestar import Request, Response, get
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric

from onebook.http import pushing
from onebook.http.measures import COUNTERS, GAUGES, HISTOGRAMS, classes_of, numbers_of
from onebook.http.service import Service


class Collected:
    """Asks the service for its numbers, once at a time, whenever somebody collects them.

    Args:
        service: which service.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._lock = threading.Lock()

    def collect(self) -> Iterator[Metric]:
        """Yield every family that has a number."""
        with self._lock:
            found = list(numbers_of(self._service))
            classes = list(classes_of(self._service))
        families: dict[str, Any] = {}
        for name, labels, value in found:
            family = families.get(name)
            if family is None:
                family = families[name] = _family(name)
            family.add_metric(labels, value)
        yield from families.values()
        for name, bounds, counts, total in classes:
            histogram = HistogramMetricFamily(name, HISTOGRAMS[name])
            histogram.add_metric((), _buckets(bounds, counts), total)
            yield histogram


def _family(name: str) -> Any:
    if name in COUNTERS:
        about, labels = COUNTERS[name]
        return CounterMetricFamily(name, about, labels=labels)
    about, labels = GAUGES[name]
    return GaugeMetricFamily(name, about, labels=labels)


def _buckets(bounds: tuple[float, ...], counts: list[int]) -> list[tuple[str, float]]:
    """Return (upper bound, how many up to it), the last one without a bound."""
    found, so_far = [], 0
    for bound, count in zip((*map(str, bounds), "+Inf"), counts, strict=True):
        so_far += count
        found.append((bound, float(so_far)))
    return found


def registry_of(service: Service) -> CollectorRegistry:
    """Return the registry of a service; made when it is first asked for."""

    def make(service: Service) -> CollectorRegistry:
        registry = CollectorRegistry()
        registry.register(Collected(service))
        return registry

    found: CollectorRegistry = service.part("metrics", make)
    return found


@get("/metrics", sync_to_thread=True)
def metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Return every figure as Prometheus reads it."""
    encode, kind = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(registry_of(request.state.service)), headers={"content-type": kind})


def routes(service: Service) -> list[Any]:
    """Return the handlers, and begin to push where the configuration says so."""
    pushing.begin(service, registry_of(service))
    return [metrics]
