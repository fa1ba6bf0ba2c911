# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Coverage-guided fuzzing of one harness: ``python tests/fuzz/run_atheris.py parse-license CORPUS [OPTION …]``.

Needs ``atheris`` (the extra ``fuzz``); the options are those of libFuzzer. ``CORPUS`` is a folder that is made and
filled with the vectors; what reaches new code is kept there. A finding ends the run with a traceback and a file
``crash-…``. scripts/fuzz runs all harnesses.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "core"))

with atheris.instrument_imports(include=["tunesmith.licensing", "json"]):
    from fuzz_harnesses import HARNESSES
from fuzz_seeds import TOKENS, seeds


def main() -> None:
    name, corpus, *options = sys.argv[1:]
    if name not in HARNESSES:
        raise SystemExit(f"no harness {name}; there are {', '.join(HARNESSES)}")
    folder = Path(corpus)
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds(name):
        (folder / hashlib.sha256(seed).hexdigest()[:32]).write_bytes(seed)
    atheris.Setup([sys.argv[0], str(folder), f"-dict={TOKENS}", "-max_len=20000", *options], HARNESSES[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
