# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""How long the decision about a licensed feature takes: in a new process, and in one that has decided before.

    python benchmarks/license_decision.py [--turns 31] [--rotations 20]

A vendor is made for the occasion: a root that two of three keys sign, a license, and a build with that root, which is a
copy of the installed package. ``cold`` is the first call of a new process, with importing the package and what it
needs, without starting Python; ``warm`` is each further call: it looks everywhere, reads the files again, and writes
into the journal. ``roots`` is how long it takes to verify a chain of so many rotations, each of which replaces a key.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from report import machine, save, table

from tunesmith.licensing import PublicKey, Trust, armor, format_timestamp, sign
from tunesmith.licensing.contents import License, Licensee

NOW = datetime.now(timezone.utc).replace(microsecond=0)
DAY = timedelta(days=1)

CHILD = """\
import sys, time
begin = time.perf_counter()
import tunesmith_enterprise
tunesmith_enterprise.require("distributed", processes=2)
cold = time.perf_counter() - begin
warm = []
for _ in range(int(sys.argv[1])):
    begin = time.perf_counter()
    tunesmith_enterprise.require("distributed", processes=2)
    warm.append(time.perf_counter() - begin)
import json
print(json.dumps({"cold": cold, "warm": warm, "package": tunesmith_enterprise.__file__}))
"""


def root(version: int, keys: Sequence[Ed25519PrivateKey], issuer: Ed25519PrivateKey, signers: Any) -> bytes:
    """The envelope of a root; revocations are signed by a key of no further use."""
    public = [PublicKey.of(key).text for key in keys]
    payload = {
        "schema": 1,
        "version": version,
        "expires": format_timestamp(NOW + 3650 * DAY),
        "roles": {
            "root": {"threshold": 2, "keys": public},
            "issuer": {"threshold": 1, "keys": [PublicKey.of(issuer).text]},
            "revocation": {"threshold": 1, "keys": [PublicKey.of(Ed25519PrivateKey.generate()).text]},
        },
    }
    return sign(json.dumps(payload).encode(), "root", signers)


def chain(rotations: int, issuer: Ed25519PrivateKey) -> list[bytes]:
    """Roots of which each replaces one of the three keys of the one before."""
    keys = [Ed25519PrivateKey.generate() for _ in range(3)]
    roots = [root(1, keys, issuer, keys[:2])]
    for version in range(2, rotations + 2):
        before, keys = keys, [*keys[1:], Ed25519PrivateKey.generate()]
        roots.append(root(version, keys, issuer, {*before[1:], *keys[1:]}))
    return roots


def place(folder: Path, first: bytes) -> None:
    """A copy of the installed package, with what the vendor's desk places into a build."""
    found = find_spec("tunesmith_enterprise")
    if found is None or found.origin is None:
        sys.exit("tunesmith-enterprise is not installed: pip install . ./enterprise")
    package = folder / "tunesmith_enterprise"
    shutil.copytree(Path(found.origin).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "placed" / "root.txt").write_text(armor(first))
    stamp = {"schema": 1, "built_at": format_timestamp(NOW - DAY), "version": "0.1.0"}
    (package / "placed" / "build.json").write_text(json.dumps(stamp))


def a_license() -> License:
    """A license of everything for a year."""
    return License(
        product="tunesmith-enterprise",
        license_id="measured",
        serial=1,
        licensee=Licensee("Example Ltd", "example"),
        edition="Enterprise",
        environment="production",
        features={"distributed": {"processes": 8}, "governance": {}},
        issued_at=NOW - DAY,
        starts_at=NOW - DAY,
        expires_at=NOW + 365 * DAY,
    )


def decisions(folder: Path, turns: int) -> dict[str, list[float]]:
    """Seconds of first and of further calls, each process with a home of its own."""
    issuer = Ed25519PrivateKey.generate()
    keys = [Ed25519PrivateKey.generate() for _ in range(3)]
    place(folder / "site", root(1, keys, issuer, keys[:2]))
    licenses = folder / "config" / "tunesmith" / "licenses.d"
    licenses.mkdir(parents=True)
    (licenses / "measured.lic").write_text(armor(sign(a_license().payload(), "license", [issuer])))
    environment = os.environ | {
        "PYTHONPATH": str(folder / "site"),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_STATE_HOME": str(folder / "state"),
    }
    seconds: dict[str, list[float]] = {"cold": [], "warm": []}
    for turn in range(turns + 1):
        done = subprocess.run(
            [sys.executable, "-c", CHILD, "50"], env=environment, cwd=folder, capture_output=True, text=True
        )
        if done.returncode:
            sys.exit(done.stderr)
        found = json.loads(done.stdout)
        if not Path(found["package"]).is_relative_to(folder):
            sys.exit(f"another package than the one that was made was measured: {found['package']}")
        if turn:  # the first compiles the modules
            seconds["cold"].append(found["cold"])
            seconds["warm"] += found["warm"]
    return seconds


def rotations(count: int, turns: int) -> list[float]:
    """Seconds to start from the first root and follow the chain."""
    roots = chain(count, Ed25519PrivateKey.generate())
    seconds = []
    for _ in range(turns):
        begin = time.perf_counter()
        trust = Trust.start(roots[0]).follow(roots, now=NOW)
        seconds.append(time.perf_counter() - begin)
        assert trust.root.version == count + 1
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=31)
    parser.add_argument("--rotations", type=int, default=20)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        seconds = decisions(Path(folder), arguments.turns)
    seconds["roots"] = rotations(arguments.rotations, arguments.turns)
    words = {
        "cold": "first call of a process, with imports",
        "warm": "each further call",
        "roots": f"a 2-of-3 root with {arguments.rotations} rotations",
    }
    rows = [
        [words[name], f"{statistics.median(found) * 1e3:.2f}", f"{sorted(found)[int(len(found) * 0.99)] * 1e3:.2f}"]
        for name, found in seconds.items()
    ]
    print(table(["", "median, ms", "p99, ms"], rows))
    if arguments.out:
        medians = {name: statistics.median(found) * 1e3 for name, found in seconds.items()}
        save(arguments.out, {"machine": machine(), "rotations": arguments.rotations, "milliseconds": medians})


if __name__ == "__main__":
    main()
