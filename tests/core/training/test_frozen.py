# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import os

import numpy as np
import pytest
import torch
import transformers
from torch import nn

import tunesmith
from tunesmith.models.methods import apply_method, training_mode
from tunesmith.recipe import parse_recipe
from tunesmith.recipe.schema import DataSection, MethodSection
from tunesmith.registry import get_registry
from tunesmith.tasks.base import Batch, Encoded
from tunesmith.tasks.classification import Classification
from tunesmith.tasks.text import pad_right
from tunesmith.testing import tiny_bert
from tunesmith.training import frozen
from tunesmith.training.frozen import remember_frozen
from tunesmith.training.prepare import prepare
from tunesmith.training.randomness import own_random_state
from tunesmith.training.strategy import Single

CPU = torch.device("cpu")
V, K = 50, 3
SMALL = {
    "vocab_size": V,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "num_labels": K,
    "pad_token_id": 0,
}


def bert():
    return transformers.BertForSequenceClassification(transformers.BertConfig(**SMALL))


def roberta():
    return transformers.RobertaForSequenceClassification(transformers.RobertaConfig(**SMALL))


def distilbert():
    config = transformers.DistilBertConfig(
        vocab_size=V, dim=16, n_layers=2, n_heads=2, hidden_dim=24, num_labels=K, pad_token_id=0
    )
    return transformers.DistilBertForSequenceClassification(config)


def llama():
    config = transformers.LlamaConfig(**SMALL, num_key_value_heads=1)
    return transformers.LlamaForSequenceClassification(config)


class Texts(Classification):
    """Rows of token ids with a label, and no tokenizer."""

    def collate(self, items):
        ids = [item.features["input_ids"] for item in items]
        inputs = {"input_ids": pad_right(ids, 0)}
        if len({len(row) for row in ids}) > 1:
            inputs["attention_mask"] = pad_right([np.ones_like(row) for row in ids], 0)
        rows = [item.row for item in items]
        return Batch(inputs, self.collate_labels(items), len(items), sum(map(len, ids)), rows)

    def parse(self, row, *, labelled=True): ...
    def build(self, source): ...
    def encode(self, example, row): ...
    def mistake_table(self, examples, rows, note): ...
    def restore(self, state, source): ...


def rows_of_tokens(count, seed=0):
    random = np.random.default_rng(seed)
    lengths = random.integers(3, 12, count)
    return [
        Encoded(
            {"input_ids": random.integers(3, V, length), "label": np.asarray(random.integers(K))},
            length=int(length),
            targets=1,
            row=row,
        )
        for row, length in enumerate(lengths)
    ]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def task():
    return Texts(DataSection(train=["x"]))


def headed(make):
    torch.manual_seed(0)
    model = apply_method(make(), MethodSection(name="head"))
    training_mode(model)
    return model


def remember(model, task, items, **changed):
    options = {"digest": "of the weights", "device": CPU, "precision": "fp32"} | changed
    return remember_frozen(model, task, items, **options)


def loss_and_gradients(model, task, batch):
    model.zero_grad()
    loss = task.loss(model, batch)
    loss.backward()
    return loss.item(), {name: p.grad.clone() for name, p in model.named_parameters() if p.requires_grad}


@pytest.mark.parametrize("make", [bert, roberta, distilbert, llama], ids=lambda make: make.__name__)
def test_loss_and_gradients_are_those_of_the_whole_model(make, task):
    model, items = headed(make).eval(), rows_of_tokens(40)
    splits = {"train": items, "validation": items[:5], "test": []}
    loss, gradients = loss_and_gradients(model, task, task.collate(items[7:19]))
    found = remember(model, task, splits)
    assert found is not None
    batch = found.collate(found.items["train"][7:19])
    assert (batch.rows, batch.targets) == (list(range(7, 19)), 12)
    assert batch.tokens == sum(item.length for item in items[7:19])
    ran = []
    for name, module in model.base_model.named_modules():
        if type(module) is nn.Linear and not any(p.requires_grad for p in module.parameters()):
            module.register_forward_hook(lambda *_, name=name: ran.append(name))
    again, same = loss_and_gradients(model, task, batch)
    assert not ran, "a frozen layer ran again"
    assert again == pytest.approx(loss, rel=1e-5)
    for name, gradient in gradients.items():
        torch.testing.assert_close(same[name], gradient, rtol=1e-4, atol=1e-6, msg=name)


def test_ordinary_batches_go_through_the_whole_model_as_before(task):
    model, items = headed(bert).eval(), rows_of_tokens(20)
    before = task.loss(model, task.collate(items)).item()
    found = remember(model, task, {"train": items})
    task.loss(model, found.collate(found.items["train"]))
    assert task.loss(model, task.collate(items)).item() == before


def test_saved_weights_and_names_are_the_models_own(task):
    model = headed(bert)
    names = list(model.state_dict())
    remember(model, task, {"train": rows_of_tokens(20)})
    assert list(model.state_dict()) == names


def test_a_new_pooler_trains_with_the_head_and_the_encoder_is_remembered(task):
    model, items = headed(bert), rows_of_tokens(20)
    for parameter in model.bert.pooler.parameters():
        parameter.requires_grad = True
    model.eval()
    loss, gradients = loss_and_gradients(model, task, task.collate(items))
    found = remember(model, task, {"train": items})
    assert found is not None
    again, same = loss_and_gradients(model, task, found.collate(found.items["train"]))
    assert again == pytest.approx(loss, rel=1e-5)
    torch.testing.assert_close(same["bert.pooler.dense.weight"], gradients["bert.pooler.dense.weight"])


def test_frozen_layers_have_no_dropout_and_the_head_has(task):
    model = headed(bert)
    assert not any(module.training for module in model.bert.modules())
    assert model.dropout.training
    assert model.classifier.training


def test_the_second_job_reads_the_cache(task, cache):
    items = {"train": rows_of_tokens(20), "validation": rows_of_tokens(4, seed=1)}
    first = remember(headed(bert), task, items)
    second = remember(headed(bert), task, items)
    assert (first.cached, second.cached) == (False, True)
    assert "kept in the cache" in first.fact()
    assert "read from the cache" in second.fact()
    for split in items:
        for one, two in zip(first.items[split], second.items[split], strict=True):
            assert one.features.keys() == two.features.keys()
            assert all(np.array_equal(one.features[name], two.features[name]) for name in one.features)


@pytest.mark.parametrize("change", ["weights", "rows", "labels", "precision"])
def test_other_weights_rows_or_precision_are_another_entry(task, change):
    items = rows_of_tokens(20)
    remember(headed(bert), task, {"train": items})
    options = {"weights": {"digest": "of others"}, "precision": {"precision": "bf16"}}.get(change, {})
    if change == "rows":
        items = rows_of_tokens(20, seed=2)
    if change == "labels":
        items = [
            Encoded(dict(item.features) | {"label": np.asarray(1)}, length=item.length, targets=1, row=item.row)
            for item in items
        ]
    assert not remember(headed(bert), task, {"train": items}, **options).cached


def test_a_damaged_entry_is_made_again(task, cache):
    items = {"train": rows_of_tokens(20)}
    remember(headed(bert), task, items)
    (path,) = cache.rglob("train.remembered_*.npy")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert not remember(headed(bert), task, items).cached
    assert remember(headed(bert), task, items).cached


def test_a_full_disk_costs_the_cache_and_nothing_else(task, cache, monkeypatch, caplog):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(frozen.np, "save", full)
    items = {"train": rows_of_tokens(20)}
    found = remember(headed(bert), task, items)
    assert found is not None
    assert "could not be cached" in caplog.text
    assert not list(cache.rglob("*.npy"))


def test_without_a_cache_folder_outputs_are_remembered_in_memory(task, monkeypatch, tmp_path):
    monkeypatch.setenv("TUNESMITH_CACHE", "off")
    assert remember(headed(bert), task, {"train": rows_of_tokens(20)}) is not None
    assert os.listdir(tmp_path) == []


def test_no_random_number_is_drawn(task):
    model = headed(bert)
    before = torch.get_rng_state()
    remember(model, task, {"train": rows_of_tokens(20)})
    assert torch.equal(torch.get_rng_state(), before)


def test_a_model_that_reads_every_place_is_left_alone(task):
    class Mean(nn.Module):
        """Classifies by the mean over all places."""

        def __init__(self):
            super().__init__()
            self.body = nn.Embedding(V, 8).requires_grad_(False)
            self.head = nn.Linear(8, K)

        def forward(self, input_ids, attention_mask=None):
            return transformers.modeling_outputs.SequenceClassifierOutput(
                logits=self.head(self.body(input_ids).mean(1))
            )

    model, items = Mean(), rows_of_tokens(20)
    before = task.loss(model, task.collate(items)).item()
    assert remember(model, task, {"train": items}) is None
    assert "forward" not in vars(model.body)
    assert task.loss(model, task.collate(items)).item() == before


def test_frozen_layers_above_trained_ones_are_left_alone(task):
    model = bert()
    model.requires_grad_(False)
    model.bert.embeddings.requires_grad_(True)
    assert remember(model, task, {"train": rows_of_tokens(20)}) is None


def test_rows_with_several_targets_are_left_alone(task):
    items = [Encoded(item.features, length=item.length, targets=2, row=item.row) for item in rows_of_tokens(20)]
    assert remember(headed(bert), task, {"train": items}) is None


@pytest.mark.parametrize("before", [True, False])
def test_test_rows_are_remembered_where_the_untrained_model_is_scored_on_them(before, tmp_path):
    """Else they are looked at once, in the end, and go through the saved model."""
    (tmp_path / "rows.csv").write_text("text,label\n" + "".join(f"word {n},{'ab'[n % 2]}\n" for n in range(8)))
    recipe = {
        "task": "text-classification",
        "model": str(tiny_bert(tmp_path / "bert")),
        "method": "head",
        "data": {"train": str(tmp_path / "rows.csv"), "test": str(tmp_path / "rows.csv")},
        "train": {"max_steps": 1, "precision": "fp32", "device": "cpu"},
        "evaluate": {"before": before},
        "output": str(tmp_path / "run"),
    }
    wanted = parse_recipe(recipe)
    with own_random_state(0, torch.device("cpu")):
        work = prepare(wanted, Single(wanted), get_registry())
    assert "input_ids" not in work.items["train"][0].features
    assert ("input_ids" in work.items["test"][0].features) is not before
    run = tunesmith.train(wanted)
    assert run.manifest["metrics"]["test"]["accuracy"] >= 0
    assert bool(run.manifest["before"]) is before
