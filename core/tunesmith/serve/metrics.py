# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Figures for Prometheus: of the server, and of every engine behind it at the moment of asking."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from tunesmith.engine.answers import Token
from tunesmith.engine.protocol import Engine, EngineStats
from tunesmith.engine.scheduling import Scheduler
from tunesmith.plugin import RequestServed
from tunesmith.serve.scheduled import Figures

__all__ = ["Clock", "Metrics"]

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
_GAUGES: dict[str, tuple[str, Callable[[EngineStats], float]]] = {
    "running": ("Requests under way", lambda stats: stats.running),
    "waiting": ("Requests in the queue", lambda stats: stats.waiting),
    "slots": ("Answers that can be under way at once", lambda stats: stats.slots),
    "slots_used": ("Slots in use", lambda stats: stats.slots_used),
    "cache_tokens": ("Tokens the key-value cache has room for", lambda stats: stats.cache_tokens),
    "cache_tokens_used": ("Of these, in use by requests under way", lambda stats: stats.cache_tokens_used),
    "prefix_tokens": ("Tokens kept for later requests", lambda stats: stats.prefix_tokens),
    "adapters": ("Adapters loaded", lambda stats: len(stats.adapters)),
}
_COUNTERS: dict[str, tuple[str, Callable[[EngineStats], float]]] = {
    "prompt_tokens": ("Tokens read", lambda stats: stats.prompt_tokens),
    "cached_tokens": ("Of these, found in the prefix cache", lambda stats: stats.cached_tokens),
    "completion_tokens": ("Tokens made", lambda stats: stats.completion_tokens),
    "guessed_tokens": ("Tokens that an acceleration guessed", lambda stats: stats.guessed_tokens),
    "right_tokens": ("Of these, chosen", lambda stats: stats.right_tokens),
}


_CALLERS = 1000
"""How many callers have figures of their own; those who come later share one row."""


def _by_caller(registry: CollectorRegistry) -> tuple[Counter, Counter]:
    """Requests and tokens of each caller."""
    names = ("tenant", "caller")
    return (
        Counter("tunesmith_caller_requests", "Requests answered, by who asked", (*names, "status"), registry=registry),
        Counter("tunesmith_caller_tokens", "Tokens read and made, by who asked", names, registry=registry),
    )


class Metrics:
    """What ``/metrics`` shows.

    Args:
        engines: by the name they are served under.
        in_flight: requests under way in the server.
        callers: count also who asks, by tenant and name.
        scheduler: of the engines, with figures of its own.
    """

    def __init__(
        self,
        engines: Mapping[str, Engine],
        in_flight: Callable[[], int],
        *,
        callers: bool = False,
        scheduler: Scheduler | None = None,
    ) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "tunesmith_http_requests", "Requests answered", ("route", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "tunesmith_http_request_seconds",
            "From the first byte of a request to the last of its answer",
            ("route",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._first = Histogram(
            "tunesmith_time_to_first_token_seconds",
            "From a request's first byte to the first token of its answer; streamed answers only",
            ("model",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._between: defaultdict[str, _Times] = defaultdict(_Times)
        self._registry.register(_Between(self._between))
        Gauge("tunesmith_http_requests_in_flight", "Requests under way", registry=self._registry).set_function(
            in_flight
        )
        self._registry.register(_Engines(engines))
        if scheduler is not None:
            self._registry.register(Figures(scheduler))
        self._by_caller = _by_caller(self._registry) if callers else None
        self._callers: set[tuple[str, str]] = set()

    def served(self, fact: RequestServed) -> None:
        """A request has ended."""
        route = fact.route or "(none)"
        self._requests.labels(route, str(fact.status)).inc()
        self._seconds.labels(route).observe(fact.seconds)
        if self._by_caller is not None and fact.caller:
            who = (fact.tenant, fact.caller)
            # A series for each is kept for ever: names that come from elsewhere must not fill the memory.
            known = who in self._callers or len(self._callers) < _CALLERS
            tenant, caller = who if known else ("(others)", "(others)")
            if known:
                self._callers.add(who)
            requests, tokens = self._by_caller
            requests.labels(tenant, caller, str(fact.status)).inc()
            tokens.labels(tenant, caller).inc(fact.prompt_tokens + fact.completion_tokens)

    def clock(self, model: str, started: float) -> Clock:
        """For one streamed answer."""
        return Clock(self._first.labels(model), self._between[model], started)

    def text(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self._registry)


class Clock:
    """When the tokens of one answer came."""

    def __init__(self, first: Histogram, between: _Times, started: float) -> None:
        self._first = first
        self._between = between
        self._last: dict[tuple[int, int], float] = {}
        self._started = started

    def tick(self, prompt: int, tokens: Sequence[Token]) -> None:
        """Tokens that go out together: of one answer, they share the time since the one before them."""
        now = time.monotonic()
        if not self._last:
            self._first.observe(now - self._started)
        counts: dict[int, int] = {}
        for token in tokens:
            counts[token.choice] = counts.get(token.choice, 0) + 1
        for choice, count in counts.items():
            before = self._last.get((prompt, choice))
            self._last[prompt, choice] = now
            if before is not None:
                self._between.add(now - before, count)
            elif count > 1:
                self._between.add(0.0, count - 1)


class _Times:
    """A histogram that is filled once for every token, in the server's thread: adding to it costs a tenth of what
    adding to Prometheus' own does."""

    def __init__(self) -> None:
        self.counts = [0] * (len(_SECONDS) + 1)
        self.sum = 0.0

    def add(self, seconds: float, count: int) -> None:
        """So many times, which together took so long."""
        self.counts[bisect_left(_SECONDS, seconds / count)] += count
        self.sum += seconds


class _Between(Collector):
    """The time between tokens."""

    def __init__(self, times: Mapping[str, _Times]) -> None:
        self._times = times

    def collect(self) -> Iterable[Metric]:
        family = HistogramMetricFamily(
            "tunesmith_time_between_tokens_seconds",
            "Between two tokens of one answer; streamed answers only",
            labels=("model",),
        )
        bounds = [*map(str, _SECONDS), "+Inf"]
        for model, times in self._times.items():
            family.add_metric((model,), list(zip(bounds, accumulate(times.counts), strict=True)), times.sum)
        yield family


class _Engines(Collector):
    """Asked anew at every look."""

    def __init__(self, engines: Mapping[str, Engine]) -> None:
        self._engines = engines

    def collect(self) -> Iterable[Metric]:
        stats = {name: engine.stats() for name, engine in self._engines.items()}
        for name, (text, of) in _GAUGES.items():
            gauge = GaugeMetricFamily(f"tunesmith_engine_{name}", text, labels=("model",))
            for model, each in stats.items():
                gauge.add_metric((model,), of(each))
            yield gauge
        for name, (text, of) in _COUNTERS.items():
            counter = CounterMetricFamily(f"tunesmith_engine_{name}", text, labels=("model",))
            for model, each in stats.items():
                counter.add_metric((model,), of(each))
            yield counter
        ended = CounterMetricFamily("tunesmith_engine_requests", "Requests ended", labels=("model", "outcome"))
        for model, each in stats.items():
            for outcome in ("done", "cancelled", "failed"):
                ended.add_metric((model, outcome), getattr(each, outcome))
        yield ended
