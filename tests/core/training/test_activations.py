# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Layers that are computed anew: the same numbers, less memory, and an estimate that knows it."""

import numpy as np
import pytest
import torch
from torch.profiler import ProfilerActivity, profile
from transformers.modeling_layers import GradientCheckpointingLayer

import tunesmith
from tunesmith.errors import RecipeError
from tunesmith.machine.memory import Room
from tunesmith.models.methods import training_mode
from tunesmith.recipe import parse_recipe
from tunesmith.registry import get_registry
from tunesmith.testing import tiny_bert, tiny_image_model, tiny_llama
from tunesmith.training import outlook, vocabulary
from tunesmith.training.activations import checkpointing
from tunesmith.training.batches import parts_of_step
from tunesmith.training.memory import costliest_part, footprint_of, moving_bytes
from tunesmith.training.outlook import look_ahead, remedies
from tunesmith.training.prepare import prepare
from tunesmith.training.randomness import own_random_state
from tunesmith.training.strategy import Single

CPU = torch.device("cpu")


def prepared(recipe):
    recipe = parse_recipe(recipe)
    with own_random_state(0, CPU):
        return prepare(recipe, Single(recipe), get_registry())


def classifier(folder, on, **changes):
    lines = [f"{'word ' * (2 + row % 9)},{'ab'[row % 2]}" for row in range(24)]
    (folder / "rows.csv").write_text("text,label\n" + "\n".join(lines) + "\n")
    train = {"tokens_per_batch": 256, "precision": "fp32", "activation_checkpointing": on}
    recipe = {"task": "text-classification", "model": str(tiny_bert(folder / "bert")), "output": str(folder / "run")}
    return {**recipe, "data": {"train": str(folder / "rows.csv")}, "train": train, **changes}


def chat(folder, on, size=30_000):
    rows = [f'{{"prompt": "{"why " * n}", "completion": "{"so " * (40 - n)}"}}' for n in range(1, 30)]
    (folder / "chat.jsonl").write_text("\n".join(rows))
    train = {"tokens_per_batch": 512, "precision": "fp32", "activation_checkpointing": on}
    model = str(tiny_llama(folder / "llama", context=256, size=size))
    return {
        "task": "chat",
        "model": model,
        "data": {"train": str(folder / "chat.jsonl")},
        "train": train,
        "output": "o",
    }


def adapted(folder, on):
    return classifier(folder, on, method={"name": "lora", "rank": 4, "dropout": 0.2})


def one_step(work):
    """Loss, gradients, and the random state afterwards."""
    training_mode(work.model)
    with own_random_state(7, CPU):
        losses = []
        for part in parts_of_step(work, 0):
            loss = work.task.loss(work.model, part)
            loss.backward()
            losses.append(loss.detach())
        state = torch.get_rng_state()
    gradients = [one.grad for one in work.model.parameters() if one.grad is not None]
    return [*losses, *gradients, state]


@pytest.mark.parametrize("make", [classifier, chat, adapted])
def test_loss_and_gradients_are_those_of_the_plain_model(make, tmp_path, monkeypatch):
    monkeypatch.setattr(vocabulary, "WORTH_IT", 1)
    plain, anew = (prepared(make(tmp_path, on)) for on in (False, True))
    dropout = [one for one in plain.model.modules() if getattr(one, "p", 0)]
    assert dropout or make is chat
    assert "vocabulary" in anew.facts or make is not classifier
    calls = {False: 0, True: 0}
    for on, work in ((False, plain), (True, anew)):
        layer = next(one for one in work.model.modules() if isinstance(one, GradientCheckpointingLayer))
        inside = next(iter(layer.children()))
        inside.register_forward_hook(lambda *_, on=on: calls.update({on: calls[on] + 1}))
    expected, got = one_step(plain), one_step(anew)
    assert calls[True] == calls[False] + 1, "once more, in the backward pass"
    assert len(got) == len(expected) > 4
    assert all(torch.equal(one, two) for one, two in zip(expected, got, strict=True))
    assert anew.facts["activation checkpointing"] == "as asked; each layer is computed anew in the backward pass"


def test_under_adapters_nothing_is_carried_down_to_the_embedding(tmp_path):
    work = prepared(adapted(tmp_path, True))
    seen = []
    work.model.get_input_embeddings().register_forward_hook(lambda _, args, output: seen.append(output.requires_grad))
    one_step(work)
    assert seen == [False]


def test_a_model_of_ours_is_refused_with_a_way_out(tmp_path):
    from PIL import Image

    for label in "ab":
        (tmp_path / "images" / label).mkdir(parents=True)
        pixels = np.random.default_rng(0).integers(0, 255, (16, 16), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / label / "one.png")
    model = tiny_image_model(tmp_path / "net", architecture="cnn", image_size=(16, 16), labels=2)
    recipe = {"task": "image-classification", "model": str(model), "output": "o"}
    recipe |= {"data": {"train": str(tmp_path / "images")}, "train": {"activation_checkpointing": True}}
    with pytest.raises(RecipeError) as caught:
        prepared(recipe)
    text = str(caught.value)
    assert "the layers of this model cannot be computed anew" in text
    assert "train.activation_checkpointing: true, and CnnForImageClassification" in text
    assert "train.accumulate=2 needs less memory as well" in text


def test_where_nothing_is_kept_it_says_so(tmp_path):
    work = prepared(classifier(tmp_path, True, method="head"))
    assert work.facts["activation checkpointing"].startswith("without effect: with method: head")
    assert not any(getattr(module, "gradient_checkpointing", False) for module in work.model.modules())


# ---- memory ------------------------------------------------------------------------------------------------------


def costliest(work, footprint):
    """The parts of the step that is thought to keep most."""
    steps = [parts_of_step(work, step) for step in range(len(work.feed.epoch(0)))]

    def keeps(parts):
        return footprint(len(parts[0].rows), parts[0].inputs["input_ids"].shape[1], parts[0].targets)[0]

    return max(steps, key=keeps)


def real_peak(work, batch):
    """Bytes that a step takes on top of what is held already, gradients included."""
    training_mode(work.model)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True, acc_events=True) as watched:
        for part in batch:
            work.task.loss(work.model, part).backward()
    work.model.zero_grad()
    changes = [event for event in watched.profiler.kineto_results.events() if event.name() == "[memory]"]
    changes.sort(key=lambda event: event.start_ns())
    return int(np.cumsum([event.nbytes() for event in changes]).max())


def test_the_estimate_knows_it_and_is_near_what_a_step_takes(tmp_path):
    estimates, peaks = [], []
    for on in (False, True):
        work = prepared(chat(tmp_path, on, size=600_000))
        footprint = footprint_of(work)
        kept, largest = footprint(*costliest_part(work, footprint, 1))
        gradients, _ = moving_bytes(work.model)
        estimates.append(kept + 2 * largest + gradients)
        peaks.append(real_peak(work, costliest(work, footprint)))
        assert 0.95 * peaks[-1] <= estimates[-1] <= 1.3 * peaks[-1]
    assert estimates[1] < 0.7 * estimates[0]
    assert peaks[1] < 0.7 * peaks[0]


def test_looking_at_it_leaves_it_off(tmp_path):
    work = prepared(classifier(tmp_path, False))
    with checkpointing(work.model):
        less = footprint_of(work)
    assert less(16, 20, 16)[0] < footprint_of(work)(16, 20, 16)[0]
    assert not any(getattr(module, "gradient_checkpointing", False) for module in work.model.modules())


def test_it_is_one_of_the_remedies(tmp_path):
    work = prepared(chat(tmp_path, False, size=600_000))
    memory = look_ahead(work).memory
    found = {str(remedy).split("  ")[0]: remedy for remedy in remedies(work, footprint_of(work), memory, None)}
    remedy = found["--set train.activation_checkpointing=true"]
    assert remedy.peak < memory.peak
    assert str(remedy).endswith("; the result is the same; a quarter slower)")
    work = prepared(chat(tmp_path, True, size=600_000))
    assert not any("checkpointing" in str(one) for one in remedies(work, footprint_of(work), memory, None))


@pytest.fixture
def tight(tmp_path, monkeypatch):
    """Room for the job of ``classifier``, if its layers are computed anew, and not otherwise."""
    now = outlook.room_on(CPU)
    monkeypatch.setattr("tunesmith.training.memory.room_on", lambda _: now)  # the process grows from test to test
    work = prepared(classifier(tmp_path, False))
    peak = look_ahead(work).memory.peak
    with checkpointing(work.model):
        less = look_ahead(work).memory.peak
    assert less < peak
    monkeypatch.setattr(outlook, "room_on", lambda _: Room(0, (peak + less) // 2, "a thimble"))


@pytest.mark.usefixtures("tight")
def test_auto_turns_it_on_where_the_job_fits_with_it_alone(tmp_path):
    work = prepared(classifier(tmp_path, "auto"))
    settled, ahead = outlook.settle_activations(work, look_ahead(work))
    assert settled.recipe.train.activation_checkpointing is True
    assert ahead.fits
    fact = settled.facts["activation checkpointing"]
    assert fact.startswith("without it about ")
    assert fact.endswith("; the result is the same; a quarter slower")
    assert any(getattr(module, "gradient_checkpointing", False) for module in work.model.modules())


@pytest.mark.parametrize("total", [10**15, 1], ids=["room for anything", "room for nothing"])
def test_auto_leaves_it_off_where_it_would_not_help(tmp_path, monkeypatch, total):
    monkeypatch.setattr(outlook, "room_on", lambda _: Room(0, total, "a thimble"))
    work = prepared(classifier(tmp_path, "auto"))
    settled, _ = outlook.settle_activations(work, look_ahead(work))
    assert settled.recipe.train.activation_checkpointing is False
    assert "activation checkpointing" not in settled.facts
    assert not any(getattr(module, "gradient_checkpointing", False) for module in work.model.modules())


def test_what_was_chosen_stands_in_the_run_and_changes_no_weight(tmp_path, request):
    recipe = parse_recipe(classifier(tmp_path, "auto"), overrides=["train.max_steps=3"])
    plain = tunesmith.train(recipe)
    request.getfixturevalue("tight")
    anew = tunesmith.train(recipe.model_copy(update={"output": str(tmp_path / "anew")}))
    assert [run.recipe().train.activation_checkpointing for run in (plain, anew)] == [False, True]
    weights = [run.model_folder.joinpath("model.safetensors").read_bytes() for run in (plain, anew)]
    assert weights[0] == weights[1]
