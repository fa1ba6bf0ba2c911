# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""`tunesmith plan` and memory that runs out, in a process of its own."""

import json
import sys

import pytest

from tunesmith.testing import tiny_llama

RECIPE = """\
task: chat
model: model
data: {train: chats.jsonl}
train: {epochs: 2, rows_per_batch: 4, save_every: 1, precision: fp32}
output: run
"""

LIMITED = """
import resource, sys
from tunesmith.training import loop
from tunesmith.machine.memory import _status
from tunesmith_cli.main import main

take, calls = loop.take_step, []

def limited(job, parts, rate):
    calls.append(1)
    if len(calls) == 2:  # one step is done and saved; from now on there is little more than what is held
        held = _status("VmSize")
        resource.setrlimit(resource.RLIMIT_AS, (held + 20_000_000, resource.RLIM_INFINITY))
        parts = [job.work.collate([max(job.work.items["train"], key=lambda item: item.length)] * 4000)]
    return take(job, parts, rate)

loop.take_step = limited
sys.exit(main(["train", "recipe.yaml"]))
"""


@pytest.fixture
def place(tmp_path):
    tiny_llama(tmp_path / "model", context=128)
    rows = [{"prompt": "Why?", "completion": f"since {number}" + " or so" * number} for number in range(12)]
    (tmp_path / "chats.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    return tmp_path


def test_a_plan_in_words_and_as_json(place, forge):
    words = forge.tunesmith("plan", "recipe.yaml", "--samples", "1", cwd=place)
    assert words.returncode == 0, words.stderr
    assert "⟦since 0" in words.stdout
    assert "stop token" in words.stdout
    assert words.stdout.rstrip().endswith("it fits")
    small = ("--set", "train.accumulate=2", "--no-steps", "--json")
    data = json.loads(forge.tunesmith("plan", "recipe.yaml", *small, cwd=place).stdout)
    assert data["fits"] is True
    assert data["steps"]["parts"] == 2
    assert data["stop"] == {"rows": 12, "trained": 12, "tokens": data["stop"]["tokens"]}
    assert not (place / "run").exists()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits addresses with RLIMIT_AS")
def test_a_limit_of_the_shell_ends_a_job_in_words_and_leaves_its_checkpoint_whole(place, forge):
    done = forge.python("-c", LIMITED, cwd=place)
    assert done.returncode == 3, done.stderr
    assert "error: the memory is used up" in done.stderr
    assert "more were asked for and not given" in done.stderr
    assert "Traceback" not in done.stderr
    again = forge.tunesmith("train", "--resume", "run", "--json", cwd=place)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["status"] == "finished"
