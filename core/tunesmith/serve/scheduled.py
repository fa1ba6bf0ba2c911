# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What a scheduler has to do with the server: the class that a request names, and the figures of ``/metrics``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from tunesmith.engine.requests import OWN, Origin
from tunesmith.engine.scheduling import Measure, Scheduler, Times
from tunesmith.serve.keys import Caller
from tunesmith.serve.logs import LOGGER
from tunesmith.serve.problems import HttpError, invalid

__all__ = ["TIERS", "Figures", "close", "origin_of"]

TIERS = ("auto", "default")
"""What OpenAI's clients send as ``service_tier`` where they want no other treatment than usual."""


def origin_of(caller: Caller | None, wanted: str | None, classes: Sequence[str]) -> Origin:
    """The tenant and the class of a request.

    Args:
        wanted: its ``service_tier``. Where it says nothing, a caller who may use only some classes gets the first of
            them, and every other the usual one of the tenant.
        classes: of the server's scheduler; none: there is no scheduler, or it has no classes.

    Raises:
        HttpError: 400, no such class; 403, the caller may not use it, or says that it is the server itself.
    """
    tenant = caller.tenant if caller else ""
    if tenant == OWN.tenant:  # an access may take a tenant's name from whoever asks
        raise HttpError(
            403,
            f"no caller belongs to this tenant; given: {tenant}; expected: another name, or none",
            kind="permission_error",
            code="tenant_not_allowed",
        )
    if not classes:
        if wanted not in (None, *TIERS):
            raise invalid(
                "service_tier is not supported here: there is one service", "service_tier", "unsupported_parameter"
            )
        return Origin(tenant)
    named = wanted if wanted in classes else None
    if named is None and wanted not in (None, *TIERS):
        raise invalid(
            f"no such class of requests; given: {wanted}; expected: {_list([*classes, *TIERS])}",
            "service_tier",
            "invalid_value",
        )
    if caller is None or not caller.classes:
        return Origin(tenant, named or "")
    own = [each for each in caller.classes if each in classes]
    if not own or (named is not None and named not in own):
        raise HttpError(
            403,
            f"you may not use this class of requests; given: {named or 'none'}; you may use: {_list(own) or 'none'}",
            kind="permission_error",
            param="service_tier",
            code="class_not_allowed",
        )
    return Origin(tenant, named or own[0])


def _list(names: Sequence[str]) -> str:
    return ", ".join(names)


class Figures(Collector):
    """A scheduler's figures, asked anew at every look. One that fails is left out, and logged once."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._failed = False

    def collect(self) -> Iterable[Metric]:
        try:
            return [_KINDS[measure.kind](measure) for measure in self._scheduler.measures()]
        except Exception:
            if not self._failed:
                self._failed = True
                LOGGER.exception("the scheduler has no figures, and this is not told again")
            return []


def close(scheduler: Scheduler) -> None:
    """Tell a scheduler that the server has ended. One that fails is logged: the server has ended all the same."""
    try:
        scheduler.close()
    except Exception:
        LOGGER.exception("the scheduler could not be closed")


def _gauge(measure: Measure) -> Metric:
    family = GaugeMetricFamily(_name(measure), measure.text, labels=measure.labels)
    for labels, value in measure.values.items():
        family.add_metric(labels, _number(value))
    return family


def _counter(measure: Measure) -> Metric:
    family = CounterMetricFamily(_name(measure), measure.text, labels=measure.labels)
    for labels, value in measure.values.items():
        family.add_metric(labels, _number(value))
    return family


def _histogram(measure: Measure) -> Metric:
    family = HistogramMetricFamily(_name(measure), measure.text, labels=measure.labels)
    for labels, times in measure.values.items():
        if not isinstance(times, Times):
            raise TypeError(f"{measure.name} is a histogram: its values must be Times, given {times!r}")
        bounds = [*map(str, times.bounds), "+Inf"]
        family.add_metric(labels, list(zip(bounds, accumulate(times.counts), strict=True)), times.sum)
    return family


def _name(measure: Measure) -> str:
    return f"tunesmith_scheduler_{measure.name}"


def _number(value: float | Times) -> float:
    if isinstance(value, Times):
        raise TypeError("only histograms have Times")
    return value


_KINDS: dict[str, Callable[[Measure], Metric]] = {"gauge": _gauge, "counter": _counter, "histogram": _histogram}
