# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What a batch keeps, foretold from short rows and compared with what autograd really keeps of long ones."""

import gc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tunesmith.recipe import parse_recipe
from tunesmith.registry import get_registry
from tunesmith.testing import tiny_bert, tiny_image_model, tiny_llama
from tunesmith.training import memory
from tunesmith.training.memory import costliest_part, estimate_memory, footprint_of, moving_bytes
from tunesmith.training.prepare import prepare
from tunesmith.training.randomness import own_random_state, random_tensors
from tunesmith.training.strategy import Single


def prepared(recipe):
    recipe = parse_recipe(recipe)
    with own_random_state(0, torch.device("cpu")):
        return prepare(recipe, Single(recipe), get_registry())


def texts(folder, lengths=(3, 5, 10, 20, 33, 60, 61, 90)):
    lines = [f"{'word ' * (count // 5)}{'x' * (count % 5)},{'ab'[count % 2]}" for count in lengths for _ in range(4)]
    path = folder / "rows.csv"
    path.write_text("text,label\n" + "\n".join(lines) + "\n")
    return str(path)


def classifier(folder, **train):
    model = tiny_bert(folder / "bert")
    data = {"train": texts(folder)}
    settings = {"tokens_per_batch": 256, "precision": "fp32", **train}
    return prepared(
        {"task": "text-classification", "model": str(model), "data": data, "train": settings, "output": "o"}
    )


def chatter(folder, **train):
    rows = [f'{{"prompt": "{"why " * n}", "completion": "{"so " * (40 - n)}"}}' for n in range(1, 30)]
    (folder / "chat.jsonl").write_text("\n".join(rows))
    recipe = {"task": "chat", "model": str(tiny_llama(folder / "llama", context=256)), "output": "o"}
    settings = {"tokens_per_batch": 512, "precision": "fp32", **train}
    return prepared({**recipe, "data": {"train": str(folder / "chat.jsonl")}, "train": settings})


def pictures(folder, **train):
    from PIL import Image

    for label in "ab":
        (folder / "images" / label).mkdir(parents=True)
        for number in range(6):
            pixels = np.random.default_rng(number).integers(0, 255, (16, 16), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "images" / label / f"{number}.png")
    model = tiny_image_model(folder / "net", architecture="cnn", image_size=(16, 16), labels=2)
    recipe = {"task": "image-classification", "model": str(model), "output": "o"}
    settings = {"rows_per_batch": 8, "precision": "fp32", **train}
    return prepared({**recipe, "data": {"train": str(folder / "images")}, "train": settings})


JOBS = pytest.mark.parametrize("make", [classifier, chatter, pictures])


@JOBS
def test_short_rows_foretell_what_the_costliest_batch_keeps(make, tmp_path):
    work = make(tmp_path)
    foretold = footprint_of(work)
    rows, length, places = costliest_part(work, foretold, 1)
    found = []
    for batch in work.feed.epoch(0):
        items = [work.items["train"][int(place)] for place in batch]
        with memory.undisturbed(work):
            kept, largest = memory._kept(work, items)
        shape = len(items), max(item.length for item in items), sum(item.targets for item in items)
        assert foretold(*shape)[0] == pytest.approx(kept, rel=0.08), shape
        assert foretold(*shape)[1] >= 0.5 * largest
        found.append((kept, shape))
    assert foretold(rows, length, places)[0] == pytest.approx(max(found)[0], rel=0.08)


@JOBS
def test_looking_ahead_leaves_everything_as_it_was(make, tmp_path):
    work = make(tmp_path)
    before = {name: tensor.clone() for name, tensor in work.model.state_dict().items()}
    modes = [module.training for module in work.model.modules()]
    with own_random_state(3, torch.device("cpu")):
        random = random_tensors(torch.device("cpu"))
        footprint_of(work)
        after = random_tensors(torch.device("cpu"))
    assert all(torch.equal(random[name], after[name]) for name in random)
    assert all(torch.equal(before[name], tensor) for name, tensor in work.model.state_dict().items())
    assert modes == [module.training for module in work.model.modules()]
    assert all(parameter.grad is None for parameter in work.model.parameters())


def test_nothing_of_the_probes_stays_in_memory(tmp_path):
    work = classifier(tmp_path)
    footprint_of(work)
    gc.collect()
    gc.freeze()  # what is there already is not looked at: after some thousand tests these are millions of objects
    gc.disable()
    try:
        footprint_of(work)
        assert not [one for one in gc.get_objects() if isinstance(one, torch.Tensor)]
    finally:
        gc.enable()
        gc.unfreeze()


def test_parts_make_the_costliest_part_smaller(tmp_path):
    work = chatter(tmp_path)
    footprint = footprint_of(work)
    costs = [footprint(*costliest_part(work, footprint, parts))[0] for parts in (1, 2, 4)]
    assert costs[0] > 1.6 * costs[1] > 2.5 * costs[2]


def test_the_parts_of_the_peak(tmp_path):
    work = classifier(tmp_path)
    found = estimate_memory(work)
    parameters = sum(parameter.nbytes for parameter in work.model.parameters())
    assert (found.gradients, found.optimizer) == (parameters, 2 * parameters) == moving_bytes(work.model)
    comes_and_goes = found.gradients + found.activations + found.working
    assert found.step == found.process + found.optimizer + comes_and_goes + found.slack
    assert found.slack == int(memory.SLACK * comes_and_goes)
    for parameter in work.model.parameters():
        parameter.requires_grad = False
    assert moving_bytes(work.model) == (0, 0)


coefficient = st.floats(0, 1e6)


@given(st.tuples(coefficient, coefficient, coefficient, coefficient))
@settings(max_examples=50, deadline=None)
def test_a_polynomial_is_found_again(wanted):
    shapes = [memory.growth_terms(*shape) for shape in [(1, 8, 1), (2, 9, 5), (1, 32, 30), (1, 33, 2), (2, 33, 32)]]
    fitted = memory.fit_growth(shapes, [float(shape @ np.asarray(wanted)) for shape in shapes])
    assert (fitted >= 0).all()
    for shape in (memory.growth_terms(16, 40, 100), memory.growth_terms(2, 300, 10)):
        assert shape @ fitted == pytest.approx(shape @ np.asarray(wanted), rel=0.02, abs=1)
