# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Golden sets say what a model answered, are the same every time, and survive the disk."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import tunesmith
from tunesmith.engine.inputs import parse_inputs
from tunesmith.errors import RunError
from tunesmith.evaluate.golden import GOLDEN, Golden, golden_set, rendering_digest
from tunesmith.evaluate.probe import Probe
from tunesmith.export.parity import TOLERANCES, Tolerance, compare_golden
from tunesmith.testing import tiny_bert, tiny_image_model, tiny_llama, tiny_t5

ROWS = [f"a question of {n} words" for n in range(20)]


def golden_of(model: Any, rows: Any) -> Golden:
    return golden_set(model.definition, model.module, parse_inputs(model.definition, rows), rows_from="test")


def same(model: Any, golden: Golden, tolerance: Tolerance = TOLERANCES["fp32"]) -> dict[str, bool | None]:
    gaps = compare_golden(golden, Probe(model.definition, model.module), tolerance)
    return {finding.name: finding.holds for finding in gaps.findings(tolerance)}


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return tunesmith.load(tiny_llama(tmp_path_factory.mktemp("llama")))


def test_what_a_model_that_writes_is_asked(chat: Any) -> None:
    golden = golden_of(chat, ROWS)

    assert len(golden) == len(golden.texts) == 4
    assert golden.task == "tunesmith/chat"
    assert golden.rows_from == "test"
    assert golden.rendering == rendering_digest(chat.definition)
    text = golden.texts[0]
    assert text.prompt == ({"role": "user", "content": ROWS[0]},)
    assert list(text.ids) == chat.definition.prompt_tokens(ROWS[0])
    assert 1 <= len(text.tokens) <= 32
    assert len(text.alternatives) == len(text.tokens)
    for token, alternatives in zip(text.tokens, text.alternatives, strict=True):
        assert alternatives[0][0] == token
        assert len(alternatives) == 5
        assert [value for _, value in alternatives] == sorted((value for _, value in alternatives), reverse=True)


def test_the_golden_tokens_are_those_of_generate(chat: Any) -> None:
    golden = golden_of(chat, ROWS)

    with torch.inference_mode():
        written = chat.module.generate(torch.tensor([golden.texts[0].ids]), max_new_tokens=32, do_sample=False)

    assert written[0, len(golden.texts[0].ids) :].tolist() == list(golden.texts[0].tokens)


def test_a_document_is_begun_and_a_long_conversation_passed_over(chat: Any) -> None:
    plain = tunesmith.load("tunesmith/tiny")
    golden = golden_of(plain, ["once upon a time " * 500])
    assert [text.prompt for text in golden.texts] == [("once upon a time " * 500)[:200]]

    assert len(golden_of(chat, ["word " * 500])) == 0
    assert [text.prompt[0]["content"] for text in golden_of(chat, ["word " * 500, "short"]).texts] == ["short"]  # type: ignore[index]


def test_it_is_read_as_it_was_written(chat: Any, tmp_path: Path) -> None:
    golden = golden_of(chat, ROWS)
    (tmp_path / GOLDEN).write_text(golden.json(), encoding="utf-8")

    again = Golden.read(tmp_path / GOLDEN)

    assert again.json() == golden.json() == golden_of(chat, ROWS).json()
    assert same(chat, again) == {"rendering": True, "token ids": True, "greedy tokens": True, "log-probabilities": True}


def test_other_weights_are_found(chat: Any, tmp_path: Path) -> None:
    golden = golden_of(chat, ROWS)
    other = tunesmith.load(tiny_llama(tmp_path / "other", seed=1))

    found = same(other, golden)

    assert (found["rendering"], found["token ids"], found["log-probabilities"]) == (True, True, False)


def test_another_template_is_found(chat: Any, tmp_path: Path) -> None:
    golden = golden_of(chat, ROWS)
    other = tunesmith.load(tiny_llama(tmp_path / "other"))
    template = other.definition.template  # type: ignore[attr-defined]
    template.template = template.template.replace("'<|' + message", "' <|' + message")

    found = same(other, golden)

    assert (found["rendering"], found["token ids"], found["greedy tokens"]) == (False, False, True)


@pytest.mark.parametrize(
    ("make", "rows", "numbers"),
    [
        (tiny_t5, ROWS, None),
        (tiny_image_model, [np.full((8, 8, 1), shade, dtype=np.uint8) for shade in (3, 90, 200)], 3),
    ],
)
def test_other_tasks(make: Any, rows: Any, numbers: int | None, tmp_path: Path) -> None:
    model = tunesmith.load(make(tmp_path / "model"))
    golden = golden_of(model, rows)
    (tmp_path / GOLDEN).write_text(golden.json(), encoding="utf-8")
    again = Golden.read(tmp_path / GOLDEN)

    assert all(same(model, again).values())
    if numbers is None:
        assert again.texts[0].prompt == ROWS[0]
    else:
        assert [len(row.items[0].numbers) for row in again.rows] == [numbers] * 3
        assert again.rows[0].values is None


def test_labelled_rows_of_images_come_back_as_they_were(tmp_path: Path) -> None:
    """Training writes what it has: the label goes along where a row has no texts to write down."""
    model = tunesmith.load(tiny_image_model(tmp_path / "model"))
    images = [np.full((8, 8, 1), shade, dtype=np.uint8) for shade in (3, 90)]
    examples = [replace(one, labels=(model.definition.labels[0],)) for one in parse_inputs(model.definition, images)]
    golden = golden_set(model.definition, model.module, examples, rows_from="test")
    (tmp_path / GOLDEN).write_text(golden.json(), encoding="utf-8")
    again = Golden.read(tmp_path / GOLDEN)

    assert again.rows[0].items[0].encoded.features["label"].shape == ()
    assert all(same(model, again).values())


def test_a_classifier_that_moved_is_found(tmp_path: Path) -> None:
    from transformers import AutoModelForSequenceClassification

    from tunesmith.models.find import find_model_by_name
    from tunesmith.models.save import save_model
    from tunesmith.models.tokenizers import load_tokenizer
    from tunesmith.registry import get_registry

    tiny_bert(tmp_path / "bert")
    tokenizer = load_tokenizer(find_model_by_name(str(tmp_path / "bert"), get_registry()))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = AutoModelForSequenceClassification.from_pretrained(tmp_path / "bert", num_labels=3)
    save_model(module, tmp_path / "model", tokenizer)
    model = tunesmith.load(tmp_path / "model")
    golden = golden_of(model, ROWS)

    assert same(model, golden) == {"rendering": True, "token ids": True, "probabilities": True}
    assert golden.rows[0].values == {"text": ROWS[0]}
    with torch.no_grad():
        model.module.classifier.bias[0] += 0.1
    assert same(model, golden) == {"rendering": True, "token ids": True, "probabilities": False}
    assert same(model, golden, Tolerance(1.0, 0.1))["probabilities"]


def test_a_tie_is_no_difference_and_a_lead_is(chat: Any) -> None:
    golden = golden_of(chat, ROWS)
    gaps = compare_golden(golden, Probe(chat.definition, chat.module), TOLERANCES["fp32"])
    assert (gaps.agreeing, gaps.astray) == (gaps.steps, 0)

    class Turned(Probe):
        """The second likeliest token comes first everywhere."""

        def logprobs(self, ids: Any, tokens: Any) -> Any:
            steps = super().logprobs(ids, tokens).copy()
            for step in steps:
                first, second = np.argsort(-step)[:2]
                step[[first, second]] = step[[second, first]]
            return steps

    turned = compare_golden(golden, Turned(chat.definition, chat.module), TOLERANCES["fp32"])
    assert turned.agreeing == 0
    assert turned.astray > 0.9 * turned.steps
    loose = compare_golden(golden, Turned(chat.definition, chat.module), Tolerance(50.0, 1.0))
    assert (loose.agreeing, loose.astray) == (0, 0)


@pytest.mark.parametrize(
    "damage",
    [
        '{"format": 2}',
        "[]",
        "{",
        '{"format": 1, "task": "a", "rendering": "b", "rows_from": "c", "texts": 3, "rows": []}',
    ],
)
def test_a_damaged_file(damage: str, tmp_path: Path) -> None:
    (tmp_path / GOLDEN).write_text(damage)
    with pytest.raises(RunError, match=r"golden\.json cannot be used") as caught:
        Golden.read(tmp_path / GOLDEN)
    assert "remove the file" in caught.value.fix[0]


def test_numbers_of_objects_are_refused(tmp_path: Path) -> None:
    content = {
        "format": 1,
        "task": "a",
        "rendering": "b",
        "rows_from": "c",
        "texts": [],
        "rows": [
            {
                "values": None,
                "items": [
                    {
                        "length": 1,
                        "targets": 0,
                        "features": {"x": {"dtype": "|O", "shape": [1], "base64": "AAAAAAAAAAA="}},
                        "numbers": [],
                    }
                ],
            }
        ],
    }
    (tmp_path / GOLDEN).write_text(json.dumps(content))
    with pytest.raises(RunError, match="cannot be used"):
        Golden.read(tmp_path / GOLDEN)
