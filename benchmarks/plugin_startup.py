# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""How long ``--help`` takes with plugins installed: none, ten, fifty; one broken, one incompatible, one slow to import.

    python benchmarks/plugin_startup.py [--peer-python VENV/bin/python] [--turns 15]

A plugin is what an installer leaves: a module and a ``dist-info`` folder, here in a folder of its own on
``PYTHONPATH``. ``--peer-python`` is an interpreter with llm, datasette and pytest, or some of them; they get the same
cases, with a plugin of their own kind that does as little. The cases take turns, each run is a process of its own, and
what counts is the minimum: of the wall clock, and of the processor's time (user and system), which other programs on
the machine disturb less. What a case adds is its minimum less that of no plugins.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from report import machine, save, table

NONE = "no plugins"
OURS = """\
from tunesmith.plugin import TaskSpec, hookimpl


@hookimpl
def tunesmith_tasks():
    return [TaskSpec(name="stance", summary="Agree or not", target="a_module_that_nobody_imports:Stance")]
"""


@dataclass(frozen=True)
class Program:
    """What is started, and what a plugin of it looks like.

    Attributes:
        group: of the entry points.
        plugin: the module of a plugin that does next to nothing.
        named: environment variable that limits which plugins are loaded, so that what else is installed here counts
            for nothing; empty: there is none.
    """

    python: str
    module: str
    group: str
    plugin: str
    distribution: str
    named: str = ""


PEERS = {
    "pytest": ("pytest11", "def pytest_configure(config):\n    pass\n"),
    "llm": ("llm", "import llm\n\n\n@llm.hookimpl\ndef register_commands(cli):\n    pass\n"),
    "datasette": ("datasette", "from datasette import hookimpl\n\n\n@hookimpl\ndef startup(datasette):\n    pass\n"),
}


def install(site: Path, name: str, program: Program, source: str, requires: str = "") -> None:
    """Lay out a distribution of one module, as an installer does."""
    module = f"startup_{name}"
    info = site / f"{module}-1.0.dist-info"
    info.mkdir(parents=True)
    (site / f"{module}.py").write_text(source, "utf-8")
    lines = ["Metadata-Version: 2.1", f"Name: startup-{name}", "Version: 1.0"]
    lines += [f"Requires-Dist: {requires or f'{program.distribution}>=0.1,<99'}"]
    (info / "METADATA").write_text("\n".join(lines) + "\n\n" + "A line of a description.\n" * 40, "utf-8")
    (info / "entry_points.txt").write_text(f"[{program.group}]\n{name} = {module}\n", "utf-8")


def lay_out(folder: Path, program: Program, counts: Sequence[int], slow: float) -> dict[str, Path]:
    """A folder for each case."""
    sleep = f"import time\n\ntime.sleep({slow})\n"
    cases = {NONE: folder / "none"}
    cases[NONE].mkdir(parents=True)
    for count in counts:
        site = cases[f"{count} plugins"] = folder / str(count)
        for number in range(count):
            install(site, f"p{number}", program, program.plugin)
    site = cases["1 broken"] = folder / "broken"
    install(site, "broken", program, "import a_module_that_is_not_there\n")
    # It would sleep as well: that it costs nothing shows that it is never imported.
    site = cases["1 incompatible"] = folder / "incompatible"
    install(site, "incompatible", program, sleep + program.plugin, f"{program.distribution}>=900")
    site = cases[f"1 slow ({slow:g} s)"] = folder / "slow"
    install(site, "slow", program, sleep + program.plugin)
    return cases


def start(program: Program, site: Path) -> dict[str, Any]:
    """``--help`` once: seconds by the clock, seconds of the processor, exit code."""
    environ = {**os.environ, "PYTHONPATH": str(site), "LLM_USER_PATH": str(site)}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed is compiled once, not at every start
    if program.named:
        environ[program.named] = ",".join(sorted(path.stem.removeprefix("startup_") for path in site.glob("*.py")))
    began = time.perf_counter()
    process = subprocess.Popen(
        [program.python, "-m", program.module, "--help"],
        env=environ,
        cwd=site,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout as stream:
        printed = stream.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return {
        "wall": time.perf_counter() - began,
        "processor": used.ru_utime + used.ru_stime,
        "code": process.returncode,
        "helped": "--help" in printed,
    }


def measure(program: Program, cases: Mapping[str, Path], turns: int) -> dict[str, dict[str, Any]]:
    """Every case once a turn, after one turn that only compiles modules."""
    runs: dict[str, list[dict[str, Any]]] = {case: [] for case in cases}
    for turn in range(turns + 1):
        for case, site in cases.items():
            done = start(program, site)
            if turn:
                runs[case].append(done)
    figures = {case: _figures(done) for case, done in runs.items()}
    for case, one in figures.items():
        one["added_ms"] = _added(runs[case], runs[NONE], "wall")
        one["added_processor_ms"] = _added(runs[case], runs[NONE], "processor")
        one["ratio"] = round(one["wall_median"] / figures[NONE]["wall_median"], 3)
    return figures


def _added(runs: Sequence[Mapping[str, Any]], plain: Sequence[Mapping[str, Any]], key: str) -> float:
    """Milliseconds, the median of the turns: a machine whose pace changes slows both starts of a turn."""
    return round(1000 * statistics.median(one[key] - other[key] for one, other in zip(runs, plain, strict=True)), 1)


def _figures(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    wall = [run["wall"] for run in runs]
    processor = [run["processor"] for run in runs]
    return {
        "wall_min": round(min(wall), 4),
        "wall_median": round(statistics.median(wall), 4),
        "processor_min": round(min(processor), 4),
        "processor_median": round(statistics.median(processor), 4),
        "turns": len(runs),
        "code": max(run["code"] for run in runs),
        "helped": all(run["helped"] for run in runs),
    }


def peers(python: str) -> tuple[dict[str, Program], dict[str, str]]:
    """Those that this interpreter has, and their versions."""
    ask = (
        "import importlib.metadata as m, json, sys\n"
        "print(json.dumps({d: m.version(d) for d in sys.argv[1:] if any(m.distributions(name=d))}))"
    )
    told = subprocess.run([python, "-c", ask, *PEERS], stdout=subprocess.PIPE, text=True, check=True).stdout
    versions: dict[str, str] = json.loads(told)
    return {name: Program(python, name, *PEERS[name], name) for name in versions}, versions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer-python", help="an interpreter with llm, datasette or pytest")
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--counts", type=int, nargs="+", default=[10, 50])
    parser.add_argument("--slow", type=float, default=3.0, help="seconds that the slow plugin takes to import")
    parser.add_argument("--only", nargs="+", help="programs; what --out has of others is kept")
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    ours = Program(sys.executable, "tunesmith_cli", "tunesmith.plugins.v1", OURS, "tunesmith", "TUNESMITH_PLUGINS")
    others, versions = peers(chosen.peer_python) if chosen.peer_python else ({}, {})
    results = {}
    programs = {"tunesmith": ours, **others}
    for name, program in programs.items():
        if chosen.only and name not in chosen.only:
            continue
        with tempfile.TemporaryDirectory() as folder:
            cases = lay_out(Path(folder), program, chosen.counts, chosen.slow)
            results[name] = measure(program, cases, chosen.turns)
        print(f"\n{name} --help", flush=True)
        print(_table(results[name]), flush=True)
    if chosen.out:
        earlier = json.loads(chosen.out.read_text("utf-8")) if chosen.only and chosen.out.is_file() else {}
        about = {"machine": machine(), "peers": {**earlier.get("peers", {}), **versions}}
        save(chosen.out, {**about, "seconds": {**earlier.get("seconds", {}), **results}})


def _table(figures: Mapping[str, Mapping[str, Any]]) -> str:
    header = ["", "wall, min", "median", "processor, min", "added", "added, processor", "ratio", "exit"]
    rows = [
        [
            case,
            f"{1000 * one['wall_min']:.0f} ms",
            f"{1000 * one['wall_median']:.0f} ms",
            f"{1000 * one['processor_min']:.0f} ms",
            f"{one['added_ms']:.0f} ms",
            f"{one['added_processor_ms']:.0f} ms",
            f"{one['ratio']:.2f}",
            f"{one['code']}{'' if one['helped'] else ', no help'}",
        ]
        for case, one in figures.items()
    ]
    return table(header, rows)


if __name__ == "__main__":
    main()
