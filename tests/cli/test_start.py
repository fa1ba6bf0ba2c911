# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""How fast the program is there, and what it does not import to get there."""

import json
import subprocess
import sys

import pytest

MACHINERY = {"torch", "transformers", "peft", "tokenizers", "numpy", "pyarrow", "PIL"}
HEAVY = (
    "torch",
    "transformers",
    "peft",
    "tokenizers",
    "numpy",
    "pyarrow",
    "PIL",
    "pydantic",
    "rich",
    "huggingface_hub",
)

PROBE = """
import json, sys
from tunesmith_cli.main import main
code = main(sys.argv[1:])
print(json.dumps({"code": code, "modules": sorted(sys.modules)}), file=sys.stderr)
"""


def modules_after(*args: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", PROBE, *args], capture_output=True, text=True, timeout=60, check=True)
    report = json.loads(done.stderr.splitlines()[-1])
    assert report["code"] == 0
    return set(report["modules"])


@pytest.mark.parametrize("args", [["--help"], ["--version"]], ids=" ".join)
def test_the_front_door_imports_nothing_heavy(args: list[str]) -> None:
    loaded = modules_after(*args)
    assert not loaded.intersection(HEAVY)
    assert not [name for name in loaded if name.startswith("tunesmith_cli.commands.")]
    assert not [name for name in loaded if name.startswith(("tunesmith.tasks", "tunesmith.data", "tunesmith.models"))]


@pytest.mark.parametrize(
    "command",
    ["tasks list", "datasets list", "models list", "readers list", "plugins list"],
)
def test_lists_import_nothing_heavy(command: str) -> None:
    assert not modules_after(*command.split()).intersection(MACHINERY)


@pytest.mark.parametrize(
    "command", ["quickstart", "train", "evaluate", "predict", "generate", "chat", "serve", "runs", "recipe"]
)
def test_the_help_of_a_command_imports_nothing_heavy(command: str) -> None:
    assert not modules_after(command, "--help").intersection(MACHINERY)


def test_help_is_there_at_once() -> None:
    """0.3 s is the promise on an idle machine; the test counts processor time, which other work does not touch."""
    resource = pytest.importorskip("resource", reason="needs the processor time of child processes (POSIX)")
    spent = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "tunesmith_cli", "--help"], capture_output=True, timeout=60, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(spent) < 0.3
