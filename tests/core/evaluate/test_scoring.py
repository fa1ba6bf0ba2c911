# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Scoring: order, modes and alignment with a small real network; then real tasks from folders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

import tunesmith.evaluate
from tunesmith.data.rows import Column, Origin, Row
from tunesmith.engine import GenerateRequest, Token, load
from tunesmith.errors import DataError
from tunesmith.evaluate import evaluate, evaluate_items, sample_texts
from tunesmith.models.source import ModelSource
from tunesmith.recipe.schema import DataSection
from tunesmith.tasks.base import Batch, Encoded, Metric, Task

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Numbers:
    values: tuple[int, ...]
    origin: Origin


class Doubling(Task[Numbers, float]):
    """Twice the sum of some numbers; a row of more than four is cut into pieces."""

    columns = (Column(name="values", summary="numbers"),)
    metrics = (Metric(name="mean", greater_is_better=True, summary="mean of the outputs"),)

    def __init__(self) -> None:
        super().__init__(DataSection(train=["rows.csv"]))
        self.seen: list[dict[str, Any]] = []

    def parse(self, row: Row, *, labelled: bool = True) -> Numbers:
        return Numbers(tuple(row.values["values"]), row.origin)

    def fit(self, examples: Sequence[Numbers]) -> None: ...

    def build(self, source: ModelSource) -> nn.Module:
        raise NotImplementedError

    def encode(self, example: Numbers, row: int) -> list[Encoded]:
        pieces = [example.values[start : start + 4] for start in range(0, len(example.values), 4)]
        return [Encoded({"x": np.array(piece, dtype=np.float32)}, len(piece), 1, row) for piece in pieces]

    def collate(self, items: Sequence[Encoded]) -> Batch:
        longest = max(item.length for item in items)
        rows = [np.pad(item.features["x"], (0, longest - item.length)) for item in items]
        return Batch({"x": torch.tensor(np.stack(rows))}, None, len(items), 0, [item.row for item in items])

    def loss(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        raise NotImplementedError

    def outputs(self, model: nn.Module, batch: Batch) -> list[float]:
        result = model(batch.inputs["x"].sum(1, keepdim=True))
        self.seen.append(
            {
                "shape": tuple(batch.inputs["x"].shape),
                "training": model.training,
                "inference": torch.is_inference_mode_enabled(),
                "dtype": result.dtype,
            }
        )
        return [float(value) for value in result[:, 0]]

    def score(self, outputs: Sequence[float], examples: Sequence[Numbers]) -> dict[str, float]:
        assert len(outputs) == len(examples)
        return {"mean": float(np.mean(outputs))}

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: Mapping[str, Any], source: ModelSource) -> nn.Module:
        raise NotImplementedError


def doubler() -> nn.Module:
    layer = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        layer.weight.fill_(2.0)
    return nn.Sequential(nn.Dropout(0.5), layer)


ROWS = [(1,), (1, 2, 3), (5, 5), (1, 1, 1, 1, 7, 7), (4,)]
EXAMPLES = [Numbers(values, Origin("rows", number)) for number, values in enumerate(ROWS, 1)]


def test_the_public_names() -> None:
    names = ["Evaluation", "Finished", "ReportSection", "evaluate", "evaluate_items", "sample_texts"]
    names += ["write_card", "write_report"]
    assert tunesmith.evaluate.__all__ == names
    assert all(hasattr(tunesmith.evaluate, name) for name in names)


@pytest.mark.parametrize("budget", [{"tokens_per_batch": 4}, {"tokens_per_batch": 100}, {"rows_per_batch": 2}, {}])
def test_outputs_come_back_in_the_items_order(budget: dict[str, int]) -> None:
    task = Doubling()
    items = task.encode_all(EXAMPLES)
    evaluation = evaluate_items(doubler(), task, items, EXAMPLES, device=CPU, **budget)
    assert evaluation.outputs == [2, 12, 20, 8, 28, 8]
    assert [example.values for example in evaluation.examples] == [ROWS[row] for row in (0, 1, 2, 3, 3, 4)]
    assert evaluation.metrics == {"mean": 13.0}
    assert evaluation.rows == 5


def test_batches_hold_rows_of_like_length_within_the_budget() -> None:
    task = Doubling()
    evaluate_items(doubler(), task, task.encode_all(EXAMPLES), EXAMPLES, device=CPU, tokens_per_batch=4)
    shapes = [seen["shape"] for seen in task.seen]
    assert all(rows * length <= 4 for rows, length in shapes)
    assert len(shapes) == 4


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_left_in_the_mode_it_was_in(training: bool) -> None:
    task, model = Doubling(), doubler().train(training)
    evaluate_items(model, task, task.encode_all(EXAMPLES), EXAMPLES, device=CPU)
    assert all(not seen["training"] and seen["inference"] for seen in task.seen)
    assert model.training is training
    task.outputs = None  # type: ignore[assignment, method-assign]
    with pytest.raises(TypeError):
        evaluate_items(model, task, task.encode_all(EXAMPLES), EXAMPLES, device=CPU)
    assert model.training is training


def test_bf16_computes_under_autocast() -> None:
    task = Doubling()
    evaluate_items(doubler(), task, task.encode_all(EXAMPLES), EXAMPLES, device=CPU, precision="bf16")
    evaluate_items(doubler(), task, task.encode_all(EXAMPLES), EXAMPLES, device=CPU, precision="fp32")
    assert {seen["dtype"] for seen in task.seen[:1]} == {torch.bfloat16}
    assert task.seen[-1]["dtype"] == torch.float32


def test_nothing_to_score_is_said() -> None:
    with pytest.raises(DataError, match="there is nothing to score") as caught:
        evaluate_items(doubler(), Doubling(), [], EXAMPLES, device=CPU)
    assert "5 rows, none of which can be encoded" in str(caught.value)


# ---- files -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers

    folder = tmp_path_factory.mktemp("classifier")
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE({letter: number for number, letter in enumerate(letters)}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.add_special_tokens([AddedToken("<pad>", special=True)])
    PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="<pad>", model_max_length=32).save_pretrained(folder)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
        config = BertConfig(
            vocab_size=257, max_position_embeddings=32, pad_token_id=256, id2label={0: "a", 1: "b"}, **sizes
        )
        BertForSequenceClassification(config).save_pretrained(folder)
    return folder


def test_files_are_scored(classifier: Path, tmp_path: Path) -> None:
    model = load(classifier, device="cpu")
    answers = [answer["label"] for answer in model.predict(["one", "two", "three"])]
    wrong = "b" if answers[2] == "a" else "a"
    file = tmp_path / "rows.csv"
    file.write_text(f"body,label\none,{answers[0]}\ntwo,{answers[1]}\nthree,{wrong}\n")
    evaluation = evaluate(model, [str(file)], columns={"text": "body"})
    assert evaluation.metrics["accuracy"] == pytest.approx(2 / 3)
    assert next(iter(evaluation.metrics)) == "accuracy"
    assert evaluation.rows == 3
    assert evaluation.sections[0].title == "Confusion matrix"


def test_rows_that_were_cut_are_noted(classifier: Path, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text(f"text,label\n{'long ' * 50},a\nshort,b\n")
    (note,) = evaluate(load(classifier, device="cpu"), [str(file)]).notes
    assert note.startswith("1 of 2 rows truncated to 32 tokens")


def test_labels_that_training_never_saw(classifier: Path, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("text,label\none,a\ntwo,zebra\n")
    with pytest.raises(DataError, match="zebra"):
        evaluate(load(classifier, device="cpu"), [str(file)])


# ---- samples -----------------------------------------------------------------------------------


class Parrot:
    """An engine that answers with its prompt's ids and its seed."""

    context = 12

    def room(self, prompt: int) -> int:
        return self.context - prompt

    def generate(self, request: GenerateRequest) -> Any:
        self.last = request
        yield Token(id=1, text=f"{list(request.prompt)} seed {request.sampling.seed}", logprob=0.0)
        yield Token(id=2, text="!", logprob=0.0, finish="length")

    def close(self) -> None: ...


def writing_task(**extra: Any) -> Any:
    return SimpleNamespace(
        stop_tokens=lambda: frozenset({7}), prompt_tokens=lambda text: [0] * (1 + len(text.split())), **extra
    )


def test_samples_begin_freely_and_go_on_from_rows() -> None:
    rows = [SimpleNamespace(text=f"row {number} has words") for number in range(10)]
    engine = Parrot()
    section = sample_texts(engine, writing_task(generation={"top_k": 5}), rows, count=3, max_new_tokens=100, seed=4)
    assert [caption for caption, _ in section.passages] == [
        "from the start",
        "from: row 0 has words",
        "from: row 5 has words",
    ]
    assert section.passages[0][1] == "[0] seed 4!"
    assert section.passages[2][1] == "[0, 0, 0, 0, 0] seed 6!"
    assert engine.last.max_new_tokens == 7  # what the context leaves
    assert engine.last.stop_tokens == {7}
    assert engine.last.sampling.top_k == 5
    assert section.note == "Drawn with top k 5, seed 4 and following."


def test_samples_of_one_long_text_come_from_different_lines() -> None:
    text = "\n".join(f"line {number} of the play" for number in range(500))
    section = sample_texts(Parrot(), writing_task(), [SimpleNamespace(text=text)], count=3, max_new_tokens=5)
    first, second = (caption for caption, _ in section.passages[1:])
    assert first == "from: line 0 of the play\nline 1 of"
    assert second.startswith("from: line ")
    assert second != first


def test_a_prompt_that_fills_the_context_is_said() -> None:
    rows = [SimpleNamespace(text=" ".join("abcdefgh"))]
    engine = Parrot()
    engine.context = 5
    section = sample_texts(engine, writing_task(), rows, count=2, max_new_tokens=5)
    assert section.passages[1][1] == "(the prompt alone fills the model's context)"


def test_without_rows_there_is_the_free_sample_alone() -> None:
    section = sample_texts(Parrot(), writing_task(), [], count=3, max_new_tokens=5)
    assert [caption for caption, _ in section.passages] == ["from the start"]
