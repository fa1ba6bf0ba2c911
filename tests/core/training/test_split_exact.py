# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Whichever way the rows of a step are divided into parts, ordered and padded, the loss and its gradient are the same.

Every built-in task is here by name, prepared from real files as a job prepares it. The property is of the task's
``loss``: a sum over targets, in which no row sees another.
"""

import json
import random

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tunesmith
from tunesmith.registry import get_registry
from tunesmith.testing import tiny_bert, tiny_image_model, tiny_llama, tiny_t5
from tunesmith.training.prepare import prepare
from tunesmith.training.randomness import own_random_state
from tunesmith.training.strategy import Single

ROWS = 9
SEE_EACH_OTHER = {"embedding"}
"""Tasks whose rows are each other's wrong answers; a part of a batch is another question."""


def text(n):
    return " ".join(["apple", "iron", "pear", "old tin"][: n % 4 + 1]) + f" {n}"


def tags(words):
    return ["B-FOOD" if at == 0 else "O" for at in range(len(words))]


def pair(n):
    prompt = [{"role": "user", "content": text(n)}]
    answers = {"chosen": "yes " * (n % 3 + 1), "rejected": "no " * (n % 2 + 1)}
    return {key: [*prompt, {"role": "assistant", "content": answer}] for key, answer in answers.items()}


def chat(n):
    turns = [{"role": role, "content": text(n + at)} for at, role in enumerate(("user", "assistant"))]
    return {"messages": turns * (n % 2 + 1)}


TASKS = {
    "text-classification": ("bert", lambda n: {"text": text(n), "label": "ab"[n % 2]}),
    "token-classification": (
        "bert",
        lambda n: {"tokens": text(n).split(), "tags": ["B-X", *("O" for _ in text(n).split()[1:])]},
    ),
    "question-answering": (
        "bert",
        lambda n: {"question": "what?", "context": text(n), "answers": [{"text": "apple", "answer_start": 0}]},
    ),
    "causal-lm": ("llama", lambda n: {"text": text(n) * (n % 3 + 1)}),
    "chat": ("llama", chat),
    "preference": ("llama", pair),
    "reward": ("llama", pair),
    "embedding": ("bert", lambda n: {"anchor": text(n), "positive": text(n + 1)}),
    "seq2seq": ("t5", lambda n: {"source": text(n), "target": text(n + 3)}),
    "tabular-classification": ("scratch:tabular-mlp", lambda n: {"a": n, "b": "xyz"[n % 3], "label": "ab"[n % 2]}),
    "tabular-regression": ("scratch:tabular-mlp", lambda n: {"a": n, "b": "xyz"[n % 3], "target": n * 0.5}),
    "image-classification": ("net", None),
}


def test_every_built_in_task_is_here():
    names = {item.spec.name for item in get_registry().all("task") if item.full_name.startswith("tunesmith/")}
    assert names == TASKS.keys()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("split")
    tiny_bert(folder / "bert")
    tiny_llama(folder / "llama")
    tiny_t5(folder / "t5")
    tiny_image_model(folder / "net", image_size=(8, 8), channels=3, labels=2)
    return folder


def images(folder):
    from PIL import Image

    for n in range(ROWS):
        file = folder / "images" / "ab"[n % 2] / f"{n}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (n * 20, 255 - n * 20, 7 * n)).save(file)
    return folder / "images"


@pytest.fixture(scope="module", params=sorted(TASKS.keys() - SEE_EACH_OTHER))
def work(request, place):
    model, row = TASKS[request.param]
    data = images(place) if row is None else place / f"{request.param}.jsonl"
    if row is not None:
        data.write_text("\n".join(json.dumps(row(n)) for n in range(ROWS)))
    recipe = tunesmith.parse_recipe(
        {
            "task": request.param,
            "model": model if model.startswith("scratch:") else str(place / model),
            "data": {"train": str(data)},
            "train": {"precision": "fp32", "device": "cpu"},
            "output": str(place / "never"),
        }
    )
    with own_random_state(0, torch.device("cpu")):
        return prepare(recipe, Single(recipe), get_registry())


def loss_and_gradient(work, parts):
    model = work.model.eval()  # dropout draws in the order of the parts
    model.zero_grad()
    total = torch.zeros(())
    for part in parts:
        loss = work.task.loss(model, work.collate([work.items["train"][index] for index in part]))
        loss.backward()
        total += loss.detach()
    gradients = [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]
    return total, torch.cat([gradient.flatten() for gradient in gradients])


@settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 10**6), parts=st.integers(2, ROWS))
def test_however_a_step_is_divided_its_loss_and_gradient_are_the_same(work, seed, parts):
    order = list(range(len(work.items["train"])))
    whole_loss, whole_gradient = loss_and_gradient(work, [order])
    random.Random(seed).shuffle(order)
    divided = [part for part in (order[at::parts] for at in range(parts)) if part]
    loss, gradient = loss_and_gradient(work, divided)
    torch.testing.assert_close(loss, whole_loss, rtol=2e-5, atol=1e-6)
    torch.testing.assert_close(
        gradient, whole_gradient, rtol=1e-3, atol=1e-5 * whole_gradient.abs().max().item() + 1e-7
    )
