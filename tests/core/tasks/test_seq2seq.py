# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Seq2seq: the loss is the plain model's, and no padding, cutting or splitting changes it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from torch.nn import functional
from transformers import BartConfig, BartForConditionalGeneration, MarianConfig, MarianMTModel

from tunesmith.data.rows import Row, RowError
from tunesmith.errors import DataError, ModelError, Origin, RecipeError
from tunesmith.models import apply_method, load_tokenizer, save_model, train_tokenizer
from tunesmith.models.source import ModelSource, ScratchOptions
from tunesmith.recipe.schema import MethodSection
from tunesmith.registry import get_registry
from tunesmith.tasks.rendering import open_task, save_task
from tunesmith.tasks.seq2seq import Pair, Seq2Seq
from tunesmith.testing import tiny_t5

OPTIONS = ScratchOptions(architecture="t5", size=38_000, tokenizer="byte", vocabulary=262, context=64, seed=0)
PAIRS = [
    Pair("a cat", "eine Katze", Origin("rows.tsv", 2)),
    Pair("the dog and the bird", "der Hund", Origin("rows.tsv", 3)),
    Pair("x", "ein sehr langer Satz", Origin("rows.tsv", 4)),
]


@pytest.fixture(scope="module")
def t5(tmp_path_factory) -> ModelSource:
    return ModelSource(name="t5", kind="folder", folder=tiny_t5(tmp_path_factory.mktemp("t5") / "m"))


@pytest.fixture(scope="module")
def bart(tmp_path_factory) -> ModelSource:
    """Learned positions, and a bias added to the logits, as BART has them."""
    return _small(tmp_path_factory.mktemp("bart"), BartForConditionalGeneration, BartConfig)


@pytest.fixture(scope="module")
def marian(tmp_path_factory) -> ModelSource:
    return _small(tmp_path_factory.mktemp("marian"), MarianMTModel, MarianConfig)


def _small(folder: Path, build, config) -> ModelSource:
    sizes = {"d_model": 32, "encoder_ffn_dim": 48, "decoder_ffn_dim": 48, "max_position_embeddings": 64}
    sizes |= {f"{side}_{part}": 2 for side in ("encoder", "decoder") for part in ("layers", "attention_heads")}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        ids = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 0, "decoder_start_token_id": 1}
        model = build(config(vocab_size=262, init_std=0.3, forced_eos_token_id=None, **ids, **sizes))
        model.final_logits_bias.normal_()
    save_model(model, folder, train_tokenizer(OPTIONS, ()))
    return ModelSource(name=folder.name, kind="folder", folder=folder)


def built(data, source, **keys):
    task = Seq2Seq(data(**keys))
    task.fit(PAIRS)
    return task, task.build(source)


# ---- the loss ----------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["t5", "bart", "marian"])
def test_the_loss_is_the_plain_models(data, request, family):
    task, model = built(data, request.getfixturevalue(family))
    for item in task.encode_all(PAIRS):
        batch = task.collate([item])
        plain = model(input_ids=batch.inputs["input_ids"], labels=batch.labels)
        torch.testing.assert_close(task.loss(model, batch), plain.loss * batch.targets)


@pytest.mark.parametrize("family", ["t5", "bart", "marian"])
def test_padding_and_splitting_change_neither_loss_nor_gradient(data, request, family):
    task, model = built(data, request.getfixturevalue(family))
    items = task.encode_all(PAIRS)

    def gradients(parts):
        model.zero_grad()
        losses = [task.loss(model, task.collate(part)) for part in parts]
        sum(losses).backward()
        return sum(losses).detach(), [p.grad.clone() for p in model.parameters() if p.grad is not None]

    whole, whole_gradients = gradients([items])
    split, split_gradients = gradients([[item] for item in items])
    torch.testing.assert_close(whole, split)
    for one, other in zip(whole_gradients, split_gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_outputs_agree_with_the_loss_and_the_plain_logits(data, bart):
    task, model = built(data, bart)
    batch = task.collate(task.encode_all(PAIRS))
    with torch.inference_mode():
        outputs = task.outputs(model, batch)
        loss = task.loss(model, batch)
        logits = model(**task.model_inputs(model, batch)).logits
    assert sum(output.loss_sum for output in outputs) == pytest.approx(float(loss), rel=1e-5)
    for row, output in enumerate(outputs):
        labelled = batch.labels[row] != -100
        expected = functional.cross_entropy(logits[row][labelled], batch.labels[row][labelled], reduction="sum")
        assert output.loss_sum == pytest.approx(float(expected), rel=1e-5)
        assert output.tokens == int(labelled.sum())


def test_the_output_layer_sees_labelled_places_alone(data, bart):
    task, model = built(data, bart)
    batch = task.collate(task.encode_all(PAIRS))
    seen = []
    handle = model.lm_head.register_forward_hook(lambda _, args, out: seen.append(tuple(out.shape[:-1])))
    task.loss(model, batch)
    handle.remove()
    assert seen[-1] == (batch.targets,)
    assert model(**task.model_inputs(model, batch)).logits.shape[:2] == batch.labels.shape  # nothing is left behind


def test_adapters_learn_in_both_stacks_and_nothing_else_does(data, t5):
    task, model = built(data, t5)
    before = task.loss(model, task.collate(task.encode_all(PAIRS)))
    adapted = apply_method(model, MethodSection(name="lora", rank=2))
    after = task.loss(adapted, task.collate(task.encode_all(PAIRS)))
    torch.testing.assert_close(before, after)  # an adapter begins as nothing
    after.backward()
    moving = [name for name, parameter in adapted.named_parameters() if parameter.requires_grad]
    assert {"encoder", "decoder"} == {part for name in moving for part in name.split(".") if part.endswith("coder")}
    assert all("lora" in name for name in moving)
    assert adapted.peft_config["default"].task_type == "SEQ_2_SEQ_LM"


# ---- rows to numbers ---------------------------------------------------------------------------


def test_both_sides_end_with_the_end_token_and_both_count(data, t5):
    task, _ = built(data, t5, prefix="to German: ")
    item = task.encode(PAIRS[0], 0)[0]
    assert bytes(task.tokenizer.decode(item.features["input_ids"], skip_special_tokens=True), "utf-8") == (
        b"to German: a cat"
    )
    assert item.features["input_ids"][-1] == item.features["labels"][-1] == task.tokenizer.eos_token_id
    assert item.length == len(item.features["input_ids"]) + len(item.features["labels"])
    assert item.targets == len("eine Katze") + 1
    assert task.texts(PAIRS[:1]) == ["to German: a cat", "eine Katze"]


def test_a_cut_target_has_no_end_and_everything_cut_is_counted(data, t5):
    task, _ = built(data, t5, max_length=8, max_target_length=6)
    items = task.encode_all(PAIRS)
    end = task.tokenizer.eos_token_id
    assert [len(item.features["labels"]) for item in items] == [6, 6, 6]
    assert all(item.features["labels"][-1] != end for item in items)
    assert [item.features["input_ids"][-1] for item in items] == [end] * 3
    assert task.counted() == [
        "1 of 3 sources truncated to 8 tokens (longest had 21)",
        "3 of 3 targets truncated, and without an end token, to 6 tokens (longest had 21)",
    ]
    task.prompt_tokens("a source of many words")
    assert task.counted()[-1] == "1 prompt truncated to 8 tokens"


def test_long_rows_can_be_skipped_or_refused(data, t5):
    task, _ = built(data, t5, max_target_length=12, too_long="skip")
    assert [item.row for item in task.encode_all(PAIRS)] == [0, 1]
    assert task.counted() == ["1 of 3 targets skipped: longer than 12 tokens (longest had 21)"]
    task, _ = built(data, t5, max_target_length=12, too_long="error")
    with pytest.raises(DataError, match=r"a target is longer than data.max_target_length") as caught:
        task.encode_all(PAIRS)
    assert "rows.tsv:4: 21 tokens; at most 12 are allowed" in str(caught.value)


def test_an_end_token_inside_a_target_is_counted(data, t5):
    task, _ = built(data, t5)
    task.encode(Pair("a", "one<|endoftext|>two", Origin("rows.tsv", 9)), 0)
    assert task.counted() == ["1 row with the text of the end token in its target; it is read as that token"]


def test_a_model_with_a_table_of_positions_limits_both_sides(data, bart):
    with pytest.raises(RecipeError, match=r"data\.max_target_length is longer than the model can read"):
        built(data, bart, max_target_length=65)
    task, _ = built(data, bart)
    assert (task.max_length, task.max_target_length) == (64, 64)


def test_rows(data):
    task = Seq2Seq(data())
    row = Row({"source": "a", "target": None}, Origin("rows.tsv", 2))
    with pytest.raises(RowError, match="target is missing"):
        task.parse(row)
    assert task.parse(row, labelled=False) == Pair("a", None, Origin("rows.tsv", 2))
    assert task.reference(PAIRS[0]) == "eine Katze"


# ---- models that do not fit --------------------------------------------------------------------


def test_a_decoder_alone_cannot_be_used(data, llama):
    with pytest.raises(ModelError, match="cannot be used for seq2seq-lm") as caught:
        built(data, llama)
    assert "an encoder with a decoder (t5, bart, marian, …)" in str(caught.value)


def test_a_model_that_does_not_say_how_its_decoder_begins(data, bart, tmp_path):
    folder = tmp_path / "m"
    shutil.copytree(bart.folder, folder)
    for name in ("config.json", "generation_config.json"):
        values = json.loads((folder / name).read_text())
        values["decoder_start_token_id"] = None
        (folder / name).write_text(json.dumps(values))
    with pytest.raises(ModelError, match="does not say what its decoder begins with"):
        built(data, ModelSource(name="m", kind="folder", folder=folder))


def test_settings_that_are_not_followed_are_said(data, bart, tmp_path):
    folder = tmp_path / "m"
    shutil.copytree(bart.folder, folder)
    values = json.loads((folder / "generation_config.json").read_text())
    (folder / "generation_config.json").write_text(json.dumps(values | {"num_beams": 4}))
    task, _ = built(data, ModelSource(name="m", kind="folder", folder=folder))
    assert "the model's own num_beams are not followed: an answer is greedy, or drawn as asked" in task.notes


# ---- saved and opened again --------------------------------------------------------------------


def test_saved_and_opened_again_it_reads_as_it_was_trained(data, t5, tmp_path):
    task, model = built(data, t5, prefix="to German: ", max_length=32, max_target_length=16)
    save_model(model, tmp_path, task.tokenizer)
    save_task(task, tmp_path)
    again, other = open_task(ModelSource(name="again", kind="folder", folder=tmp_path), get_registry())
    assert again.state() == task.state()
    assert again.prompt_tokens("a cat") == task.prompt_tokens("a cat")
    assert (again.decoder_start(), again.stop_tokens()) == (task.decoder_start(), task.stop_tokens())
    batch = task.collate(task.encode_all(PAIRS))
    assert torch.equal(task.loss(model, batch), again.loss(other, batch))


def test_a_folder_without_a_rendering_is_opened_by_its_architecture(marian):
    task, _ = open_task(marian, get_registry())
    assert isinstance(task, Seq2Seq)
    assert task.tokenizer.get_vocab() == load_tokenizer(marian).get_vocab()
