# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The child of :mod:`tunesmith._plugins.examine`: one plugin, loaded as every process loads it, and watched.

It writes a line of JSON as each step is done, so that the parent knows which step a crash or a time limit cut off.
"""

from __future__ import annotations

import faulthandler
import importlib
import importlib.metadata
import json
import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from functools import reduce
from typing import Any

from tunesmith._plugins.collect import Refused, ask, enroll, failure
from tunesmith._plugins.discover import BUILTIN, Candidate, scan
from tunesmith._plugins.host import Host, get_host
from tunesmith._plugins.kinds import KINDS
from tunesmith._plugins.target_sorts import wrong_sort
from tunesmith.plugin import Spec

__all__ = ["HEAVY", "main", "plain_spec"]

_SLOW = """cv2 datasets jax llama_cpp matplotlib numba numpy onnx onnxruntime openpyxl pandas peft PIL polars pyarrow
scipy sklearn spacy tensorflow tokenizers torch torchvision transformers vllm"""
HEAVY = frozenset(_SLOW.split())
"""Modules that take long to import, and that nobody needs to say what a plugin provides."""

Snapshot = dict[str, list[dict[str, Any]]]


def main(report: str, name: str, steps: str, limit: str, start: str) -> None:
    """Examine a plugin and leave the process.

    Args:
        report: file to which the lines are appended.
        name: of the plugin; empty to look at all.
        steps: ``look``: load all plugins, and watch none of them; ``load``: import one and ask it; ``all``: ask it
            again and import its targets too; ``targets``: as ``all``, without asking again.
        limit: seconds after which the process writes where it is and ends itself. Whoever started it may be gone
            by then, and a plugin that loops must not keep a processor busy for ever.
        start: the first target to import.
    """
    faulthandler.dump_traceback_later(float(limit), exit=True, file=os.dup(2))
    logging.getLogger("tunesmith").addHandler(logging.NullHandler())  # our own warnings are not the plugin's noise

    def tell(step: str, facts: Mapping[str, Any]) -> None:
        with open(report, "a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **facts}) + "\n")

    host = None
    if steps == "look":
        _load_all(tell)
    else:
        host = _load(name, tell)
    if host is not None and steps != "load":
        if steps == "all":
            tell("again", {"unstable": _asked_again(name, host)})
        provided = [one for kind in KINDS for one in host.specs(kind) if one.plugin == name]
        for one in provided[int(start) :]:
            tell("target", _import(one.spec.kind, one.spec.target))
    tell("end", {})
    _written()
    # Not sys.exit(): threads a plugin has left running, and what it does at exit, could keep the process for ever.
    os._exit(0)


def _load_all(tell: Callable[[str, Mapping[str, Any]], None]) -> None:
    host = get_host()
    provided = [one for kind in KINDS for one in host.specs(kind)]
    for record in host.records:
        specs = [plain_spec(one.spec) for one in provided if record.status == "ok" and one.plugin == record.name]
        tell("load", {"record": asdict(record), "specs": specs, "noise": (0, 0), "heavy": (), "threads": ()})


def _load(name: str, tell: Callable[[str, Mapping[str, Any]], None]) -> Host | None:
    """Load it as every process does; None where it cannot be used."""
    before, begin = set(sys.modules), _written()
    host: Host | None = None
    specs: list[Spec] = []
    try:
        # TUNESMITH_PLUGINS names this plugin only, so this is the real host with no other plugin in it.
        host = get_host()
        record = next(one for one in host.records if one.name == name)
        specs = [one.spec for kind in KINDS for one in host.specs(kind) if one.plugin == name]
    except BaseException as error:
        # The host lets pass what is not for it to stop (KeyboardInterrupt): there it would end the whole program.
        reason = f"importing or asking it ended the program: {failure(error)}"
        record = _candidate(name).record("broken", reason, traceback.format_exc())
    heavy = HEAVY.intersection(module.partition(".")[0] for module in set(sys.modules) - before)
    threads = [each.name for each in threading.enumerate() if each is not threading.main_thread() and not each.daemon]
    facts = {
        "record": asdict(record),
        "specs": [plain_spec(spec) for spec in specs],
        "noise": (begin, _written()),
        "heavy": sorted(heavy),
        "threads": threads,
    }
    tell("load", facts)
    return host if record.status == "ok" else None


def _candidate(name: str) -> Candidate:
    return next(one for one in scan(importlib.metadata.distributions()) if one.name == name)


def _asked_again(name: str, host: Host) -> str:
    """How a plugin's answers differ when it is asked again; empty when they do not."""
    if name == BUILTIN:
        return ""
    first = [one.spec for kind in KINDS for one in host.specs(kind) if one.plugin == name]
    before = _snapshot(first)
    try:
        second = ask(enroll(_candidate(name)))
    except Refused as refused:
        return f"asked a second time, {refused.reason}"
    if _snapshot(first) != before:
        return f"a spec was changed after it was handed over: {_difference(before, _snapshot(first))}"
    return _difference(before, _snapshot(second))


def _snapshot(specs: list[Spec]) -> Snapshot:
    return {kind: [plain_spec(spec) for spec in specs if spec.kind == kind] for kind in KINDS}


def _difference(before: Snapshot, after: Snapshot) -> str:
    for kind in KINDS:
        if before[kind] != after[kind]:
            names = [[spec["name"] for spec in answers[kind]] for answers in (before, after)]
            if names[0] != names[1]:
                old, new = (", ".join(each) or "none" for each in names)
                return f"the {kind} specs were {old} at first, and {new} when it was asked again"
            was, now = next(pair for pair in zip(before[kind], after[kind], strict=True) if pair[0] != pair[1])
            key = next(key for key in was if was[key] != now.get(key))
            return f"{key} of the {kind} {was['name']} was {was[key]!r} at first, and then {now.get(key)!r}"
    return ""


def plain_spec(spec: Spec) -> dict[str, Any]:
    """The fields of a spec, with what JSON has no form for as text."""
    values = {field.name: getattr(spec, field.name) for field in fields(spec)}
    plain = {
        key: value if value is None or isinstance(value, (str, bool, int, float)) else _listed(value)
        for key, value in values.items()
    }
    return {"kind": spec.kind, **plain}


def _listed(value: object) -> object:
    return [str(item) for item in value] if isinstance(value, (tuple, list)) else repr(value)


def _import(kind: str, target: str) -> dict[str, Any]:
    module, _, path = target.partition(":")
    started = time.perf_counter()
    reason = trace = wrong = ""
    found: object = None
    try:
        found = reduce(getattr, path.split("."), importlib.import_module(module))
    except BaseException as error:
        reason, trace = failure(error), traceback.format_exc()
    seconds = time.perf_counter() - started
    if not reason:
        try:
            wrong = wrong_sort(kind, found)
        except Exception as error:
            wrong = f"it cannot be told what it is: {failure(error)}"
    return {"ok": not (reason or wrong), "seconds": seconds, "reason": reason or wrong, "traceback": trace}


def _written() -> int:
    """How much this process has written to its output so far, in bytes."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            continue  # the plugin closed or replaced it
    try:
        return os.fstat(2).st_size
    except OSError:
        return 0
