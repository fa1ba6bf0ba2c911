# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What one class of requests feels of others: the core's order beside the one of the enterprise package.

    python benchmarks/serve_priority.py [--shape llama-16m] [--requests 60] [--seconds 20] [--slots 8]

One engine, asked from Python. ``first`` is a class that asks now and then: requests of a prompt of 64 tokens and an
answer of 32, which arrive by chance (exponential pauses, the same in every column), at a quarter of the rate at which
the engine answers them one by one. ``rest`` are two tenants that always have four times as many requests under way or
waiting as there are places, with prompts of 64 tokens and answers of 32 and 96.

- ``alone``: the class alone. ``overload``: with the rest. Whole answers, in milliseconds.
- ``core``: without a scheduler; each asker is a caller of its own, and callers take turns.
- ``shares``: the first class takes places from the rest. ``pause``: the rest also pauses while it is under way.
- ``fair``: Jain's index of the tokens of four tenants of equal weight that ask for much and for little (1: all equal).
- ``weights``: tokens of a tenant of weight 3 over those of one of weight 1.
- ``tokens/s``: of the rest alone, turn about with the core; their ratio is what the scheduler costs.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from report import machine, save, table
from serve_decode import SHAPES, make_model

from tunesmith.engine import Engine, GenerateRequest, Origin, Sampling, Scheduler, Stream, open_engine
from tunesmith.errors import CancelledError
from tunesmith_enterprise.priority.plan import read_plan
from tunesmith_enterprise.priority.scheduler import Ordering

PROMPT, ANSWER = 64, 32


def plan(**first: Any) -> dict[str, Any]:
    return {"classes": {"first": {"rank": 0, **first}, "rest": {"rank": 1}}, "tenants": {"one": {}, "two": {}}}


ORDERS: dict[str, dict[str, Any] | None] = {
    "core": None,
    "shares": plan(may_preempt=True),
    "pause": plan(may_preempt=True, behind_share=0.0),
}


def scheduler(order: dict[str, Any] | None) -> Scheduler | None:
    return None if order is None else Ordering(read_plan(order))


@contextmanager
def opened(model: Path, order: dict[str, Any] | None, slots: int) -> Iterator[Engine]:
    engine = open_engine(model, slots=slots, context=256, waiting=100_000, scheduler=scheduler(order))
    try:
        yield engine
    finally:
        engine.close()


def request(chance: random.Random, origin: Origin, answer: int, caller: str) -> GenerateRequest:
    """A prompt that shares nothing with another."""
    return GenerateRequest(
        prompt=tuple(chance.randrange(200) for _ in range(PROMPT)),
        max_new_tokens=answer,
        sampling=Sampling(temperature=0),
        stop_tokens=frozenset(),
        origin=origin,
        cache_salt=caller,
    )


class Rest:
    """Tenants that always have so many requests under way or waiting.

    Args:
        flows: tenant, class, length of answers, and how many.
    """

    def __init__(self, engine: Engine, flows: Sequence[tuple[str, str, int, int]]) -> None:
        self._engine, self._flows = engine, flows
        self._end = threading.Event()
        self._threads: list[threading.Thread] = []
        self._streams: dict[threading.Thread, Stream] = {}
        self.tokens: Counter[str] = Counter()

    def __enter__(self) -> Rest:
        for tenant, name, answer, count in self._flows:
            for number in range(count):
                thread = threading.Thread(target=self._ask, args=(tenant, name, answer, number))
                self._threads.append(thread)
                thread.start()
        return self

    def _ask(self, tenant: str, name: str, answer: int, number: int) -> None:
        chance = random.Random(f"{tenant} {number}")
        while not self._end.is_set():
            stream = self._engine.submit(request(chance, Origin(tenant, name), answer, tenant))
            self._streams[threading.current_thread()] = stream
            with suppress(CancelledError):
                stream.result()
                self.tokens[tenant] += PROMPT + answer

    def __exit__(self, *failure: object) -> None:
        self._end.set()
        while any(thread.is_alive() for thread in self._threads):
            for stream in list(self._streams.values()):
                stream.cancel()
            time.sleep(0.01)


def rest_of(engine: Engine, slots: int) -> Rest:
    return Rest(engine, [("one", "rest", 32, 2 * slots), ("two", "rest", 96, 2 * slots)])


def first(engine: Engine, count: int, pause: float) -> list[float]:
    """Seconds of whole answers to requests that arrive by chance."""
    chance, seconds = random.Random(1), [0.0] * count
    threads = []
    for number in range(count):
        time.sleep(chance.expovariate(1 / pause))
        asked = time.perf_counter()
        stream = engine.submit(request(chance, Origin("one", "first"), ANSWER, "first"))

        def wait(number: int = number, asked: float = asked, stream: Any = stream) -> None:
            stream.result()
            seconds[number] = time.perf_counter() - asked

        threads.append(threading.Thread(target=wait))
        threads[-1].start()
    for thread in threads:
        thread.join()
    return seconds


def p95(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=20, method="inclusive")[-1]


def latency(model: Path, order: dict[str, Any] | None, options: argparse.Namespace) -> dict[str, float]:
    with opened(model, order, options.slots) as engine:
        first(engine, 3, 0.001)
        service = statistics.median(first(engine, 1, 0.001)[0] for _ in range(5))
        alone = first(engine, options.requests, 4 * service)
        with rest_of(engine, options.slots):
            time.sleep(min(2.0, options.seconds))
            loaded = first(engine, options.requests, 4 * service)
    return {
        "alone_p50_ms": statistics.median(alone) * 1e3,
        "alone_p95_ms": p95(alone) * 1e3,
        "overload_p50_ms": statistics.median(loaded) * 1e3,
        "overload_p95_ms": p95(loaded) * 1e3,
        "ratio_p95": p95(loaded) / p95(alone),
    }


def fairness(model: Path, options: argparse.Namespace) -> dict[str, float]:
    """Tokens read and made, of tenants that ask for much and for little, over a while."""
    many = ["a", "b", "c", "d"]
    equal = {"classes": {"all": {}}, "tenants": {name: {} for name in many}}
    figures = {}
    for key, order in (("fair_core", None), ("fair", equal)):
        with opened(model, order, options.slots) as engine:
            flows = [(name, "all", 8 * 2**place, options.slots * (4 - place)) for place, name in enumerate(many)]
            if order is None:
                flows = [(name, "", answer, count) for name, _, answer, count in flows]
            with Rest(engine, flows) as rest:
                time.sleep(options.seconds)
                used = [float(rest.tokens[name]) for name in many]
        figures[key] = sum(used) ** 2 / (len(used) * sum(value**2 for value in used)) if any(used) else 0.0
    weighted = {"classes": {"all": {}}, "tenants": {"a": {"weight": 3}, "b": {}}}
    both = [(name, "all", 32, 2 * options.slots) for name in "ab"]
    with opened(model, weighted, options.slots) as engine, Rest(engine, both) as rest:
        time.sleep(options.seconds)
        figures["weights"] = rest.tokens["a"] / max(1, rest.tokens["b"])
    return figures


def throughput(model: Path, options: argparse.Namespace) -> dict[str, float]:
    """Tokens made a second, the core and the scheduler turn about."""
    rates: dict[str, list[float]] = {"core": [], "shares": []}
    engines: dict[str, Engine] = {}
    with opened(model, None, options.slots) as core, opened(model, ORDERS["shares"], options.slots) as ours:
        engines = {"core": core, "shares": ours}
        for turn in range(options.turns + 1):
            for name, engine in engines.items():
                with rest_of(engine, options.slots):
                    time.sleep(min(0.5, options.seconds))
                    made, begun = engine.stats().completion_tokens, time.perf_counter()
                    time.sleep(options.seconds / 4)
                    rate = (engine.stats().completion_tokens - made) / (time.perf_counter() - begun)
                if turn:  # the first warms up
                    rates[name].append(rate)
    core_rate, our_rate = (statistics.median(rates[name]) for name in ("core", "shares"))
    ratios = [b / a for a, b in zip(rates["core"], rates["shares"], strict=True)]
    return {"core_tokens_s": core_rate, "shares_tokens_s": our_rate, "throughput_ratio": statistics.median(ratios)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="llama-16m")
    parser.add_argument("--requests", type=int, default=60, help="of the first class, in each column")
    parser.add_argument("--seconds", type=float, default=20, help="of each look at shares")
    parser.add_argument("--turns", type=int, default=5, help="of the look at tokens a second")
    parser.add_argument("--slots", type=int, default=8)
    parser.add_argument("--parts", nargs="+", choices=["latency", "fairness", "throughput"], help="only these")
    parser.add_argument("--orders", nargs="+", choices=ORDERS, default=list(ORDERS), help="only these, of latency")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    parts = options.parts or ["latency", "fairness", "throughput"]
    result: dict[str, Any] = {"machine": machine(), "shape": options.shape, "slots": options.slots}
    with tempfile.TemporaryDirectory() as folder:
        model = make_model(options.shape, Path(folder))
        if "latency" in parts:
            result["latency"] = {name: latency(model, ORDERS[name], options) for name in options.orders}
            rows = [
                [name, *(f"{found[key]:,.0f}" for key in list(found)[:-1]), f"{found['ratio_p95']:.2f}"]
                for name, found in result["latency"].items()
            ]
            head = ["", "alone p50, ms", "alone p95", "overload p50", "overload p95", "p95, overload : alone"]
            print(table(head, rows))
        if "fairness" in parts:
            result["fairness"] = fairness(model, options)
            print(table(list(result["fairness"]), [[f"{value:.3f}" for value in result["fairness"].values()]]))
        if "throughput" in parts:
            result["throughput"] = throughput(model, options)
            print(table(list(result["throughput"]), [[f"{value:,.3f}" for value in result["throughput"].values()]]))
    if options.out:
        save(options.out, result)


if __name__ == "__main__":
    main()
