# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""From pairs to answers by the command, and a figure of the answers that decides."""

from __future__ import annotations

import json
from pathlib import Path

from forge import Forge

RECIPE = """\
task: seq2seq
model: {name: "scratch:t5-40k", tokenizer: byte, context: 64}
data:
  train: pairs.tsv
  columns: {source: en, target: de}
  prefix: "to German: "
  split: {validation: 0.25}
train: {max_steps: 2, epochs: 9, precision: fp32, device: cpu}
evaluate: {generate: 2, metric: exact_match, metrics: [exact_match], answer_tokens: 6, before: false, samples: 1}
output: run
"""


def test_pairs_to_answers(tmp_path: Path, forge: Forge) -> None:
    def tunesmith(*args: str, stdin: str = "") -> str:
        done = forge.tunesmith(*args, cwd=tmp_path, input=stdin)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout

    rows = "".join(f"cat {number}\tKatze {number}\n" for number in range(8))
    (tmp_path / "pairs.tsv").write_text(f"en\tde\n{rows}", encoding="utf-8")
    (tmp_path / "translate.yaml").write_text(RECIPE, encoding="utf-8")

    tunesmith("train", "translate.yaml", "--quiet")
    manifest = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    assert manifest["status"] == "finished"
    assert "exact_match" in manifest["metrics"]["validation"]
    rendering = json.loads((tmp_path / "run" / "model" / "rendering.json").read_text(encoding="utf-8"))
    assert (rendering["task"], rendering["state"]["prefix"]) == ("tunesmith/seq2seq", "to German: ")

    lines = tunesmith("predict", "run", "--max-new-tokens", "4", stdin="cat 1\na much longer cat 2\n")
    answers = [json.loads(line) for line in lines.splitlines()]
    assert [set(answer) for answer in answers] == [{"text", "finish"}] * 2
    arguments = ("generate", "run", "--prompt", "cat 1", "--max-new-tokens", "4", "--json")
    assert json.loads(tunesmith(*arguments))["text"] == answers[0]["text"]  # greedy, both of them

    arguments = ("evaluate", "run", "--data", "pairs.tsv", "--generate", "3", "--metric", "exact_match", "--json")
    scored = json.loads(tunesmith(*arguments))
    assert set(scored["metrics"]) == {"loss", "perplexity", "accuracy", "exact_match"}
