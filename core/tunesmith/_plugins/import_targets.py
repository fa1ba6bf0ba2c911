# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The child of :mod:`tunesmith._plugins.doctor`: ``python -m … REPORT TARGET…``, one JSON line a target."""

from __future__ import annotations

import importlib
import json
import sys
import time
import traceback
from functools import reduce


def check(target: str) -> dict[str, object]:
    """Import ``module:attribute`` and say how it went."""
    module, _, path = target.partition(":")
    start = time.perf_counter()
    reason = trace = ""
    try:
        reduce(getattr, path.split("."), importlib.import_module(module))
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {error}"
        trace = traceback.format_exc()
    return {"ok": not reason, "seconds": time.perf_counter() - start, "reason": reason, "traceback": trace}


def main(report: str, targets: list[str]) -> None:
    """Check the targets in order; each line is on disk before the next target gets its chance to crash."""
    for target in targets:
        line = json.dumps(check(target))
        with open(report, "a", encoding="utf-8") as file:
            file.write(line + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
